"""What is known of the tenant of one request, from its names to the decision on its user."""

from __future__ import annotations

from collections.abc import Callable
from logging import INFO, WARNING
from typing import Any, NamedTuple

from django.http import HttpResponseBase
from django.urls import get_script_prefix

from .access import Access, known_user
from .conf import Settings, conf, made_of
from .context import guarded_context, logger, security
from .decorators import wants_tenant
from .exceptions import AmbiguousTenant, NoCurrentTenant, TenantAccessDenied, TenantkitError, TenantNotFound
from .hosts import reader
from .lookup import Name, is_stand_in, stand_in
from .resolvers import SERVED, UNREAD, Resolver, chain, served
from .responses import answer, case_of
from .sessions import bind
from .streaming import carry_body
from .varying import add_vary, store_with_care

#: One resolver's finding: the name that it read and the tenant of that name, if there is one.
Finding = tuple[Resolver, Name, Any]


class Visit:
    """One request, as `TenantMiddleware` sees it."""

    context: guarded_context
    #: What the host names, see `host_name()`.
    host: Any = UNREAD
    #: The tenant that is named, or what stands in for one that the client named and that there is not.
    tenant: Any = None
    #: The tenant that the host names, and not just the client.
    host_tenant: Any = None
    access: Access | None = None
    #: What `reverse()` puts in front, where the path named the tenant.
    prefix: str | None = None
    #: The headers that were asked, for `Vary`.
    vary: tuple[str, ...] = ()
    #: Whether the response names them by now.
    varied = False
    #: Whether a user logged in during this request.
    logged_in = False
    #: Whether the view runs without a tenant, so that there is nothing to refuse any more.
    waived = False

    def __init__(self, request: Any) -> None:
        self.request = request
        site, path = _site(), request.path_info
        self.site = site
        self.public = path in site.public or path.startswith(site.public_starts)
        self.chain = () if self.public else site.resolvers
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
        by_client, unknown_host = True, None
        for resolver, name, found in findings:
            tenant = found if found is not None and found.status in SERVED else None
            if not resolver.by_client:
                by_client, self.host_tenant = False, tenant
                unknown_host = name if tenant is None else None
            if tenant is None:
                tenant = stand_in(name)
            if self.tenant is not None and self.tenant.pk != tenant.pk:
                security.warning("%s names more than one tenant: %s", self.request.path, [f[1] for f in findings])
                raise AmbiguousTenant()
            if self.tenant is None or not resolver.by_client:
                self.tenant = tenant
                self.request.tenant_named_by = resolver.named_by
            if name.prefix:
                self._take_off(name.prefix)
        if unknown_host is not None:
            raise TenantNotFound(f"There is no tenant {unknown_host.value!r}. `list_tenants` shows those that exist.")
        self.request.tenant = self.tenant
        if self.tenant is not None:
            self.access = Access(self.request, self.tenant, by_client)

    def prepare(self) -> None:
        """Make the request ready for what comes after: its URLconf, its cached page, its context."""
        request = self.request
        if self.tenant is None and (urlconf := conf.PUBLIC_URLCONF):
            request.urlconf = urlconf
        if (self.vary and self.host_tenant is None) or (self.access is not None and self.access.by_client):
            store_with_care(request)
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
        access = self.access
        if access is None:
            if wanted or (wanted is None and self._requires_tenant()):
                raise NoCurrentTenant("This view needs a tenant, and nothing in the request names one.")
            return
        optional = wanted is False
        if not access.by_client and not self.has_session and access.can_presume():
            access.presume()
        elif access.by_client and known_user(self.request) is None:
            if optional:
                self._withdraw()
        else:
            try:
                access()
            except TenantAccessDenied:
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

    def objection(self) -> TenantkitError | None:
        """What keeps the user whom the request has by now from its tenant, if anything does."""
        access = self.access
        if access is None or self.waived or access.is_settled():
            return None
        try:
            access()
        except TenantkitError as error:
            return error
        return None

    def excuse(self, error: TenantkitError) -> HttpResponseBase:
        """The answer where the view failed with `error`: who may not act in the tenant hears nothing else."""
        denied = isinstance(error, TenantAccessDenied)
        return self.refuse(error if denied else self.objection() or error)

    def refuse(self, error: TenantkitError, instead_of: HttpResponseBase | None = None) -> HttpResponseBase:
        """The answer for `error`. What the view did to the session goes no further, a log-in neither. To
        the client an unknown tenant and a forbidden one look the same, in the headers too."""
        request = self.request
        case = case_of(error) or "unknown"
        # Clients are told less. What cannot be deleted where a view tries to may be the view's mistake.
        logger.log(WARNING if case == "deletion" else INFO, "%r: %s", request.path, error)
        self._look_at_user()
        response = answer(request, "unknown" if case == "denied" and is_stand_in(self.tenant) else case, self.tenant)
        self._take_back()
        if instead_of is not None:
            response._resource_closers += instead_of._resource_closers  # type: ignore[attr-defined]
        return response

    def _take_back(self) -> None:
        """Undo what the view did to the session, and with it a log-in: no cookie is set."""
        self.request.META.pop("CSRF_COOKIE_NEEDS_UPDATE", None)
        if (session := getattr(self.request, "session", None)) is None:
            return
        if self.logged_in or (session.session_key is not None and not self.has_session):
            session.flush()
        if session.session_key is None:
            session.clear()
        session.modified = False

    def send(self, response: HttpResponseBase) -> HttpResponseBase:
        """What the client may see: `response`, or the refusal that its user turned out to deserve. Ready to
        leave: with what it varies on, and its body in the right tenant."""
        if self.access is not None and not self.access.is_settled() and not hasattr(response, "_tenantkit_answer"):
            error = self.objection()
            if error is not None:
                response = self.refuse(error, instead_of=response)
        if self.vary:
            self.add_vary(response)
        if response.streaming:
            carry_body(response, self.prefix)
        return response

    def add_vary(self, response: HttpResponseBase) -> None:
        """Name the headers that were asked in `Vary`."""
        by_session = "Cookie" in self.vary and self.host_tenant is None and self.has_session
        add_vary(response, self.vary, by_session)
        self.varied = True

    def may_store(self) -> bool:
        """Whether a cache of Django's may keep the page as it is now. One that was made for a client who has
        not been let in may not: another one would get it, who is."""
        admitted = self.access is None or self.waived or self.access.is_settled()
        return admitted and (self.varied or not self.vary)


class Site(NamedTuple):
    """What the settings say to every request, read together, as microseconds count here."""

    public: frozenset[str]
    public_starts: tuple[str, ...]
    resolvers: tuple[Resolver, ...]
    read_host: Callable[[str], Name | None]
    lookup_seconds: float


@made_of(
    Settings.PUBLIC_PATHS,
    Settings.RESOLVERS,
    Settings.BASE_DOMAIN,
    Settings.RESERVED_NAMES,
    Settings.LOOKUP_SECONDS,
)
def _site(public: list[str], _resolvers: Any, _base: Any, _reserved: Any, seconds: float) -> Site:
    return Site(frozenset(public), tuple(path for path in public if path.endswith("/")), chain(), reader(), seconds)
