"""The API for archives of a tenant's own."""

from __future__ import annotations

from rest_framework import routers

from django_tenantkit.contrib.drf_archives import ArchiveViewSet

router = routers.DefaultRouter(use_regex_path=False)
router.register("archives", ArchiveViewSet, "archive")
urlpatterns = router.urls
