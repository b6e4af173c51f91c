"""The variable: which tenant the running code acts for. Nothing else in the package sets it.

One `ContextVar` holds a `Scope`: a tenant, nothing, or unscoped with a reason. Scopes are linked to
the scope they were entered from, so that leaving restores exactly what was found. The idea of one
variable read by everything is django-scopes' (state.py).
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from contextvars import ContextVar
from types import TracebackType
from typing import Any, ParamSpec, Protocol, TypeVar, cast
from uuid import UUID

from .exceptions import NoCurrentTenant, TenantContextError

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

logger = logging.getLogger("django_tenantkit")
security = logging.getLogger("django_tenantkit.security")


class TenantLike(Protocol):
    """What low modules need to know of a tenant."""

    @property
    def pk(self) -> Any: ...
    @property
    def uid(self) -> UUID: ...
    @property
    def slug(self) -> str: ...


class Guard(Protocol):
    """What keeps a request's tenant data out of reach until its user was decided on (see `access.py`).
    `user` and `roles` are that user's key and roles in the tenant, once decided."""

    @property
    def user(self) -> Any: ...
    @property
    def roles(self) -> Sequence[str]: ...
    def __call__(self) -> None: ...
    def is_settled(self) -> bool: ...
    def settle(self) -> None: ...


class Scope:
    """What the running code may reach: `key` is the tenant's primary key, or None; `reason` is set
    when unscoped. `guard`, when set, is called before tenant data is touched and raises when the
    user of the request may not. `user` and `roles` say who acts, for the database's policies; `home` is where
    the tenant's rows live, see `isolation/`, and `rows_only` that unscoped code means row tenants alone; `sent`
    is what a connection made of all this last, see `backends/postgresql/session.py`."""

    __slots__ = ("guard", "home", "key", "outer", "reason", "removed", "roles", "rows_only", "sent", "tenant", "user")

    def __init__(
        self,
        tenant: TenantLike | None = None,
        reason: str | None = None,
        guard: Guard | None = None,
        user: Any = None,
        roles: Sequence[str] = (),
    ) -> None:
        self.tenant = tenant
        self.key: Any = None if tenant is None else tenant.pk
        self.home: Any = getattr(tenant, "home", None)
        self.reason = reason
        self.guard = guard
        self.user = user
        self.roles = roles
        self.rows_only = False
        self.sent: Any = None
        self.outer: Scope | None = None
        self.removed = False

    def actor(self) -> tuple[Any, Sequence[str]]:
        """The key and the roles of the user who acts here, as far as is known."""
        guard = self.guard
        return (self.user, self.roles) if guard is None else (guard.user, guard.roles)


_NOTHING = Scope()
_scope: ContextVar[Scope] = ContextVar("tenantkit_scope", default=_NOTHING)
#: Called when a scope comes into force, see `caches.register_reset()`.
switched: list[Callable[[], None]] = []


def _set(scope: Scope) -> None:
    _scope.set(scope)
    for call in switched:
        call()


def current_scope() -> Scope:
    """The scope in force. For code of this package; applications ask `get_current_tenant()`."""
    return _scope.get()


def get_current_tenant() -> TenantLike | None:
    """The current tenant, or None when there is none or the code runs unscoped."""
    return _scope.get().tenant


def require_tenant() -> TenantLike:
    """The current tenant. Raises `NoCurrentTenant` when there is none, and `TenantAccessDenied` when
    the user of the current request may not act in it."""
    scope = _scope.get()
    if scope.tenant is None:
        raise NoCurrentTenant()
    if scope.guard is not None:
        scope.guard()
    return scope.tenant


def _leave(scope: Scope) -> None:
    """Restore what was found on entering. When something entered later is still open, take `scope`
    out of the chain, so that the later one restores the right thing, and say so."""
    if _scope.get() is scope:
        outer = scope.outer or _NOTHING
        while outer.removed and outer.outer is not None:
            outer = outer.outer
        _set(outer)
        return
    scope.removed = True
    raise TenantContextError()


class _Resumable:
    """Holds the scope of a generator while it is suspended, and the caller's while it runs."""

    __slots__ = ("caller", "inner")

    def __init__(self, inner: Scope) -> None:
        self.inner = inner

    def __enter__(self) -> None:
        self.caller = _scope.get()
        _set(self.inner)

    def __exit__(self, *_: object) -> None:
        self.inner = _scope.get()
        _set(self.caller)


def _drive(generator: Generator[Any, Any, Any], swap: _Resumable) -> Generator[Any, Any, Any]:
    step: Callable[[], Any] = functools.partial(next, generator)
    while True:
        try:
            with swap:
                item = step()
        except StopIteration as stop:
            return stop.value
        try:
            received = yield item
        except GeneratorExit:
            with swap:
                generator.close()
            raise
        except BaseException as error:
            step = functools.partial(generator.throw, error)
        else:
            step = functools.partial(generator.send, received)


async def _adrive(generator: AsyncGenerator[Any, Any], swap: _Resumable) -> AsyncGenerator[Any, Any]:
    step: Callable[[], Any] = functools.partial(generator.asend, None)
    while True:
        try:
            with swap:
                item = await step()
        except StopAsyncIteration:
            return
        try:
            received = yield item
        except GeneratorExit:
            with swap:
                await generator.aclose()
            raise
        except BaseException as error:
            step = functools.partial(generator.athrow, error)
        else:
            step = functools.partial(generator.asend, received)


async def _finish(coroutine: Coroutine[Any, Any, Any], swap: _Resumable) -> Any:
    with swap:
        return await coroutine


def _run_in(func: F, make_scope: Callable[[], Scope]) -> F:
    """`func` so wrapped that its body runs in a scope of its own and its caller never does."""

    def generator(*args: Any, **kwargs: Any) -> Any:
        return _drive(func(*args, **kwargs), _Resumable(make_scope()))

    def async_generator(*args: Any, **kwargs: Any) -> Any:
        return _adrive(func(*args, **kwargs), _Resumable(make_scope()))

    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        with _Resumable(make_scope()):
            return await func(*args, **kwargs)

    def function(*args: Any, **kwargs: Any) -> Any:
        swap = _Resumable(make_scope())
        with swap:
            result = func(*args, **kwargs)
        # What is called like a function and is none: an object with `async def __call__`, a plain wrapper.
        return _finish(result, swap) if inspect.iscoroutine(result) else result

    wrapper: Callable[..., Any] = function
    if inspect.isasyncgenfunction(func):
        wrapper = async_generator
    elif inspect.isgeneratorfunction(func):
        wrapper = generator
    elif inspect.iscoroutinefunction(func):
        wrapper = coroutine
    return cast(F, functools.wraps(func)(wrapper))


class _ScopeContext:
    """Base of the public context managers: `with`, and decorator of functions, coroutine functions,
    generators and async generators. A decorated generator gives its caller back the caller's own
    tenant at each `yield`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._arguments = (args, kwargs)
        self._open: list[Scope] = []
        self._make_scope()  # refuses wrong arguments where they are written, not where they are used

    def _make_scope(self) -> Scope:
        args, kwargs = self._arguments
        return self._scope_for(*args, **kwargs)

    def _scope_for(self, *args: Any, **kwargs: Any) -> Scope:
        raise NotImplementedError

    def __enter__(self) -> Any:
        scope = self._make_scope()
        scope.outer = _scope.get()
        _set(scope)
        self._open.append(scope)
        return scope.tenant

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        scope = self._innermost()
        self._open.remove(scope)
        _leave(scope)

    def _innermost(self) -> Scope:
        """What was entered last here: other threads and tasks may have entered the same object, and what
        they entered is theirs to leave."""
        scope: Scope | None = _scope.get()
        while scope is not None:
            if scope in self._open:
                return scope
            scope = scope.outer
        raise TenantContextError()

    def __call__(self, func: F) -> F:
        return _run_in(func, self._make_scope)


class tenant_context(_ScopeContext):  # noqa: N801 - reads as a verb phrase, like django's `atomic`
    """Run as a tenant: `with tenant_context(acme): ...` or `@tenant_context(acme)`.

    `tenant_context(None)` runs with no tenant. Raises `TypeError` for anything that is not a saved
    tenant. Do not hold the `with` form open across a `yield` of a plain generator: the caller would
    run in the generator's tenant while it is suspended. Decorate the generator instead.

    `user` (a user or its key) and `roles` (names) say who acts, to policies of the database that ask for
    `tenantkit.user` and `tenantkit.roles`. Left out, they are those of the surrounding context: the user in
    any tenant, the roles in the same one only.
    """

    def __init__(self, tenant: TenantLike | None, user: Any = None, roles: Sequence[str] | None = None) -> None:
        super().__init__(tenant, user, roles)

    def _scope_for(self, tenant: TenantLike | None, user: Any, roles: Sequence[str] | None) -> Scope:
        scope = Scope(_checked(tenant))
        found_user, found_roles = _scope.get().actor()
        scope.user = found_user if user is None else getattr(user, "pk", user)
        if roles is not None:
            scope.roles = _checked_roles(roles)
        elif scope.user == found_user and scope.key == _scope.get().key:
            scope.roles = found_roles
        return scope


class unscoped(_ScopeContext):  # noqa: N801
    """Run over the rows of all tenants that share tables: `with unscoped(reason="monthly report"): ...`.

    Reads, updates and deletes see every tenant's rows; a new row must name its tenant. Each entry is
    logged to `django_tenantkit.security` with its reason, which must not be empty.

    Tenants with a schema or a database of their own are not reached. Where TENANTKIT_ISOLATIONS allows those, a
    statement on tenants' rows raises `TenantsElsewhere`, unless `rows_only=True` says that this is meant; all
    tenants are reached by `for_each_tenant()`.
    """

    def __init__(self, reason: str, *, rows_only: bool = False) -> None:
        super().__init__(reason, rows_only)

    def _scope_for(self, reason: str, rows_only: bool) -> Scope:
        if not isinstance(reason, str) or not reason.strip():
            raise TypeError('unscoped() needs a reason that a reader of the log understands: unscoped(reason="...")')
        scope = Scope(reason=reason, user=_scope.get().actor()[0])
        scope.rows_only = rows_only
        return scope

    def _make_scope(self) -> Scope:
        scope = super()._make_scope()
        if hasattr(self, "_entered"):
            security.info("unscoped: %s", scope.reason)
        self._entered = True
        return scope


class contained:  # noqa: N801
    """Give back on leaving the scope found on entering, whatever was left open inside, and log what
    was left. Middleware, tasks and commands run foreign code in it. `where` names it in the log."""

    __slots__ = ("found", "inside", "where")

    def __init__(self, where: str) -> None:
        self.where = where

    def __enter__(self) -> None:
        self.found = self.inside = _scope.get()

    def __exit__(self, *_: object) -> None:
        left = _scope.get()
        _set(self.found)
        if left is not self.inside:
            logger.error(
                "%s left %s behind; it was restored. Use `with tenant_context(...)` so that it is left "
                "where it is entered.",
                self.where,
                describe(left),
            )


class guarded_context(contained):  # noqa: N801
    """Run one request as a saved tenant whose data is out of reach until `guard()` returns, or as None.
    `contained`, as views are foreign code. For the middleware, where microseconds count."""

    __slots__ = ()

    def __init__(self, tenant: TenantLike | None, guard: Guard | None = None, where: str = "guarded_context") -> None:
        self.where = where
        self.inside = Scope(tenant, None, guard)

    def __enter__(self) -> None:
        self.found = self.inside.outer = _scope.get()
        _set(self.inside)

    def withdraw(self) -> None:
        """Go on with no tenant: the user may not act in it, and what runs now does not need one."""
        inside = self.inside
        inside.tenant = inside.key = inside.home = inside.guard = inside.sent = None
        for call in switched:
            call()


def carry_tenant(func: F) -> F:
    """`func` bound to the current scope, for threads and executors, which start with no tenant:
    `executor.submit(carry_tenant(work), 42)`."""
    scope = _scope.get()
    return _run_in(func, lambda: scope)


def describe(scope: Scope) -> str:
    """A scope in words, for messages and logs."""
    if scope.tenant is not None:
        return f"tenant {scope.tenant.slug}"
    return f"unscoped ({scope.reason})" if scope.reason else "no tenant"


def _checked_roles(roles: Sequence[str]) -> Sequence[str]:
    if isinstance(roles, str) or any("," in role for role in roles):
        raise TypeError(f"roles are a list of names without commas, got {roles!r}")
    return tuple(roles)


def _checked(tenant: TenantLike | None) -> TenantLike | None:
    if tenant is None:
        return None
    if not (hasattr(tenant, "uid") and hasattr(tenant, "slug")):
        raise TypeError(f"tenant_context() takes a tenant, got {tenant!r}. Fetch it: Tenant.objects.get(slug=...)")
    if tenant.pk is None:
        raise TypeError(f"tenant_context() takes a saved tenant; {tenant.slug!r} has no primary key yet")
    return tenant
