"""The URLs of the requests that are measured."""

from __future__ import annotations

from django.urls import path

from . import pages, requests

urlpatterns = [
    *requests.urlpatterns,
    path("page/", pages.page),
    path("plain/<int:tenant>/", pages.plain_page),
]
