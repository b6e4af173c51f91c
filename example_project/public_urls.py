"""What the base domain serves, where no tenant is named: http://localhost:8000."""

from django.contrib import admin
from django.urls import include, path
from rest_framework.authtoken.views import obtain_auth_token
from rest_framework.routers import DefaultRouter

from django_tenantkit.contrib.drf import TenantViewSet
from example_project.pages import views

router = DefaultRouter()
router.register("tenants", TenantViewSet, basename="tenant")

urlpatterns = [
    path("", views.Landing.as_view(), name="landing"),
    path("open/", views.open_workspace, name="open"),
    path("api/token/", obtain_auth_token),
    path("api/", include(router.urls)),
    path("admin/", admin.site.urls),
    path("healthz", views.healthz),
]
