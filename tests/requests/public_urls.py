"""The URLconf of hosts without a tenant."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import path, reverse

from django_tenantkit.decorators import tenant_required

urlpatterns = [
    path("", lambda request: HttpResponse(f"front page {reverse('front')}"), name="front"),
    path("healthz", lambda request: HttpResponse("public ok")),
    path("required/", tenant_required(lambda request: HttpResponse("never"))),
]
