"""The URLconf of the tests; tests with views of their own override it."""

from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
