"""Requests that write: rows that tell whose they are, statements that name no tenant, and writes that must fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from django.db import DatabaseError, IntegrityError, connection, transaction

from django_tenantkit.exceptions import TenantkitError
from tests.testapp.models import Product, Tag

from .requests import EVERYBODY, NOBODY, Request, Undo, execute, keys, operation

INSERT = "INSERT INTO testapp_tag (tenant_id, label) VALUES (%s, %s)"
OWNERS = "SELECT tenant_id FROM testapp_tag WHERE label = ANY(%s)"


def writes(request: Request, number: int, act: Callable[[list[str]], Any]) -> None:
    """Let `act(labels)` write that many rows: in a tenant they are its rows, for nobody it fails."""
    if request.scope == EVERYBODY:
        with request.inside(request.another()):
            writes(request, number, act)
        return
    labels = [request.label() for _ in range(number)]
    if request.scope == NOBODY:
        request.refuses("a row of nobody", lambda: act(labels), TenantkitError, DatabaseError)
        return
    try:
        act(labels)
    except Exception as error:
        if request.lost(error):
            request.perhaps_written += labels
        raise
    request.written += labels
    owners = [str(key) for key in keys(execute(OWNERS, [labels]))]
    request.expect("the owner", owners, [request.scope] * number)


def key(request: Request) -> Any:
    """What raw SQL names as the tenant. For nobody some tenant's."""
    return (request.tenant or request.arena.tenants[request.another()]).pk


@operation
def create(request: Request) -> None:
    writes(request, 1, lambda labels: Tag.objects.create(label=labels[0]))


@operation
def create_and_save(request: Request) -> None:
    def act(labels: list[str]) -> None:
        with transaction.atomic():
            tag = Tag.objects.create(label=f"{labels[0]}/draft")
            tag.label = labels[0]
            tag.save()

    writes(request, 1, act)


@operation
def get_or_create(request: Request) -> None:
    def act(labels: list[str]) -> None:
        for _ in range(2):
            Tag.objects.get_or_create(label=labels[0])

    writes(request, 1, act)


@operation
def bulk_create(request: Request) -> None:
    writes(request, 5, lambda labels: Tag.objects.bulk_create([Tag(label=label) for label in labels]))


@operation
def insert(request: Request) -> None:
    def act(labels: list[str]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(INSERT, [key(request), labels[0]])

    writes(request, 1, act)


@operation
def executemany(request: Request) -> None:
    def act(labels: list[str]) -> None:
        with connection.cursor() as cursor:
            cursor.executemany(INSERT, [(key(request), label) for label in labels])

    writes(request, 5, act)


@operation
def executemany_in_a_transaction(request: Request) -> None:
    def act(labels: list[str]) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(INSERT, [(key(request), label) for label in labels])

    writes(request, 5, act)


@operation
def executemany_returning(request: Request) -> None:
    def act(labels: list[str]) -> None:
        with connection.cursor() as cursor:
            rows = [(key(request), label) for label in labels]
            with connection.wrap_database_errors:  # this is psycopg's own method, as Django's has no `returning`
                cursor.cursor.executemany(f"{INSERT} RETURNING tenant_id", rows, returning=True)
            owners = [cursor.fetchone()[0]]
            while cursor.nextset():
                owners.append(cursor.fetchone()[0])
            request.expect("the owners returned", owners, [key(request)] * len(labels))

    writes(request, 3, act)


@operation
def foreign_insert(request: Request) -> None:
    """Naming another tenant in SQL does not help."""
    if request.tenant:
        foreign = [request.arena.tenants[request.another()].pk, request.label()]
        request.refuses("a row of another tenant", lambda: execute(f"{INSERT} RETURNING id", foreign), DatabaseError)
        request.sees(lambda: keys(execute("SELECT id FROM testapp_customer")))


@operation
def foreign_executemany(request: Request) -> None:
    if request.tenant:
        rows = [(key(request), request.label()), (request.arena.tenants[request.another()].pk, request.label())]

        def act() -> None:
            with connection.cursor() as cursor:
                cursor.executemany(INSERT, rows)

        request.refuses("a row of another tenant among others", act, DatabaseError)
        request.expect("what is left of them", execute(OWNERS, [[label for _, label in rows]]), [])


@operation
def duplicate(request: Request) -> None:
    """A row that fails, in a savepoint, and the transaction goes on."""

    def act(labels: list[str]) -> None:
        with transaction.atomic():
            Tag.objects.create(label=labels[0])
            try:
                with transaction.atomic():
                    Tag.objects.create(label=labels[0])
            except IntegrityError as error:
                request.expect("the duplicate", "unique" in str(error), True)
            else:
                request.expect("the duplicate", "created", "refused")
            request.expect("the row outside", len(execute(OWNERS, [labels])), 1)

    writes(request, 1, act)


@operation
def update_everything(request: Request) -> None:
    """Without a WHERE. The lock keeps two such transactions from waiting for each other's rows."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(7)")
        cursor.execute("UPDATE testapp_product SET active = active")
        request.expect("rows updated", cursor.rowcount, request.arena.products[request.scope])
        seen = request.answer(lambda: Product.objects.update(active=True), 0)
        request.expect("rows updated by the ORM", seen, request.arena.products[request.scope])


@operation
def delete_everything(request: Request) -> None:
    """Without a WHERE, and rolled back."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(7)")
            cursor.execute("DELETE FROM testapp_product RETURNING tenant_id")
            owners = {str(owner) for owner in keys(cursor.fetchall())}
            request.expect("rows deleted", cursor.rowcount, request.arena.products[request.scope])
            if request.scope != EVERYBODY:
                request.expect("whose rows", owners - {request.scope}, set())
            raise Undo
    except Undo:
        count = execute("SELECT count(*) FROM testapp_product")[0][0]
        request.expect("rows that came back", count, request.arena.products[request.scope])


@operation
def copy_in(request: Request) -> None:
    """PostgreSQL refuses COPY FROM where rows have policies."""

    def act() -> None:
        statement = "COPY testapp_tag (tenant_id, label) FROM STDIN"
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write_row((key(request), request.label()))

    request.refuses("COPY FROM", act, psycopg.errors.FeatureNotSupported)
    request.sees(lambda: keys(execute("SELECT id FROM testapp_customer")))


@operation
def undone(request: Request) -> None:
    """An exception takes the rows along, and leaves nothing of its scope."""
    if request.scope == EVERYBODY:
        return
    inner = request.another()
    with request.inside(inner):
        label = request.label()
    try:
        with transaction.atomic(), request.inside(inner):
            Tag.objects.create(label=label)
            request.expect("the row inside", len(execute(OWNERS, [[label]])), 1)
            raise Undo
    except Undo:
        request.sees(lambda: keys(execute("SELECT id FROM testapp_customer")))
    with request.inside(inner):
        request.expect("the row afterwards", execute(OWNERS, [[label]]), [])


@operation
def undone_to_a_savepoint(request: Request) -> None:
    def act(labels: list[str]) -> None:
        with transaction.atomic():
            Tag.objects.create(label=labels[0])
            try:
                with transaction.atomic(), request.inside(request.another()):
                    Tag.objects.create(label=request.label())
                    raise Undo
            except Undo:
                request.sees(lambda: keys(execute("SELECT id FROM testapp_customer")))
            request.expect("the row outside", len(execute(OWNERS, [labels])), 1)

    writes(request, 1, act)
