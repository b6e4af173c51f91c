"""The operators' API, where no tenant is named."""

from __future__ import annotations

from rest_framework import routers

from django_tenantkit.contrib.drf import TenantViewSet

router = routers.DefaultRouter()
router.register("tenants", TenantViewSet, "tenant")
urlpatterns = router.urls
