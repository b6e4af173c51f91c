"""The app."""

from django.apps import AppConfig


class PagesConfig(AppConfig):
    name = "example_project.pages"
    verbose_name = "Pages"
