"""The app."""

from django.apps import AppConfig


class UsersConfig(AppConfig):
    name = "example_project.users"
    verbose_name = "People"
