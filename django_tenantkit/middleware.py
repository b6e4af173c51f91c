"""Finds the tenant of a request and runs the request in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.core.exceptions import SynchronousOnlyOperation
from django.http import HttpRequest, HttpResponseBase

from .access import known_user
from .duplicates import answer_duplicate
from .exceptions import NoCurrentTenant, TenantkitError
from .lookup import afind, find
from .responses import case_of
from .streaming import script_prefix
from .visit import Visit


class TenantMiddleware:
    """Sets `request.tenant` (None without one) and `request.tenant_named_by`, and makes it the current
    tenant for everything after it. Stands after the session and authentication middleware, as it decides
    which users may act in the tenant. Under ASGI it changes threads only to ask a database."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._acall(request)
        visit = Visit(request)
        findings = []
        try:
            for resolver in visit.chain:
                if (name := resolver.name(request)) is not None:
                    findings.append((resolver, name, find(name, visit.site.lookup_seconds)))
            visit.settle(findings)
        except TenantkitError as error:
            return visit.send(visit.refuse(error))
        visit.prepare()
        with visit.context:
            if visit.prefix is None:
                return visit.send(self.get_response(request))
            with script_prefix(visit.prefix):
                return visit.send(self.get_response(request))

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        visit = Visit(request)
        findings = []
        try:
            for resolver in visit.chain:
                if (name := await resolver.aname(request)) is not None:
                    findings.append((resolver, name, await afind(name)))
            visit.settle(findings)
        except TenantkitError as error:
            return visit.send(await sync_to_async(visit.refuse)(error))
        visit.prepare()
        with visit.context, script_prefix(visit.prefix):
            response = await self.get_response(request)
            sent: HttpResponseBase = await _here_or_in_a_thread(visit.send, response)
            return sent

    @property
    def process_view(self) -> Callable[..., Any]:
        """Called by Django when the view is known, in the form that its kind of handler awaits or calls."""
        return self._aprocess_view if self.is_async else self._process_view

    def _process_view(self, request: Any, view: Any, *args: Any) -> HttpResponseBase | None:
        visit: Visit = request._tenantkit
        try:
            visit.admit(view)
        except TenantkitError as error:
            return visit.refuse(error)
        return None

    async def _aprocess_view(self, request: Any, view: Any, *args: Any) -> HttpResponseBase | None:
        if request._tenantkit.has_session and hasattr(request, "user"):
            # Loaded once, for coroutines that look at `request.user` and for those that await `auser()`.
            await sync_to_async(known_user)(request)
            request.auser = partial(_auser, request)
        response: HttpResponseBase | None = await _here_or_in_a_thread(self._process_view, request, view)
        return response

    def process_exception(self, request: Any, exception: Exception) -> HttpResponseBase | None:
        """The answer for an error of this package that a view lets through: access denied, suspended, no
        tenant named, a deletion that concerns other tenants; and for a duplicate within the tenant that only
        the database saw. None for any other error, and for the lack of a tenant where one was named."""
        visit: Visit = request._tenantkit
        if case_of(exception) is None or (isinstance(exception, NoCurrentTenant) and request.tenant is not None):
            return answer_duplicate(request, exception)
        assert isinstance(exception, TenantkitError)
        return visit.excuse(exception)


async def _auser(request: Any) -> Any:
    return request.user


async def _here_or_in_a_thread(function: Callable[..., Any], *args: Any) -> Any:
    """Call `function` in the event loop; if it turns out to ask a database, again in a thread."""
    try:
        return function(*args)
    except SynchronousOnlyOperation:
        return await sync_to_async(function)(*args)
