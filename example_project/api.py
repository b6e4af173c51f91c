"""The API of a tenant: what `/api/` leads to on its own address."""

from django.urls import include, path
from rest_framework.authtoken.views import obtain_auth_token
from rest_framework.routers import DefaultRouter

from example_project.shop.api import CustomerViewSet, OrderViewSet, ProductViewSet
from example_project.users.api import MemberViewSet
from example_project.work.api import LabelViewSet, ProjectViewSet, TaskViewSet

router = DefaultRouter()
router.register("projects", ProjectViewSet)
router.register("tasks", TaskViewSet)
router.register("labels", LabelViewSet)
router.register("customers", CustomerViewSet)
router.register("products", ProductViewSet)
router.register("orders", OrderViewSet)
router.register("members", MemberViewSet, basename="member")

urlpatterns = [
    path("token/", obtain_auth_token, name="token"),
    path("session/", include("rest_framework.urls")),
    path("", include(router.urls)),
]
