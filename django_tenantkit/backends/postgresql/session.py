"""The session protocol: every statement is sent in one message with its context in front.

    SELECT set_config('tenantkit.tenant', '7', true), ..., set_config('role', 'saas_app', true); SELECT ...

A message of several statements is one transaction, so what is set there ends with it: nothing stays on
the connection, and nothing has to be undone. Where a message cannot hold two statements (parameters bound
by the server, many sets of parameters, COPY) the context goes ahead in the same pipeline or transaction.

Every private name of psycopg that is used stands here, and in `tests/test_django_internals.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import psycopg
from django.utils.module_loading import import_string
from psycopg import generators, pq, sql
from psycopg.client_cursor import ClientCursorMixin

from ...conf import Settings, made_of
from ...context import Scope, current_scope, describe
from ...exceptions import CrossTenantReference
from ...sql.homes import quoted
from ...sql.roles import Roles
from ...sql.session import HOME, SIGNATURE, context, search_path, set_local
from ...sql.signature import secrets_of, sign
from .errors import across_databases, not_at_home, without_prefix

if TYPE_CHECKING:
    _Cursor = psycopg.Cursor[Any]
    _ServerCursor = psycopg.ServerCursor[Any]
else:
    _Cursor = _ServerCursor = object

#: What is no question about rows, and could not be asked in a transaction that has failed or not begun.
_TRANSACTION = (b"SAVEPOINT ", b"RELEASE ", b"ROLLBACK", b"COMMIT", b"SET TRANSACTION ")


#: What nearly every statement begins with: Django's do.
_QUESTIONS = frozenset((b"SELECT ", b"INSERT ", b"UPDATE ", b"DELETE "))

#: The key and the roles of a user.
Actor = tuple[Any, Sequence[str]]
_NOBODY: Actor = (None, ())

#: What the context is signed with, if at all.
Secret = str | list[str] | None


class Session:
    """What the statements of one connection say of their context. Made when it is opened, with the roles and
    the schema of row tenants that the settings name then; `database` is its alias if it is not the main one."""

    def __init__(self, roles: Roles, row_schema: str = "", database: str = "") -> None:
        self.roles = roles
        self.row_schema = row_schema
        self.database = database
        #: Whether the adopter's functions are being asked, in the middle of sending a statement.
        self.asking = False

    def prefix(self) -> bytes:
        """The statement that goes in front, for the current scope. Raises `CrossTenantReference` where a tenant would
        ask the database of another one."""
        scope = current_scope()
        if self.database and scope.key is not None and (scope.home is None or scope.home.database != self.database):
            raise CrossTenantReference(
                f"This asks {self.database}, the database of another tenant than the current one, {describe(scope)}: "
                "what an object from there refers to, for example. Enter its tenant with `tenant_context(...)`."
            )
        secret, variables = _riding_along()
        acts = scope.guard is None or scope.guard.is_settled()
        known = (self, secret, acts, scope.actor() if acts else _NOBODY)
        if scope.sent is not None and scope.sent[0] == known and not variables:
            prefix: bytes = scope.sent[1]
            return prefix
        pairs = self._pairs(scope, acts, known[3], secret)
        if variables:
            self.asking = True
            try:
                pairs += [(name, _value(path)) for name, path in variables.items()]
            finally:
                self.asking = False
        schema = "" if not self.row_schema or self.is_elsewhere(scope) else quoted(self._schema(scope))
        if self.row_schema:
            pairs.append(search_path(schema))
        prefix = set_local(pairs, schema).encode()
        scope.sent = (known, prefix)
        return prefix

    def is_elsewhere(self, scope: Scope) -> bool:
        """Whether the scope's tenant has its tables in another database, and has none here: neither its own nor those
        of row tenants, in which its rows would be missing without a word."""
        return scope.home is not None and bool(scope.home.database != self.database)

    def _schema(self, scope: Scope) -> str:
        """Where the scope's tables are: no tenant and unscoped code have those of row tenants."""
        home = scope.home
        return home.schema if home is not None and home.schema else self.row_schema

    def _home(self, scope: Scope) -> str:
        """What tables without a tenant's column ask for: row tenants, who would share them, have none; nor has
        whoever lives in another database."""
        home = scope.home
        shares = scope.key is not None and (home is None or home.shared or self.is_elsewhere(scope))
        return "" if shares or not self.row_schema else self._schema(scope)

    def _pairs(self, scope: Scope, acts: bool, actor: Actor, secret: Secret) -> list[tuple[str, str]]:
        """A request whose user was not decided on yet acts for no tenant: its data is out of reach."""
        role = self.roles.application if scope.reason is None else self.roles.operator
        pairs = context(scope.key if acts else None, *actor, role)
        if self.row_schema or secret:
            pairs.append((HOME, self._home(scope)))
        if secret:
            pairs.append((SIGNATURE, sign(secrets_of(secret)[0], pairs)))
        return pairs


@made_of(Settings.SIGNED_CONTEXT, Settings.SESSION_VARIABLES)
def _riding_along(secret: Secret, variables: dict[str, str]) -> tuple[Secret, dict[str, str]]:
    """What is sent beside the context."""
    return secret, variables


def _value(path: str) -> str:
    function: Callable[[], object] = import_string(path)
    value = function()
    return "" if value is None else str(value)


class SessionCursor(_Cursor):
    """Mixin for cursors of psycopg that bind parameters themselves, as Django's do unless told otherwise.
    `session` is the connection's."""

    session: ClassVar[Session]
    #: The prefix that the statement in hand was sent with.
    _ahead = b""
    #: Whether the context was sent before the statement, and not in its message.
    _told = False

    def executemany(self, query: Any, params_seq: Iterable[Any], *, returning: bool = False) -> Any:
        """Run one statement for many sets of parameters in the current context."""
        with self._naming_home(), self._conn.pipeline(), self._tell():
            return super().executemany(query, params_seq, returning=returning)

    def stream(self, query: Any, params: Any = None, **kwargs: Any) -> Iterator[Any]:
        """Rows as they arrive; the statement runs in the context that is current at the first one."""
        with self._naming_home(), self._transaction(), self._tell():
            yield from super().stream(query, params, **kwargs)

    @contextmanager
    def copy(self, statement: Any, params: Any = None, **kwargs: Any) -> Iterator[Any]:
        """COPY in or out in the context that is current when it starts."""
        with self._naming_home(), self._transaction(), self._tell(), super().copy(statement, params, **kwargs) as copy:
            yield copy

    @contextmanager
    def _tell(self) -> Iterator[None]:
        """Send the context by itself, into the pipeline or the transaction that is open."""
        psycopg.ClientCursor(self._conn).execute(self._prefix())
        self._told = True
        try:
            yield
        finally:
            self._told = False

    @contextmanager
    def _naming_home(self) -> Iterator[None]:
        """That a tenant's schema is missing or fenced, or a table in another database, is told in our words, also
        where the context goes ahead."""
        try:
            yield
        except psycopg.Error as error:
            told = not_at_home(error, current_scope()) or across_databases(error, self._elsewhere())
            if told is not None:
                raise told from error
            raise

    def _elsewhere(self) -> Scope | None:
        """The scope in force, if its tenant has its tables in another database."""
        scope = current_scope()
        return scope if self.session.row_schema and self.session.is_elsewhere(scope) else None

    def _transaction(self) -> AbstractContextManager[Any]:
        """One for the context and the statement behind it, where none is open."""
        idle = self._pgconn.transaction_status == pq.TransactionStatus.IDLE
        return self._conn.transaction() if idle and self._conn.autocommit else nullcontext()

    def _prefix(self) -> bytes:
        return self.session.prefix()

    def _execute_send(self, query: Any, *, force_extended: bool = False, binary: bool | None = None) -> None:
        """Where psycopg sends. The query object gets its own text back: logs read it."""
        self._ahead = b""
        statement = query.query
        if self._told or (statement[:7] not in _QUESTIONS and _needs_no_context(statement)):
            super()._execute_send(query, force_extended=force_extended, binary=binary)
        elif (pipeline := self._conn._pipeline) is not None:
            pipeline.command_queue.append(partial(self._pgconn.send_query_params, self._prefix(), None))
            pipeline.result_queue.append(None)
            super()._execute_send(query, binary=binary)
        else:
            self._ahead = self._prefix()
            query.query = self._ahead + statement
            try:
                super()._execute_send(query, binary=binary)
            finally:
                query.query = statement

    def _set_results(self, results: Any) -> None:
        """Where psycopg keeps the results: that of the prefix is nobody's business."""
        super()._set_results(results[1:] if self._ahead else results)

    def _raise_for_result(self, result: Any) -> Any:
        """Where psycopg turns a result into an error. Inside a pipeline into one of its own, or it would leave the
        results behind it unread: whoever opened it tells it in our words."""
        with self._naming_home() if self._conn._pipeline is None else nullcontext():
            try:
                super()._raise_for_result(result)
            except psycopg.Error as error:
                statement = self._query.query if self._query is not None else b""
                told = without_prefix(error, self._ahead, statement, self.session.roles, self._elsewhere())
                raise told from None


class ServerBoundSessionCursor(SessionCursor):
    """Mixin for cursors whose parameters the server binds: a message with parameters holds one statement, so
    the context goes ahead in the same pipeline."""

    def execute(self, query: Any, params: Any = None, *, binary: bool | None = None, **kwargs: Any) -> Any:
        """Run one statement in the current context."""
        if not params and not binary:
            return super().execute(query, params, prepare=False)
        with self._naming_home(), self._conn.pipeline(), self._tell():
            return super().execute(query, params, binary=binary, **kwargs)


class NamedSessionCursor(SessionCursor, _ServerCursor):
    """Mixin for server-side cursors: their rows are made when they are fetched, so the context in which
    one was declared is set for each FETCH too."""

    _declared = b""

    def execute(self, query: Any, params: Any = None, **kwargs: Any) -> Any:
        """Declare the cursor in the current context."""
        self._declared = self.session.prefix()
        if isinstance(self, ClientCursorMixin):
            return super().execute(query, params, **kwargs)
        with self._naming_home(), self._transaction(), self._tell():
            return super().execute(query, params, **kwargs)

    def scroll(self, value: int, mode: str = "relative") -> None:
        """Move in the rows, in the context in which they were declared."""
        psycopg.ClientCursor(self._conn).execute(self._declared)
        super().scroll(value, mode)

    def _prefix(self) -> bytes:
        return self._declared

    def _fetch_gen(self, num: int | None) -> Generator[Any, Any, list[Any]]:
        """Where psycopg fetches: its own, with the prefix. Text results only: binary ones need a message of
        the extended protocol, which holds one statement, so their context goes ahead."""
        if self.closed or not self._described or not self._declared:
            return (yield from super()._fetch_gen(num))
        if self._format != pq.Format.TEXT:
            yield from self._conn._exec_command(self._declared)
            return (yield from super()._fetch_gen(num))
        fetch = sql.SQL("FETCH FORWARD {} FROM {}").format(
            sql.SQL("ALL") if num is None else sql.Literal(num), sql.Identifier(self._name)
        )
        self._pgconn.send_query(self._declared + fetch.as_bytes(self._conn))
        results = yield from generators.execute(self._pgconn)
        self._check_results(results)
        result = self.pgresult = results[-1]
        self._tx.set_pgresult(result, set_loaders=False)
        return self._tx.load_rows(0, result.ntuples, self._make_row)


def session_cursor(kind: type[Any], session: Session) -> type[Any]:
    """`kind`, a class of psycopg's cursors, with the session protocol."""
    if issubclass(kind, psycopg.ServerCursor):
        mixin: type[Any] = NamedSessionCursor
    else:
        mixin = SessionCursor if issubclass(kind, ClientCursorMixin) else ServerBoundSessionCursor
    return type(kind.__name__, (mixin, kind), {"session": session})


def _needs_no_context(statement: bytes) -> bool:
    """Whether `statement` only ends, divides or describes a transaction, or is none at all."""
    head = statement[:16].upper()
    return (head.startswith(_TRANSACTION) and b";" not in statement) or not statement.strip()
