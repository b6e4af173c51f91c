"""Requests that read: through the ORM, with raw SQL that names no tenant, with COPY and with cursors of the server."""

from __future__ import annotations

from contextlib import closing

from django.db import connection, transaction
from django.db.models import Count

from django_tenantkit.context import tenant_context
from tests.testapp.models import Customer, Invoice

from .requests import CUSTOMERS, EVERYBODY, NOBODY, Request, Undo, execute, keys, operation, raw

INVOICES = "SELECT count(*) FROM testapp_invoice, testapp_customer"


@operation
def raw_rows(request: Request) -> None:
    request.sees(lambda: keys(execute(CUSTOMERS)))


@operation
def raw_variable(request: Request) -> None:
    carried = "TENANTKIT_SESSION_VARIABLES" in request.arena.orders.get("told", {})
    ((seen,),) = execute("SELECT coalesce(current_setting('fire.scope', true), '')")
    request.expect("the variable", seen, request.scope if carried else "")


@operation
def raw_with_parameters(request: Request) -> None:
    number = request.rng.randrange(1000)
    rows = execute("SELECT id, %s::int FROM testapp_customer WHERE name <> %s", [number, "%; --'"])
    request.sees(lambda: keys(rows))
    request.expect("the parameter", {row[1] for row in rows} - {number}, set())


@operation
def raw_left_unread(request: Request) -> None:
    known = request.arena.customers[request.scope]
    with connection.cursor() as cursor:
        cursor.execute(CUSTOMERS)
        row = cursor.fetchone()
    request.expect("the first row", row is not None and str(row[0]) in known, bool(known))
    request.sees(lambda: keys(execute(CUSTOMERS)))


@operation
def raw_cross_join(request: Request) -> None:
    number = len(request.arena.customers[request.scope])
    request.counts(lambda: execute(INVOICES)[0][0], request.arena.invoices[request.scope] * number)


@operation
def raw_in_several_statements(request: Request) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 41 + 1; {CUSTOMERS};")
        request.expect("the first of two", cursor.fetchall(), [(42,)])
        request.expect("that there are two", cursor.nextset(), True)
        request.sees(lambda: keys(cursor.fetchall()))


@operation
def raw_queryset(request: Request) -> None:
    request.sees(lambda: [customer.pk for customer in Customer.objects.raw("SELECT * FROM testapp_customer")])


@operation
def orm_rows(request: Request) -> None:
    request.sees(lambda: Customer.objects.values_list("pk", flat=True))


@operation
def orm_count(request: Request) -> None:
    request.counts(Customer.objects.count, len(request.arena.customers[request.scope]))
    request.counts(
        lambda: Invoice.objects.aggregate(n=Count("pk"))["n"], request.arena.invoices[request.scope], "aggregate"
    )


@operation
def orm_get(request: Request) -> None:
    own = request.rng.choice(request.arena.customers[request.scope] or [None])
    foreign = request.rng.choice(request.arena.customers[request.another()])
    if own is not None:
        request.expect("its own customer", str(Customer.objects.get(pk=own).pk), own)
    if request.scope != EVERYBODY:
        seen = request.answer(lambda: Customer.objects.filter(pk=foreign).exists(), False)
        request.expect("another tenant's customer", seen, False)


@operation
def orm_join(request: Request) -> None:
    seen = request.answer(lambda: [str(i.customer.pk) for i in Invoice.objects.select_related("customer")], [])
    request.expect("customers by invoices", set(seen), set(request.arena.customers[request.scope]))


@operation
def shared_rows(request: Request) -> None:
    """Rows that belong to nobody look the same from everywhere."""
    request.expect(
        "regions", keys(execute("SELECT name FROM testapp_region ORDER BY id")), request.arena.orders["regions"]
    )


@operation
def tenants(request: Request) -> None:
    """A tenant sees itself; who has none yet has to find one."""
    expected = [request.scope] if request.tenant else request.tenants
    seen = keys(execute("SELECT id FROM django_tenantkit_tenant ORDER BY id"))
    request.expect("tenants", [str(key) for key in seen], expected)


@operation
def what_the_database_knows(request: Request) -> None:
    """The variables that policies and triggers read, and the role."""
    tenant, role = execute("SELECT current_setting('tenantkit.tenant', true), current_user")[0]
    request.expect("tenantkit.tenant", tenant, request.scope if request.tenant else "")
    request.expect("role", role, request.arena.orders["roles"][request.scope == EVERYBODY])


@operation
def who_acts(request: Request) -> None:
    """The user and the roles are sent with the tenant, and others' are not left."""
    user, ask = (
        request.rng.randrange(1000),
        "SELECT current_setting('tenantkit.user'), current_setting('tenantkit.roles')",
    )
    with tenant_context(request.tenant, user=user, roles=["reader", "writer"]):
        request.expect("who acts", execute(ask)[0], (str(user), "reader,writer"))
    request.expect("who acts afterwards", execute(ask)[0], ("", ""))


@operation
def one_cursor_for_several(request: Request) -> None:
    with connection.cursor() as cursor:
        for scope in (request.scope, request.another(), NOBODY, request.scope):
            with request.inside(scope):
                cursor.execute(CUSTOMERS)
                request.sees(lambda: keys(cursor.fetchall()))


@operation
def one_transaction_for_several(request: Request) -> None:
    with transaction.atomic():
        for scope in (request.another(), NOBODY, request.scope, request.another()):
            with request.inside(scope):
                request.sees(lambda: keys(execute(CUSTOMERS)))
        request.sees(lambda: keys(execute(CUSTOMERS)))


@operation
def run_late(request: Request) -> None:
    """A queryset that was built in one scope and is evaluated in another."""
    queryset = Customer.objects.values_list("pk", flat=True)
    with request.inside(request.another()):
        request.sees(lambda: queryset)


@operation
def after_commit(request: Request) -> None:
    """What is to be done after the transaction is done in the scope in which it was said."""
    other, seen = request.another(), list[str]()
    with transaction.atomic(), request.inside(other):
        transaction.on_commit(lambda: seen.extend(str(key) for key in keys(execute(CUSTOMERS))))
    request.expect(f"customers of {other}", sorted(seen), request.arena.customers[other])


@operation
def serializable(request: Request) -> None:
    """The level of a transaction can be set before its first query only, so nothing may be sent before."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
        request.sees(lambda: keys(execute(CUSTOMERS)))
        request.expect("the level", execute("SHOW transaction_isolation"), [("serializable",)])


@operation
def prepared_by_hand(request: Request) -> None:
    """A plan that was made in one scope, and for one role, is run in others."""
    name = f"fire_{request.name.replace('.', '_')}_{request.disturbed}"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"PREPARE {name} AS {CUSTOMERS}")
        for scope in (request.scope, request.another(), NOBODY, request.another(), request.scope):
            with request.inside(scope):
                request.sees(lambda: keys(execute(f"EXECUTE {name}")))
        cursor.execute(f"DEALLOCATE {name}")


@operation
def cursor_by_hand(request: Request) -> None:
    """A cursor that SQL declared is nobody's but PostgreSQL's: its rows are those of the scope in which it was
    declared or of the one in which they are fetched, as the plan will have it, and of no third."""
    declared = request.arena.customers[request.scope]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DECLARE fire CURSOR FOR {CUSTOMERS}")
        for scope in (request.scope, request.another(), NOBODY):
            with request.inside(scope):
                allowed = {*declared, *request.arena.customers[scope]}
                foreign = {str(key) for key in keys(execute("FETCH 2 FROM fire"))} - allowed
                request.expect("rows of others", foreign, set())


@operation
def server_side(request: Request) -> None:
    with transaction.atomic():
        request.sees(lambda: [customer.pk for customer in Customer.objects.iterator(chunk_size=2)])


@operation
def server_side_left(request: Request) -> None:
    """Rows that nobody reads to the end, and a query between."""
    with transaction.atomic():
        with closing(connection.chunked_cursor()) as cursor:
            cursor.execute(CUSTOMERS)
            seen = keys(cursor.fetchmany(2))
            request.sees(lambda: keys(execute(CUSTOMERS)))
            seen += keys(cursor.fetchmany(1))
        known = request.arena.customers[request.scope]
        request.expect("the first rows", [key for key in seen if str(key) not in known], [])
        request.expect("their number", len(seen), min(3, len(known)))
        request.sees(lambda: keys(execute(CUSTOMERS)))


@operation
def server_side_read_on_elsewhere(request: Request) -> None:
    """Rows belong to the scope in which the cursor was declared, wherever they are fetched."""
    if request.scope == EVERYBODY:
        return
    with transaction.atomic(), closing(connection.chunked_cursor()) as cursor:
        cursor.execute(CUSTOMERS)
        seen = keys(cursor.fetchmany(2))
        with request.inside(request.another()):
            seen += keys(cursor.fetchmany(1))
            request.sees(lambda: keys(execute(CUSTOMERS)))
        with request.inside(NOBODY):
            seen += keys(cursor.fetchall())
        request.sees(lambda: seen)


@operation
def server_side_held(request: Request) -> None:
    """Without a transaction Django holds the cursor open, which a pooler of transactions cannot."""
    if not request.arena.pooled_by_transaction:
        request.sees(lambda: [customer.pk for customer in Customer.objects.iterator(chunk_size=2)])


@operation
def copy_out(request: Request) -> None:
    for statement in (f"COPY ({CUSTOMERS}) TO STDOUT", "COPY testapp_customer (id) TO STDOUT"):
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            rows = list(copy.rows())
        request.sees(lambda rows=rows: keys(rows))


@operation
def copy_left(request: Request) -> None:
    """Rows that nobody reads to the end. psycopg cancels COPY only when it is left by an exception."""
    known = request.arena.customers[request.scope]
    try:
        with connection.cursor() as cursor, cursor.copy(f"COPY ({CUSTOMERS}) TO STDOUT") as copy:
            row = copy.read_row()
            request.expect("the first row", row is not None and row[0] in known, bool(known))
            raise Undo
    except Undo:
        request.sees(lambda: keys(execute(CUSTOMERS)))


@operation
def stream(request: Request) -> None:
    with connection.cursor() as cursor:
        request.sees(lambda: keys(cursor.stream(CUSTOMERS)))


@operation
def pipeline(request: Request) -> None:
    """Two statements of two scopes in one pipeline of psycopg."""
    other = request.another()
    with raw().pipeline(), connection.cursor() as first, connection.cursor() as second:
        first.execute(CUSTOMERS)
        with request.inside(other):
            second.execute(CUSTOMERS)
            request.sees(lambda: keys(second.fetchall()))
        request.sees(lambda: keys(first.fetchall()))
