"""Who a connection logs in as: the application, the operator, or the system.

One `DatabaseWrapper` holds one physical connection for each login that was needed, and changes between
them where no transaction is open. The application's statements carry their context (`session.py`); the
system's carry none and run as the owner of the tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql import base
from django.db.backends.postgresql.psycopg_any import register_tzloader
from psycopg import adapters, errors
from psycopg.pq import Format

from ...caches import at_work_in
from ...conf import conf
from ...context import current_scope
from ...exceptions import TenantkitError
from ...isolation.entries import HOME_OF, SERVER_AT, SYSTEM_AT
from ...sql.homes import set_path
from ...sql.roles import roles_of
from .session import Session, session_cursor

if TYPE_CHECKING:
    _Wrapper = base.DatabaseWrapper
else:
    _Wrapper = object

APPLICATION, OPERATOR, SYSTEM = "application", "operator", "system"

TIMESTAMPTZ_OID = adapters.types["timestamptz"].oid

#: What a `DatabaseWrapper` keeps of one physical connection, beside its transaction.
_STATE = ("connection", "autocommit", "close_at", "health_check_enabled", "health_check_done", "errors_occurred")


class LoginsMixin(_Wrapper):
    """Mixin for `DatabaseWrapper` of any PostgreSQL backend."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.login = SYSTEM if self.alias == NO_DB_ALIAS else APPLICATION
        self._as_system = 1 if self.login == SYSTEM else 0
        self._others: dict[str, dict[str, Any]] = {}
        #: The schema tenant's home that the system works in, or "" for the main tables.
        self.migrating = ""
        #: Where the system's statements look for tables; () is what the server says.
        self.path: tuple[str, ...] = ()

    @contextmanager
    def as_system(self) -> Iterator[None]:
        """Log in as TENANTKIT_SYSTEM_DATABASE says and act as the owner of the tables: all rows, all rights,
        no tenant's context. Raises `TenantkitError` inside a transaction of another login."""
        self._as_system += 1
        try:
            self._change_login()
            yield
        finally:
            self._as_system -= 1
            if not self._as_system and self.login == SYSTEM:
                super().close()
                self._switch(APPLICATION)

    @contextmanager
    def in_home(self, schema: str) -> Iterator[None]:
        """The system's login at work in a tenant's schema: what is made is made there, and names of tables are
        looked for there first. Inside `as_system()`, and outside of transactions."""
        with self.as_system(), at_work_in(schema, self.alias if HOME_OF in self.settings_dict else ""):
            self.migrating = schema
            self._set_path(schema, "public")
            try:
                yield
            finally:
                self.migrating = ""
                if self.connection is not None:
                    self._set_path(*self._usual_path())

    def _set_path(self, *schemas: str) -> None:
        self.path = schemas
        with self.cursor() as cursor:
            cursor.execute(set_path(*schemas) if schemas else "RESET search_path")

    def _usual_path(self) -> tuple[str, ...]:
        return (conf.ROW_SCHEMA, "public") if conf.ROW_SCHEMA else ()

    def ensure_connection(self) -> None:
        """Connect, as whoever the current context asks for."""
        if self.login != APPLICATION or self._as_system or current_scope().reason is not None:
            self._change_login()
        super().ensure_connection()

    def _change_login(self) -> None:
        wanted = self._wanted()
        if wanted == self.login:
            return
        # Django says that the block is over before it commits: until then nobody logs in as somebody else.
        if self.in_atomic_block or (self.connection is not None and not self.autocommit):
            if (self.login, wanted) == (OPERATOR, APPLICATION):
                return  # its login is a member of the application's role too, and the prefix names that
            raise TenantkitError(
                f"This needs the {wanted}'s login, and the transaction that is open belongs to the {self.login}'s. "
                "Do it outside of atomic()."
                + (
                    " Or set TENANTKIT_WEB_MAY_OPERATE, with which one login does both."
                    if OPERATOR in (wanted, self.login)
                    else ""
                )
            )
        self._switch(wanted)

    def _wanted(self) -> str:
        if self._as_system:
            return SYSTEM
        if current_scope().reason is None or conf.WEB_MAY_OPERATE or not _operators_login():
            return APPLICATION
        return OPERATOR

    def _switch(self, login: str) -> None:
        """Put this login's connection aside and take up the other's, or none yet."""
        self._others[self.login] = {name: getattr(self, name) for name in _STATE}
        found = self._others.pop(login, None) or {**self._others[self.login], "connection": None}
        for name, value in found.items():
            setattr(self, name, value)
        self.login = login

    def close_if_unusable_or_obsolete(self) -> None:
        """Django's own, at the end of a request; also for a connection that saw many schemas: its backend holds
        the tables of each in memory (0.3 MiB for fifteen tables)."""
        if not self.in_atomic_block and len(_visited(self.connection)) > conf.SCHEMAS_PER_CONNECTION:
            self.connection.close()  # not given back to a pool
            self.close()
        super().close_if_unusable_or_obsolete()

    def close(self) -> None:
        """Close every login's connection."""
        super().close()
        if not self.in_atomic_block:
            for state in self._others.values():
                if (connection := state["connection"]) is not None:
                    state["connection"] = None
                    self._give_back(connection)

    @staticmethod
    def _give_back(connection: Any) -> None:
        pool = getattr(connection, "_pool", None)
        if pool is None:
            connection.close()
        else:
            pool.putconn(connection)

    @property
    def pool(self) -> Any:
        """The pool of the application's connections; the others are rare and have none."""
        return super().pool if self.login == APPLICATION else None

    def get_connection_params(self) -> dict[str, Any]:
        """Django's own, for the login in hand, with cursors that send the context."""
        found = self.settings_dict
        differing = {SYSTEM: conf.SYSTEM_DATABASE, OPERATOR: _operators_login()}.get(self.login) or {}
        at = found.get(SYSTEM_AT if self.login == SYSTEM else SERVER_AT, {})
        self.settings_dict = {**found, **differing, **at, "NAME": found["NAME"]}
        try:
            params = super().get_connection_params()
        finally:
            self.settings_dict = found
        if self.login != SYSTEM:
            params["cursor_factory"] = session_cursor(
                params["cursor_factory"],
                Session(roles_of(found), conf.ROW_SCHEMA or "", self.alias if HOME_OF in found else ""),
            )
        return params

    def _configure_role(self, connection: Any) -> bool:
        """The system acts as the owner, so that what it makes belongs to the owner."""
        if self.login != SYSTEM or self.alias == NO_DB_ALIAS:
            return bool(super()._configure_role(connection))  # type: ignore[misc]
        owner = roles_of(self.settings_dict).owner
        self.path = (self.migrating, "public") if self.migrating else self._usual_path()
        with connection.cursor() as cursor:
            try:
                cursor.execute(self.ops.compose_sql("SET ROLE %s", [owner]))
            except (errors.InsufficientPrivilege, errors.InvalidParameterValue) as error:
                where = "TENANTKIT_SYSTEM_DATABASE" + ("" if conf.SYSTEM_DATABASE else ", which is not set,")
                raise TenantkitError(
                    f"This needs the system's login, which acts as {owner}. By {where} it is {connection.info.user}, "
                    "which may not. `manage.py setup_roles --passwords` makes one and prints the line for the settings."
                ) from error
            if self.path:
                cursor.execute(set_path(*self.path))
        return True

    def create_cursor(self, name: str | None = None) -> Any:
        """A cursor. Server-side ones send their context with each FETCH. Whether the user of a request may act
        is decided here at the latest: psycopg sends no second statement in the middle of one."""
        scope = current_scope()
        if scope.guard is not None:
            scope.guard.settle()
        if scope.home is not None:
            _visited(self.connection).add(scope.home.schema)
        if self.login == SYSTEM:
            return super().create_cursor(name)
        session = self.connection.cursor_factory.session
        if session.asking:
            raise TenantkitError(
                "A function of TENANTKIT_SESSION_VARIABLES asked the database, in the middle of a statement. Let it "
                "return what is in memory: set a ContextVar where the request begins, and return its value."
            )
        if name is None:
            return super().create_cursor(name)
        bound_by_server = self.settings_dict["OPTIONS"].get("server_side_binding") is True
        kind: Any = self.connection.server_cursor_factory if bound_by_server else base.ServerSideCursor
        cursor_class = session_cursor(kind, session)
        cursor = cursor_class(self.connection, name=name, scrollable=False, withhold=self.connection.autocommit)
        # As Django does for the cursors that it makes.
        loader: Any = self.connection.adapters.get_loader(TIMESTAMPTZ_OID, Format.TEXT)
        if self.timezone != loader.timezone:
            register_tzloader(self.timezone, cursor)
        return cursor


def _visited(connection: Any) -> set[str]:
    """The tenants' schemas that a physical connection was in."""
    found: set[str] = vars(connection).setdefault("tenantkit_visited", set()) if connection is not None else set()
    return found


def _operators_login() -> dict[str, Any] | None:
    """The system's login may act as the operator too: commands have it, and need no third one."""
    return conf.OPERATOR_DATABASE or conf.SYSTEM_DATABASE
