"""Connections where tenants have databases: what `connections["default"]` is, and what those of tenants are."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import psycopg
from django.db import connections
from psycopg import errors

from ...context import current_scope
from ...exceptions import HomeMissing, TenantkitError, TenantUnavailable
from ...isolation.copying import forget_known
from ...isolation.entries import HOME_OF, MAIN, SHARED, allows_databases
from ...sql.homes import PLACE_OF
from .budget import budget
from .logins import SYSTEM, LoginsMixin
from .together import Group, TogetherMixin

if TYPE_CHECKING:

    class _Wrapper(TogetherMixin, LoginsMixin):
        pass
else:
    _Wrapper = object


#: Which database each alias led to last, by oid: what is known to be copied there is not in another one.
_seen: dict[str, int] = {}


class MainConnection:
    """`connections["default"]`: the main database's connection, or inside a tenant that has a database the tenant's.
    So `transaction.atomic()`, `on_commit`, ATOMIC_REQUESTS and `django.db.connection` mean the tenant's.

    It forwards all that is asked of it and set on it. Closing it closes the thread's idle connections to tenants'
    databases too: Django closes what DATABASES lists, and they are not in that list.
    """

    __slots__ = ("__weakref__", "main")

    main: Any

    def __init__(self, main: Any) -> None:
        object.__setattr__(self, "main", main)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """For `isinstance`."""
        return type(self.main)

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        """For what replaces attributes and puts them back, as `unittest.mock` does."""
        return vars(self._meant())

    @property
    def run_on_commit(self) -> list[Any]:
        """The callbacks that wait, where what was opened first has them."""
        callbacks: list[Any] = self.main.group.outermost(self._meant()).run_on_commit
        return callbacks

    def __copy__(self) -> Any:
        return copy(self._meant())

    def _meant(self) -> Any:
        home = current_scope().home
        return connections[home.database] if home is not None and home.database else self.main

    def __getattr__(self, name: str) -> Any:
        return getattr(self._meant(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._meant(), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._meant(), name)

    def close(self) -> None:
        """Close what is meant, and outside of such tenants all that are idle."""
        meant = self._meant()
        meant.close()
        if meant is self.main and self.main.is_idle():
            for home in self._idle_homes():
                home.close()
            self._forget_closed()

    def close_if_unusable_or_obsolete(self) -> None:
        """At the beginning and the end of a request, of all of them."""
        self.main.close_if_unusable_or_obsolete()
        for home in self._idle_homes():
            home.close_if_unusable_or_obsolete()
            if budget.is_short():
                home.close()
        self._forget_closed()

    def _idle_homes(self) -> list[Any]:
        return [home for home in self.main.group.homes.values() if home.is_idle()]

    def _forget_closed(self) -> None:
        """A process that has seen a thousand tenants does not keep a thousand objects for each thread."""
        for alias, home in list(self.main.group.homes.items()):
            if home.connection is None and home.is_idle():
                del self.main.group.homes[alias]
                if hasattr(connections._connections, alias):  # type: ignore[attr-defined]
                    del connections[alias]


def _main() -> Any:
    """This thread's connection to the main database, whatever the scope."""
    found: Any = connections[MAIN]
    return found.main if type(found) is MainConnection else found


class HomesMixin(_Wrapper):
    """Mixin for `DatabaseWrapper` of any PostgreSQL backend."""

    def __new__(cls, settings_dict: dict[str, Any] | None = None, alias: str = MAIN) -> Any:
        """The main one comes wrapped where tenants have databases, and under two names: see `MainConnection`."""
        if settings_dict is None:  # copy.copy()
            return super().__new__(cls)
        if alias == SHARED:
            return _main()
        wrapper: Any = super().__new__(cls)
        if alias == MAIN and allows_databases():
            wrapper.__init__(settings_dict, alias)
            wrapper.group = Group()
            return MainConnection(wrapper)
        if HOME_OF in settings_dict:
            wrapper.group = _main().group
            if wrapper.group is None:
                raise TenantkitError(
                    f"The connection to DATABASES[{MAIN!r}] was made before TENANTKIT_ISOLATIONS or TENANTKIT_SERVERS "
                    "allowed databases of tenants. Set them before Django starts."
                )
            wrapper.group.homes[alias] = wrapper
        return wrapper

    def __init__(self, settings_dict: dict[str, Any], alias: str = MAIN) -> None:
        if alias != SHARED:  # Python calls this for the main one too, when it is asked for by its other name
            super().__init__(settings_dict, alias)

    def ensure_connection(self) -> None:
        """Connect. A tenant's database may have been taken away since it was used, and be another one by now."""
        connection = self.connection
        if connection is not None and HOME_OF in self.settings_dict and connection.closed and self.is_idle():
            self.close()
        super().ensure_connection()

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect. Where a tenant's database is not to be had, the error names the tenant, and so it does where the
        database is another tenant's: restored in the wrong place, for example."""
        uid = self.settings_dict.get(HOME_OF)
        if uid is None or self.login == SYSTEM:
            return super().get_new_connection(conn_params)
        try:
            with budget.room(self):
                connection = super().get_new_connection(conn_params)
        except psycopg.OperationalError as error:
            raise self._unreachable(error) from error
        self._check_place(connection, uid)
        budget.count(connection)
        return connection

    def _close(self) -> None:
        super()._close()  # type: ignore[misc]
        if HOME_OF in self.settings_dict:
            budget.closed()

    def _check_place(self, connection: Any, uid: str) -> None:
        try:
            found = connection.execute(PLACE_OF).fetchone()
        except (errors.UndefinedTable, errors.InvalidSchemaName, errors.UndefinedObject, errors.InsufficientPrivilege):
            found = None
        finally:
            if not connection.autocommit:
                connection.rollback()
        if found is not None and found[0] == uid:
            if _seen.setdefault(self.alias, found[1]) != found[1]:
                _seen[self.alias] = found[1]
                forget_known(lambda known: known[0] == self.alias)
        else:
            connection.close()
            raise HomeMissing(
                f"The database {self.settings_dict['NAME']} is not that of {self._whose()}: "
                + ("it is not finished." if found is None else f"it was made for the place {found[0]}.")
                + " Nothing was read or written. Restore the right one; `list_tenants` shows where tenants should be."
            )

    def _whose(self) -> str:
        tenant = current_scope().tenant
        return f"the place {self.settings_dict[HOME_OF]}" if tenant is None else f"the tenant {tenant.slug!r}"

    def _unreachable(self, error: psycopg.OperationalError) -> TenantUnavailable:
        name, text = self.settings_dict["NAME"], " ".join(str(error).split())
        if f'"{name}" does not exist' in text:
            return HomeMissing(
                f"The database {name} of {self._whose()} is not there, so nothing was read or written. Restore it from "
                "a backup; `list_tenants` shows where tenants should be."
            )
        return TenantUnavailable(f"The database {name} of {self._whose()} cannot be reached: {text}")
