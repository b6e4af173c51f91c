"""Requests in which something goes wrong with the statement, the transaction or the connection."""

from __future__ import annotations

from contextlib import suppress

import psycopg
from django.db import DatabaseError, InterfaceError, connection, transaction

from tests.testapp.models import Customer

from .requests import CUSTOMERS, Request, execute, keys, operation

DIVIDE = f"SELECT 1 / 0 FROM ({CUSTOMERS} UNION ALL SELECT NULL) AS rows"


def sees_customers(request: Request) -> None:
    request.sees(lambda: keys(execute(CUSTOMERS)))


@operation
def error_of_the_server(request: Request) -> None:
    request.refuses("a division by zero", lambda: execute(DIVIDE), DatabaseError)
    sees_customers(request)


@operation
def error_in_a_transaction(request: Request) -> None:
    def act() -> None:
        with transaction.atomic(), request.inside(request.another()):
            sees_customers(request)
            execute(DIVIDE)

    request.refuses("a division by zero", act, DatabaseError)
    sees_customers(request)


@operation
def error_in_a_savepoint(request: Request) -> None:
    def act() -> None:
        with transaction.atomic(), request.inside(request.another()):
            execute(DIVIDE)

    with transaction.atomic():
        sees_customers(request)
        request.refuses("a division by zero", act, DatabaseError)
        sees_customers(request)


@operation
def error_of_the_syntax(request: Request) -> None:
    request.refuses("a syntax error", lambda: execute("SELEKT 1"), DatabaseError)
    request.refuses("an unknown column", lambda: execute(f"{CUSTOMERS} WHERE nothing = 1"), DatabaseError)
    sees_customers(request)


@operation
def statement_timeout(request: Request) -> None:
    def act() -> None:
        with transaction.atomic(), request.inside(request.another()):
            execute("SELECT set_config('statement_timeout', '2', true)")
            execute("SELECT pg_sleep(60)")

    request.refuses("a statement that takes long", act, DatabaseError)
    sees_customers(request)


@operation
def cancelled_in_a_savepoint(request: Request) -> None:
    """A savepoint survives a statement that was cancelled."""

    def act() -> None:
        with transaction.atomic(), request.inside(request.another()), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 2")
            cursor.execute(f"SELECT pg_sleep(60) FROM ({CUSTOMERS} UNION ALL SELECT NULL) AS rows")

    with transaction.atomic():
        sees_customers(request)
        request.refuses("a statement that takes long", act, DatabaseError)
        sees_customers(request)


@operation
def reconnect(request: Request) -> None:
    sees_customers(request)
    connection.close()
    with request.inside(request.another()):
        sees_customers(request)
    connection.close()
    sees_customers(request)


@operation
def ended_by_an_administrator(request: Request) -> None:
    _end(request)
    with suppress(DatabaseError, InterfaceError):
        execute(CUSTOMERS)
    connection.close()
    sees_customers(request)


@operation
def ended_in_a_transaction(request: Request) -> None:
    def act() -> None:
        with transaction.atomic(), request.inside(request.another()):
            sees_customers(request)
            _end(request)
            execute(CUSTOMERS)

    with suppress(DatabaseError, InterfaceError):
        act()
    connection.close()
    sees_customers(request)


@operation
def ended_while_fetching(request: Request) -> None:
    def act() -> None:
        with transaction.atomic():
            for number, _ in enumerate(Customer.objects.iterator(chunk_size=1)):
                if number == 1:
                    _end(request)

    if request.tenant:
        with suppress(DatabaseError, InterfaceError):
            act()
        connection.close()
    sees_customers(request)


def _end(request: Request) -> None:
    """End the server's process behind the connection, as its own role: for a pooler it is somebody else's a
    moment later."""
    pid, login = execute("SELECT pg_backend_pid(), session_user")[0]
    with psycopg.connect(request.arena.orders["direct"], user=login, autocommit=True) as direct:
        direct.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
