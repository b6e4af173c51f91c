"""One request: in which scope it runs, what it may see there, and what it saw."""

from __future__ import annotations

import random
import re
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import psycopg
from django.db import DatabaseError, InterfaceError, connection
from django.db.transaction import TransactionManagementError

from django_tenantkit.context import tenant_context, unscoped
from django_tenantkit.exceptions import NoCurrentTenant
from tests.databases import ISOLATION

#: The scopes that are no tenant. A tenant's is its key, as text.
NOBODY, EVERYBODY = "nobody", "everybody"

CUSTOMERS = "SELECT id FROM testapp_customer"

#: What has to be empty on a connection that nobody uses.
LEFT = """SELECT current_setting('tenantkit.tenant', true), current_setting('tenantkit.user', true),
          current_setting('tenantkit.roles', true), current_setting('tenantkit.signature', true),
          current_setting('fire.scope', true), nullif(current_user, session_user),
          current_setting('tenantkit.home', true), nullif(current_setting('search_path'), '"$user", public')"""

#: The scope in hand, which a variable of the session carries where the settings name it.
IN_HAND = ContextVar("fire_scope", default="")
VARIABLES = {"fire.scope": "tests.fire.requests.scope_in_hand"}

#: What a request may do: see `operation`.
OPERATIONS: list[Callable[[Request], None]] = []

#: What psycopg says when a connection is gone. Django may have opened another by then.
LOST = re.compile(".*(server closed the connection|due to administrator command)|the connection is (closed|lost)")

#: What PgBouncer says when the server's process has ended; and what psycopg says when it hears that and the
#: server's own words in answer to one command. A savepoint that was lost with it breaks the transaction around it.
POOLER_LOST = re.compile("server conn|received 2 results from command")

#: Where operators have a login of their own, a transaction or a cursor of theirs cannot go on in a tenant.
OTHER_LOGIN = re.compile("belongs to the operator's|permission denied to set role")

#: Another request may have ended the server process that a pooler lends to several.
PATIENCE = 10


class Undo(Exception):
    """Raised by a request to leave a transaction or a cursor half-way."""


class LostConnection(Exception):
    """Raised instead of an error that only tells that the connection was lost meanwhile."""


class Arena:
    """What all requests of a process share: what there is to see, and what was seen."""

    def __init__(self, orders: dict[str, Any], tenants: dict[str, Any]) -> None:
        self.orders = orders
        self.tenants = tenants
        self.customers: dict[str, list[str]] = orders["customers"]
        self.invoices: dict[str, int] = orders["invoices"]
        self.products: dict[str, int] = orders["products"]
        self.pooled_by_transaction: bool = orders["pooled_by_transaction"]
        self.operations: Counter[str] = Counter()
        self.answers = 0
        self.disturbed = 0
        self.wrong: list[str] = []
        self.left: list[str] = []
        self.faults: list[str] = []
        self.written: list[str] = []
        self.perhaps_written: list[str] = []
        self._lock = threading.Lock()

    def record(self, request: Request) -> None:
        """Add up what a request saw."""
        with self._lock:
            self.operations[request.operation] += 1
            self.answers += request.answers
            self.disturbed += request.disturbed
            for name in ("wrong", "left", "faults", "written", "perhaps_written"):
                getattr(self, name).extend(getattr(request, name))

    def result(self) -> dict[str, Any]:
        """What the process reports."""
        names = ("answers", "disturbed", "wrong", "left", "faults", "written", "perhaps_written")
        return {"operations": dict(self.operations), **{name: getattr(self, name) for name in names}}


class Request:
    """What one request does is a function of it: see `perform()`."""

    def __init__(self, arena: Arena, rng: random.Random, name: str) -> None:
        self.arena = arena
        self.rng = rng
        self.name = name
        self.operation = ""
        self.answers = self.disturbed = self.writes = 0
        self.wrong: list[str] = []
        self.left: list[str] = []
        self.faults: list[str] = []
        self.written: list[str] = []
        self.perhaps_written: list[str] = []
        self.scope = NOBODY
        self.home = rng.choice([*self.tenants * 2, NOBODY, EVERYBODY])

    @property
    def tenants(self) -> list[str]:
        return list(self.arena.tenants)

    @property
    def tenant(self) -> Any:
        """The current tenant, or None."""
        return self.arena.tenants.get(self.scope)

    def another(self) -> str:
        """The scope of a tenant that is not the current one."""
        return self.rng.choice([key for key in self.tenants if key != self.scope])

    @contextmanager
    def inside(self, scope: str) -> Iterator[None]:
        """Run in a scope, and know it."""
        found, self.scope = self.scope, scope
        try:
            with self.context(scope):
                yield
        finally:
            self.scope = found

    @contextmanager
    def context(self, scope: str) -> Iterator[None]:
        """What enters a scope."""
        token = IN_HAND.set(scope)
        try:
            everybody = unscoped("the hammer", rows_only=ISOLATION != "row")
            with everybody if scope == EVERYBODY else tenant_context(self.arena.tenants.get(scope)):
                yield
        finally:
            IN_HAND.reset(token)

    def expect(self, what: str, got: Any, expected: Any) -> None:
        """Check one answer."""
        self.answers += 1
        if got != expected:
            self.wrong.append(
                f"{self.name} {self.operation}: {what} in {self.scope}: {_short(got)}, not {_short(expected)}"
            )

    def sees(self, ask: Callable[[], Iterable[Any]], what: str = "customers", scope: str | None = None) -> None:
        """Check that `ask()` gives the keys of exactly the customers of this scope."""
        seen = self.answer(lambda: sorted(str(key) for key in ask()), [])
        self.expect(what, seen, self.arena.customers[scope or self.scope])

    def counts(self, ask: Callable[[], int], expected: int, what: str = "count") -> None:
        """Check a number, which is 0 for nobody."""
        self.expect(what, self.answer(ask, 0), expected)

    def answer(self, ask: Callable[[], Any], refused: Any) -> Any:
        """What `ask()` gives. For nobody a refusal is as good as nothing."""
        try:
            return ask()
        except NoCurrentTenant:
            if self.scope != NOBODY:
                raise
            return refused

    def refuses(self, what: str, act: Callable[[], Any], *errors: type[Exception]) -> None:
        """Check that something raises one of these errors."""
        try:
            act()
        except errors as error:
            if self.lost(error):
                raise LostConnection from error
            self.expect(what, "refused", "refused")
        else:
            self.expect(what, "done", "refused")

    def clean(self) -> None:
        """Check that nothing is left on the connection, asked behind our backend's back."""
        with psycopg.ClientCursor(raw()) as cursor:
            found = cursor.execute(LEFT).fetchone()
        self.answers += 1
        if any(found or ()):
            self.left.append(f"{self.name} {self.operation}: {found}")

    def lost(self, error: BaseException | None) -> bool:
        """Whether an error says that the connection is gone, to the server or behind the pooler."""
        while error is not None:
            if isinstance(error, LostConnection) or LOST.match(str(error)):
                return True
            pooler = isinstance(error, TransactionManagementError) or POOLER_LOST.match(str(error))
            if pooler and self.arena.pooled_by_transaction:
                return True
            known = isinstance(error, DatabaseError | InterfaceError | psycopg.Error)
            if known and (connection.connection is None or connection.connection.closed):
                return True
            error = error.__cause__ or error.__context__
        return False

    def failed(self, error: Exception) -> bool:
        """What to do about an error: whether to try again."""
        lost = self.lost(error)
        connection.close()
        if lost and self.disturbed < PATIENCE:
            self.disturbed += 1
            return True
        if self.home == EVERYBODY and "operators_apart" in self.arena.orders and OTHER_LOGIN.search(str(error)):
            self.expect("a transaction or a cursor used by two logins", "refused", "refused")
        else:
            trace = "".join(traceback.format_exception(error))
            self.faults.append(f"{self.name} {self.operation} in {self.home}: {trace}")
        return False

    def label(self) -> str:
        """A new name for a row of the current tenant, which tells whose it is."""
        self.writes += 1
        return f"{self.scope}/{self.name}/{self.writes}"


def scope_in_hand() -> str:
    """What TENANTKIT_SESSION_VARIABLES calls."""
    return IN_HAND.get()


def operation(function: Callable[[Request], None]) -> Callable[[Request], None]:
    """A thing that a request may do."""
    OPERATIONS.append(function)
    return function


def perform(request: Request, function: Callable[[Request], None]) -> None:
    """Run the operation, again if somebody ended the server's process under it, and record it."""
    request.operation = function.__name__
    again = True
    while again:
        try:
            with request.inside(request.home):
                function(request)
                request.clean()
            again = False
        except Exception as error:
            again = request.failed(error)
    connection.close_if_unusable_or_obsolete()
    request.arena.record(request)


def raw() -> psycopg.Connection[Any]:
    """The connection of psycopg."""
    connection.ensure_connection()
    found: psycopg.Connection[Any] = connection.connection
    return found


def execute(sql: str, params: Any = None) -> list[Any]:
    """The rows of a statement, sent by Django's cursor."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def keys(rows: Iterable[Any]) -> list[Any]:
    """The first column."""
    return [row[0] for row in rows]


def _short(value: Any) -> str:
    if isinstance(value, list):
        return f"{len(value)} {value[:2]}"
    return repr(value)
