"""Views of Django REST framework, whose users become known in the view."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.urls import path
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from tests.testapp.models import Customer


class NameAuthentication(BaseAuthentication):
    """`Authorization: <user name>`."""

    def authenticate(self, request):
        name = request.headers.get("Authorization")
        if name is None:
            return None
        user = get_user_model().objects.filter(username=name).first()
        if user is None:
            raise AuthenticationFailed("No such user.")
        return user, None

    def authenticate_header(self, request):
        return "Name"


class Customers(APIView):
    authentication_classes = (NameAuthentication,)
    permission_classes = (IsAuthenticated,)

    def get(self, request):
        return Response({"customers": Customer.objects.count()})


class OpenCustomers(Customers):
    """Overrides the permissions."""

    permission_classes = (AllowAny,)


class NoData(OpenCustomers):
    def get(self, request):
        return Response({"tenant": request.tenant.slug})


class Optional(OpenCustomers):
    tenant_required = False

    def get(self, request):
        return Response({"tenant": request.tenant and request.tenant.slug})


class Required(Optional):
    tenant_required = True


urlpatterns = [
    path("customers/", Customers.as_view()),
    path("open-customers/", OpenCustomers.as_view()),
    path("no-data/", NoData.as_view()),
    path("optional/", Optional.as_view()),
    path("required/", Required.as_view()),
]
