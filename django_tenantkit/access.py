"""Who may act in a tenant. Decided where the user becomes known; until then tenant data is out of reach."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.db import connections, router
from django.db.models.signals import post_delete, post_migrate, post_save
from django.utils.asyncio import async_unsafe
from django.utils.functional import SimpleLazyObject, empty
from django.utils.module_loading import import_string

from .conf import Settings, conf, made_of
from .context import security, tenant_context
from .exceptions import TenantAccessDenied, TenantkitError, TenantSuspended, TenantUnavailable
from .gate import is_behind
from .lookup import forget as forget_tenant
from .lookup import is_stand_in
from .memory import Memory, now_and_on_commit
from .models import Membership, TenantStatus
from .registry import users_live_at_home

#: What a policy says: yes or no, or the user's roles in the tenant, of which none is no.
Verdict = bool | tuple[str, ...]

_verdicts: Memory[Verdict] = Memory()
#: Apart from the others, so that made-up names push out no answer on a tenant.
_verdicts_on_stand_ins: Memory[Verdict] = Memory()
_NOBODY_YET: Final = object()
_ACTIVE = TenantStatus.ACTIVE


def members_only(user: Any, tenant: Any) -> list[str]:
    """The default policy: active users with a `Membership` in the tenant, superusers included. Users of
    another class than AUTH_USER_MODEL are refused, as their keys mean something else. Returns the role."""
    if not isinstance(user, get_user_model()) or not user.is_active:
        return []
    return list(Membership.objects.filter(user_id=user.pk, tenant_id=tenant.pk).values_list("role", flat=True))


def own_users(user: Any, tenant: Any) -> bool:
    """The policy where each tenant has users of its own: whoever is an active user in the tenant's home. The key
    alone says nothing, as other tenants have one like it, so the name and the password's hash are compared too."""
    model: Any = get_user_model()
    if not isinstance(user, model) or not user.is_active:
        return False
    name = model.USERNAME_FIELD
    with tenant_context(tenant):
        found = model._default_manager.filter(pk=user.pk, **{name: getattr(user, name)}).first()
    return found is not None and found.is_active and found.password == user.password


def allowed(user: Any, tenant: Any) -> Verdict:
    """What TENANTKIT_ACCESS_POLICY says of an authenticated user. Asked at most once in
    TENANTKIT_ACCESS_SECONDS; a change of the user, the tenant or a membership is noticed at once. For a
    tenant that there is not it is asked too, and the answer is no."""
    user = in_full(user)
    return _verdict(user, user.pk, tenant)


def _verdict(user: Any, pk: Any, tenant: Any) -> Verdict:
    path, seconds, at_home = _rule()
    key: tuple[Any, ...] = (path, user.__class__, pk, tenant.pk)
    if at_home:  # somebody else has the same key in another tenant
        key = (*key, getattr(user, user.USERNAME_FIELD, None), getattr(user, "password", None))
    if (verdict := _verdicts.get(key, seconds)) is not None:
        return verdict
    if pk is None:
        return _ask(path, user, tenant)
    verdicts, size = _verdicts, conf.ACCESS_SIZE
    if is_stand_in(tenant):
        verdicts, size = _verdicts_on_stand_ins, conf.LOOKUP_MISSES
        if (verdict := verdicts.get(key, seconds)) is not None:
            return verdict
    memory = verdicts.during(connections[router.db_for_read(Membership)])
    if memory is not verdicts and (verdict := memory.get(key, seconds)) is not None:
        return verdict
    generation = memory.generation
    verdict = _ask(path, user, tenant)
    memory.put(key, verdict, size, generation)
    return verdict


@made_of(Settings.ACCESS_POLICY, Settings.ACCESS_SECONDS, Settings.TENANT_APPS)
def _rule(path: str, seconds: float, _apps: list[str]) -> tuple[str, float, bool]:
    return path, seconds, users_live_at_home()


def forget(user_id: Any = None, tenant_id: Any = None) -> None:
    """Forget the answers of the policy on a user, on a tenant, on a user in a tenant, or all. For policies
    that depend on more than the user, the tenant and its memberships."""

    def concerned(key: tuple[Any, ...], verdict: Verdict) -> bool:
        return (user_id is None or key[2] == user_id) and (tenant_id is None or key[3] == tenant_id)

    _verdicts.forget(concerned)
    _verdicts_on_stand_ins.forget(concerned)


@async_unsafe("A policy may ask the database. Decide in a thread: sync_to_async(allowed)(user, tenant).")
def _ask(path: str, user: Any, tenant: Any) -> Verdict:
    policy = import_string(path)
    if not is_stand_in(tenant):
        answer = policy(user, tenant)
        return tuple(answer) if isinstance(answer, list | tuple | set | frozenset) else bool(answer)
    with suppress(Exception):  # it may miss rows that belong to each tenant
        policy(user, tenant)
    return False


def staff(user: Any, tenant: Any) -> bool:
    """For TENANTKIT_MAINTENANCE_BYPASS: whoever may use Django's admin and is let into the tenant."""
    return bool(user.is_staff)


@async_unsafe("TENANTKIT_MAINTENANCE_BYPASS may ask the database. Decide in a thread.")
def _bypasses(user: Any, tenant: Any) -> bool:
    """Whether maintenance does not concern `user`, who may act in the tenant. Asked each time: it lasts for minutes,
    and whoever is left out of the list is to be out at once."""
    path = conf.MAINTENANCE_BYPASS
    return path is not None and bool(import_string(path)(user, tenant))


class Access:
    """The guard of a request: called whenever tenant data is about to be touched, it returns or raises
    `TenantAccessDenied`, `TenantSuspended` or `TenantUnavailable`. It decides once for each user that the
    request has, so a user who becomes known late (by a token, in the view) is decided on then."""

    passed: Any = _NOBODY_YET
    presumed: Any = _NOBODY_YET
    refused: Any = _NOBODY_YET
    _deciding = False
    #: The key of the user who passed, and that user's roles in the tenant: for policies of the database.
    user: Any = None
    roles: tuple[str, ...] = ()

    def __init__(self, request: Any, tenant: Any, by_client: bool) -> None:
        self.request = request
        self.tenant = tenant
        self.by_client = by_client

    def __call__(self) -> None:
        user = getattr(self.request, "user", None)
        if user is not self.passed:
            self._deciding = True
            try:
                self._decide(user)
            finally:
                self._deciding = False

    def can_presume(self) -> bool:
        """Whether the user is nobody or would be read from a session, so that a client that sent none is
        anonymous, and it can be known without looking."""
        user = getattr(self.request, "user", None)
        if user is None:
            return True
        if type(user) is not SimpleLazyObject:
            return False
        reads = object.__getattribute__(user, "__dict__").get("_setupfunc")
        return getattr(reads, "__module__", None) == AuthenticationMiddleware.__module__

    def presume(self) -> None:
        """Let an anonymous user in where the host named the tenant, without looking at the user: nothing may
        ever ask who that is. Raises for a tenant that is not at work."""
        self._check_status(None)
        self.presumed = getattr(self.request, "user", None)

    def is_settled(self) -> bool:
        """Whether the request still has the user that was decided on."""
        user = getattr(self.request, "user", None)
        return user is self.passed or user is self.presumed

    def settle(self) -> None:
        """Decide on a user who is known without a query, before the first statement that may be for the
        tenant. A refusal is not raised here, where it could end in the middle of a log-in."""
        if not self._deciding and not self.is_settled() and _is_known(getattr(self.request, "user", None)):
            with suppress(TenantkitError):
                self()

    def _decide(self, user: Any) -> None:
        known = known_user(self.request)
        pk = None if known is None else known.pk
        verdict = not self.by_client if known is None else _verdict(known, pk, self.tenant)
        if not verdict:
            if user is not self.refused:
                self.refused = user
                who = "an anonymous user" if known is None else f"user {pk}"
                name = self.tenant.slug if not is_stand_in(self.tenant) else f"{self.tenant.slug!r}, which is unknown"
                security.warning("%s may not act in tenant %s: %r", who, name, self.request.path)
            raise TenantAccessDenied()
        if self.tenant.status != _ACTIVE or conf.VERSION_GATE:
            self._check_status(known)
        self.user = pk
        self.roles = verdict if isinstance(verdict, tuple) else ()
        self.passed = user

    def _check_status(self, user: Any) -> None:
        status, slug = self.tenant.status, self.tenant.slug
        if status == _ACTIVE:
            if conf.VERSION_GATE:
                self._check_version()
            return
        if status == TenantStatus.SUSPENDED:
            raise TenantSuspended(f"{slug} is suspended. `resume_tenant {slug}` lets it work again.")
        if status == TenantStatus.MAINTENANCE and not (user is not None and _bypasses(user, self.tenant)):
            raise TenantUnavailable(f"{slug} is in maintenance. Try again later.")

    def _check_version(self) -> None:
        state = getattr(self.tenant._state, "tenantkit_home_state", None)
        if state is not None and is_behind(state):
            forget_tenant(self.tenant)  # the next request looks whether it was migrated
            raise TenantUnavailable(
                f"The home of {self.tenant.slug} lags behind the code's migrations (TENANTKIT_VERSION_GATE). Run "
                "`migrate_tenants --all-tenants`."
            )


def in_full(user: Any) -> Any:
    """`user`, or the one whom Django keeps behind it: each question to the former takes as long as ten to
    the latter."""
    if type(user) is not SimpleLazyObject:
        return user
    state = object.__getattribute__(user, "__dict__")
    if state["_wrapped"] is empty:
        SimpleLazyObject._setup(user)  # type: ignore[attr-defined]
    return state["_wrapped"]


def _is_known(user: Any) -> bool:
    """Whether `user` is an object that has been loaded: a view's authentication has put it there."""
    if type(user) is SimpleLazyObject:
        return object.__getattribute__(user, "__dict__")["_wrapped"] is not empty
    return user is not None


def known_user(request: Any) -> Any:
    """The authenticated user of `request`, or None. Where the client sent no session, to look at the user
    is no reason for the response to vary on cookies."""
    session = getattr(request, "session", None)
    accessed = session is not None and session.accessed
    user = in_full(getattr(request, "user", None))
    known = user if user is not None and user.is_authenticated else None
    if not accessed and session is not None and session.session_key is None:
        session.accessed = False
    return known


def connect() -> None:
    """Forget what changes in this process. `AppConfig.ready()` calls it."""
    for signal in (post_save, post_delete):
        signal.connect(_membership_changed, sender=Membership, dispatch_uid="django_tenantkit.access.membership")
        signal.connect(_user_changed, sender=get_user_model(), dispatch_uid="django_tenantkit.access.user")
        signal.connect(_tenant_changed, sender=conf.TENANT_MODEL, dispatch_uid="django_tenantkit.access.tenant")
    post_migrate.connect(_everything_changed, dispatch_uid="django_tenantkit.access")


def _membership_changed(instance: Any, using: str, **kwargs: Any) -> None:
    now_and_on_commit(partial(forget, instance.user_id, instance.tenant_id), using)


def _user_changed(instance: Any, using: str, **kwargs: Any) -> None:
    now_and_on_commit(partial(forget, instance.pk), using)


def _tenant_changed(instance: Any, using: str, **kwargs: Any) -> None:
    now_and_on_commit(partial(forget, tenant_id=instance.pk), using)


def _everything_changed(**kwargs: Any) -> None:
    forget()
