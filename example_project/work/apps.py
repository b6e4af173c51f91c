"""The app."""

from django.apps import AppConfig


class WorkConfig(AppConfig):
    name = "example_project.work"
    verbose_name = "Projects and tasks"
