"""What is known of the tenant of one request, from its names to the decision on its user."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase
from django.urls import get_script_prefix

from .access import Access, known_user
from .conf import MadeOf, conf
from .context import guarded_context, logger, security
from .decorators import wants_tenant
from .exceptions import AmbiguousTenant, NoCurrentTenant, TenantAccessDenied, TenantkitError, TenantNotFound
from .lookup import Name
from .resolvers import Resolver, chain, served
from .responses import answer, case_of
from .sessions import bind
from .streaming import carry_body
from .varying import add_vary, store_only_with_vary

#: One resolver's finding: the name that it read and the tenant of that name, if there is one.
Finding = tuple[Resolver, Name, Any]


class Visit:
    """One request, as `TenantMiddleware` sees it. `error` is what is wrong with a tenant that the client
    named; it is held back until the view is known, as a view may do without a tenant."""

    context: guarded_context
    tenant: Any = None
    #: The tenant that the host names, and not just the client.
    host_tenant: Any = None
    access: Access | None = None
    error: TenantkitError | None = None
    #: What `reverse()` puts in front, where the path named the tenant.
    prefix: str | None = None
    #: The headers that were asked, for `Vary`.
    vary: tuple[str, ...] = ()
    #: Whether a user logged in during this request.
    logged_in = False
    #: Whether the view runs without a tenant, so that there is nothing to refuse any more.
    waived = False

    def __init__(self, request: Any) -> None:
        self.request = request
        self.public = is_public(request.path_info)
        self.chain = () if self.public else chain()
        for resolver in self.chain:
            if vary := resolver.vary:
                self.vary += vary
        request._tenantkit = self
        request.tenant = None
        request.tenant_named_by = ""
        self.has_session = bind(request)  # before a resolver reads it

    # -- before the view

    def settle(self, findings: list[Finding]) -> None:
        """Take the tenant that the resolvers found. Raises `TenantNotFound` for a host that is unknown, and
        `AmbiguousTenant` when they do not agree, found or not: who asks with two names learns nothing."""
        if len(findings) > 1:
            # A host that is nobody's domain says no more than one that is none of ours: the rest decides.
            findings = [f for f in findings if f[1].kind != "domain" or served(f[2])] or findings
        by_client, named, error = True, None, None
        for resolver, name, found in findings:
            tenant = served(found)
            key = name[:2] if tenant is None else tenant.pk
            if named is not None and named != key:
                security.warning("%s names more than one tenant: %s", self.request.path, [f[1] for f in findings])
                raise AmbiguousTenant()
            named = key
            by_client = by_client and resolver.by_client
            if tenant is None:
                error = TenantNotFound(f"There is no tenant {name.value!r}. `list_tenants` shows those that exist.")
            elif self.tenant is None or not resolver.by_client:
                self.tenant = tenant
                self.request.tenant_named_by = resolver.named_by
            if not resolver.by_client:
                self.host_tenant = tenant
            if name.prefix:
                self._take_off(name.prefix)
        self.error = error
        self.request.tenant = self.tenant
        if self.tenant is not None:
            self.access = Access(self.request, self.tenant, by_client)
        elif error is not None and not by_client:
            raise error

    def prepare(self) -> None:
        """Make the request ready for what comes after: its URLconf, its cached page, its context."""
        request = self.request
        if self.tenant is None and self.error is None and (urlconf := conf.PUBLIC_URLCONF):
            request.urlconf = urlconf
        if self.vary and self.host_tenant is None:
            store_only_with_vary(request)
        self.context = guarded_context(self.tenant, self.access, "TenantMiddleware")

    def _take_off(self, prefix: str) -> None:
        """Let the views see the path without the tenant. `request.path` keeps it."""
        request = self.request
        request.path_info = request.META["PATH_INFO"] = request.path_info[len(prefix) :] or "/"
        request.META["SCRIPT_NAME"] = request.META.get("SCRIPT_NAME", "").rstrip("/") + prefix
        self.prefix = get_script_prefix().rstrip("/") + prefix + "/"

    # -- when the view is known

    def admit(self, view: Any) -> None:
        """Raise the error that keeps `view` from running. A view that does without a tenant runs with none
        where the named one is out of bounds; any other may still find out who the client is, and until
        then the guard keeps it from the tenant's data."""
        wanted = wants_tenant(view)
        if self.tenant is None and self.error is None:
            if wanted or (wanted is None and self._requires_tenant()):
                raise NoCurrentTenant("This view needs a tenant, and nothing in the request names one.")
            return
        access, optional = self.access, wanted is False
        if access is not None and not access.by_client and not self.has_session and access.can_presume():
            access.presume()
        elif access is not None and access.by_client and known_user(self.request) is None:
            if optional:
                self._withdraw()
        else:
            try:
                self.check()
            except (TenantNotFound, TenantAccessDenied):
                if not optional:
                    raise
                self._withdraw()

    def _requires_tenant(self) -> bool:
        return conf.TENANT_REQUIRED and not self.public and not conf.PUBLIC_URLCONF

    def _withdraw(self) -> None:
        self.waived = True
        self.context.withdraw()
        self.request.tenant = None
        self.request.tenant_named_by = ""
        self._look_at_user()

    def _look_at_user(self) -> None:
        """Load the session if the client sent one: whether it was is seen in the response's headers."""
        if self.has_session:
            known_user(self.request)

    # -- after the view

    def check(self) -> None:
        """Raise what keeps the request from its tenant, as far as is known by now."""
        if self.error is not None:
            raise self.error
        if self.access is not None:
            self.access()

    def conclude(self, response: HttpResponseBase) -> HttpResponseBase:
        """The response that the client may see: the view's, or the refusal that its user turned out to
        deserve."""
        settled = self.error is None and (self.access is None or self.access.is_settled())
        if settled or self.waived or hasattr(response, "_tenantkit_answer"):
            return response
        try:
            self.check()
        except TenantkitError as error:
            return self.refuse(error, instead_of=response)
        return response

    def refuse(self, error: TenantkitError, instead_of: HttpResponseBase | None = None) -> HttpResponseBase:
        """The answer for `error`. What the view did to the session goes no further, a log-in neither. To
        the client an unknown tenant and a forbidden one look the same, in the headers too."""
        request = self.request
        logger.info("%r: %s", request.path, error)  # clients are told less
        self._look_at_user()
        response = answer(request, case_of(error) or "unknown", self.tenant)
        request.META.pop("CSRF_COOKIE_NEEDS_UPDATE", None)
        if (session := getattr(request, "session", None)) is not None:
            if self.logged_in:
                session.flush()
            if session.session_key is None:
                session.clear()
            session.modified = False
        if instead_of is not None:
            response._resource_closers += instead_of._resource_closers  # type: ignore[attr-defined]
        return response

    def send(self, response: HttpResponseBase) -> HttpResponseBase:
        """`response`, ready to leave: what it varies on, and its body in the right tenant."""
        if self.vary:
            self.add_vary(response)
        if response.streaming:
            carry_body(response, self.prefix)
        return response

    def add_vary(self, response: HttpResponseBase) -> None:
        """Name the headers that were asked in `Vary`."""
        by_session = "Cookie" in self.vary and self.host_tenant is None and self.has_session
        add_vary(self.request, response, self.vary, by_session)


@MadeOf
def _public(paths: list[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    return frozenset(paths), tuple(path for path in paths if path.endswith("/"))


def is_public(path: str) -> bool:
    """Whether `path` is one of TENANTKIT_PUBLIC_PATHS."""
    exact, starts = _public(conf.PUBLIC_PATHS)
    return path in exact or path.startswith(starts)
