"""What a request costs that passes through the middleware, and its URLconf.

The tenant is in the cache, as it is for all requests but the first. All requests pass through sessions
and authentication, which the middleware builds on. Where CPU time is measured, sessions and users are kept
in memory: the few microseconds in question would drown in the time that two queries take.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path

from django_tenantkit.context import tenant_context
from django_tenantkit.models import Membership, Tenant

from .method import Work

BASE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
COMMON = "django.middleware.common.CommonMiddleware"
TENANT = "django_tenantkit.middleware.TenantMiddleware"

IN_MEMORY = "django.contrib.sessions.backends.cache"
IN_DATABASE = "django.contrib.sessions.backends.db"


def answer(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


def greet(request: HttpRequest) -> HttpResponse:
    """Needs to know its user, so that the session and the user are read whoever asks first."""
    return HttpResponse(f"hello {request.user}")


urlpatterns = [path("answer/", answer), path("greet/", greet)]


class UserInMemory(ModelBackend):
    """Reads each user once."""

    users: dict[Any, Any] = {}

    def get_user(self, user_id: Any) -> Any:
        if user_id not in self.users:
            self.users[user_id] = super().get_user(user_id)
        return self.users[user_id]


class Requests:
    """Requests to the tenant's host: a visitor's, and those of a member who is signed in."""

    def __init__(self, tenant: Tenant, sessions: str = IN_MEMORY) -> None:
        self.host = f"{tenant.slug}.example.com"
        self.sessions = sessions
        backend = UserInMemory if sessions == IN_MEMORY else ModelBackend
        user, _ = get_user_model()._default_manager.get_or_create(username="member")
        Membership.objects.get_or_create(user=user, tenant=tenant)
        client = Client(HTTP_HOST=self.host)
        with override_settings(SESSION_ENGINE=sessions), tenant_context(tenant):
            client.force_login(user, f"{backend.__module__}.{backend.__qualname__}")
        self.cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())

    def of_a_visitor(self, *middleware: str) -> Work:
        return self._request("/answer/", "", middleware)

    def of_a_member(self, *middleware: str) -> Work:
        return self._request("/greet/", self.cookies, middleware)

    def _request(self, url: str, cookies: str, middleware: tuple[str, ...]) -> Work:
        """Sends a request to a handler with this middleware."""
        with override_settings(MIDDLEWARE=[*BASE, *middleware], SESSION_ENGINE=self.sessions):
            handler = WSGIHandler()
        environ = RequestFactory(HTTP_HOST=self.host, HTTP_COOKIE=cookies).get(url).environ

        def send() -> None:
            response = handler.get_response(WSGIRequest(environ))
            if response.status_code != 200:
                raise RuntimeError(f"{url} answered {response.status_code}: {response.content!r}")

        return send


#: `Requests.of_a_visitor` or `Requests.of_a_member`.
Kind = Callable[..., Work]


def works(kind: Kind) -> tuple[Work, Work, Work]:
    """The same request through no other middleware, through Django's CommonMiddleware and through ours."""
    return kind(), kind(COMMON), kind(TENANT)


def statements_added(kind: Kind) -> int:
    """How many statements more a request needs that passes through the middleware."""
    return _statements(kind(TENANT)) - _statements(kind())


def _statements(send: Work) -> int:
    send()
    with CaptureQueriesContext(connection) as queries:
        send()
    return len(queries)
