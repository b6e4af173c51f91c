"""What the session protocol costs on the wire: no round trip and no packet more than plain Django, which filters by
hand. Counted by a proxy at the server's door."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import pytest
from django.db import connections, transaction
from django.db.models import QuerySet, Sum
from pytest_django.plugin import DjangoDbBlocker

from django_tenantkit.conf import conf
from django_tenantkit.context import tenant_context, unscoped
from django_tenantkit.models import Place, PlaceState, Tenant
from tests import databases
from tests.services import proxy
from tests.services.proxy import Traffic
from tests.testapp.models import Customer, Invoice, Product, Tag

#: Of the same length, as they are part of some rows. The third sets the tenant on the session before each query.
OURS, PLAIN, NAIVE = "guard", "plain", "naive"


class World:
    """One of the two connections, and how code speaks to it of the tenant's rows."""

    def __init__(self, alias: str, traffic: Traffic, tenant: Any) -> None:
        self.alias = alias
        self.traffic = traffic
        self.has_schema = tenant.home is not None
        self.named = {"tenant": tenant} if alias == PLAIN else {}
        self._scope = tenant_context(None if alias == PLAIN else tenant)

    def rows(self, model: Any) -> QuerySet[Any]:
        """The tenant's rows."""
        return model.objects.using(self.alias).filter(**self.named)

    def atomic(self) -> AbstractContextManager[Any]:
        """A transaction."""
        return transaction.atomic(using=self.alias)

    def cursor(self) -> Any:
        """A cursor."""
        return connections[self.alias].cursor()

    def measure(self, operation: Callable[[World], Any]) -> Traffic:
        """What goes over the wire for it, on a connection that is open."""
        with self._scope:
            connections[self.alias].ensure_connection()
            self.traffic.reset()
            operation(self)
        print(f"{operation.__name__}, {self.alias}: {self.traffic}")
        return self.traffic


@pytest.fixture(scope="module")
def worlds(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[dict[str, World]]:
    """Ours as the application's login; plain Django as the owner, whom no policy stops, and where tenants have
    schemas with the path of the tenant's."""
    entry = databases.configured()
    if entry["ENGINE"] != databases.POSTGRESQL:
        pytest.skip("this run has no PostgreSQL")
    with ExitStack() as stack:
        stack.enter_context(django_db_blocker.unblock())
        entry = entry | {"NAME": _database(stack, entry)}
        wire = {}

        def reach(alias: str, **more: Any) -> None:
            through, traffic = stack.enter_context(proxy.start(entry | more))
            _alias(stack, alias, through)
            wire[alias] = through, traffic

        reach(OURS)
        tenant = _fill()
        path = f"-c search_path={tenant.home.schema if tenant.home else conf.ROW_SCHEMA or 'public'},public"
        options = {"assume_role": databases.ROLES.owner, "options": path}
        reach(PLAIN, ENGINE="tests.benchmarks.plain", USER=databases.ROLES.system, OPTIONS=options)
        reach(NAIVE, ENGINE="tests.fire.naive", OPTIONS={"options": path})
        yield {alias: World(alias, traffic, tenant) for alias, (_, traffic) in wire.items()}


def _alias(stack: ExitStack, alias: str, entry: dict[str, Any]) -> None:
    connections.settings[alias] = connections.configure_settings({"default": {}, alias: entry})[alias]

    def forget() -> None:
        connections[alias].close()
        del connections[alias], connections.settings[alias]

    stack.callback(forget)


def _database(stack: ExitStack, entry: dict[str, Any]) -> str:
    """A database of its own: what is committed here is not rolled back."""
    with ExitStack() as meanwhile:
        _alias(meanwhile, OURS, entry)
        return databases.clone(connections[OURS], f"{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_wire")


def _fill() -> Any:
    """Two tenants with as many rows; the plain world asks for those of one."""
    for slug in ("other", "acme"):
        tenant = Tenant.objects.using(OURS).create(slug=slug, name=slug, **_home())
        with tenant_context(tenant):
            customers = [Customer(name=f"customer {number:03}") for number in range(50)]
            Customer.objects.using(OURS).bulk_create(customers)
            Invoice.objects.using(OURS).bulk_create(
                Invoice(customer=customer, number=f"{number:03}", amount=number)
                for number, customer in enumerate(customers)
            )
    return tenant


def _home() -> dict[str, Any]:
    """What makes a tenant one with a schema, in a run with those alone."""
    if databases.ISOLATION != "schema":
        return {}
    with unscoped(reason="set-up of a test"):
        ready = Place.objects.using(OURS).filter(state=PlaceState.READY)
        uid = ready.values_list("pk", flat=True).first()
        ready.filter(pk=uid).update(state=PlaceState.TAKEN)
    return {"isolation": "schema", "uid": uid}


def get(world: World) -> None:
    world.rows(Customer).get(name="customer 001")


def list_of_50(world: World) -> None:
    assert len(world.rows(Customer)) == 50


def list_with_customers(world: World) -> None:
    assert len(world.rows(Invoice).select_related("customer")) == 50


def count(world: World) -> None:
    assert world.rows(Customer).count() == 50


def create(world: World) -> None:
    world.rows(Tag).create(label=f"create {world.alias}", **world.named)


def get_or_create(world: World) -> None:
    world.rows(Tag).get_or_create(label=f"get or create {world.alias}", **world.named)


def bulk_create(world: World) -> None:
    rows = [Product(sku=f"{world.alias} {number}", **world.named) for number in range(100)]
    Product.objects.using(world.alias).bulk_create(rows)


def get_and_save(world: World) -> None:
    customer = world.rows(Customer).get(name="customer 002")
    customer.email = "somebody@example.com"
    customer.save()


def update(world: World) -> None:
    assert world.rows(Customer).filter(name="customer 003").update(email="other@example.com") == 1


def delete(world: World) -> None:
    world.rows(Tag).filter(label="nobody's").delete()


def request_of_five_queries(world: World) -> None:
    world.rows(Customer).get(name="customer 004")
    list(world.rows(Customer).order_by("name")[:20])
    world.rows(Invoice).count()
    world.rows(Invoice).aggregate(Sum("amount"))
    world.rows(Tag).create(label=f"request {world.alias}", **world.named)


def atomic(world: World) -> None:
    with world.atomic():
        world.rows(Customer).get(name="customer 005")
        world.rows(Tag).create(label=f"atomic {world.alias}", **world.named)


def nested_atomic(world: World) -> None:
    with world.atomic():
        world.rows(Customer).get(name="customer 006")
        with world.atomic():
            world.rows(Tag).create(label=f"nested {world.alias}", **world.named)


def rolled_back(world: World) -> None:
    with world.atomic():
        world.rows(Tag).create(label=f"rolled back {world.alias}", **world.named)
        transaction.set_rollback(True, using=world.alias)


def iterator(world: World) -> None:
    assert len(list(world.rows(Customer).iterator(chunk_size=20))) == 50


def iterator_in_a_transaction(world: World) -> None:
    with world.atomic():
        assert len(list(world.rows(Customer).iterator(chunk_size=20))) == 50


def raw_sql(world: World) -> None:
    with world.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM testapp_customer WHERE name <> %s", ["nobody"])


def executemany(world: World) -> None:
    with world.cursor() as cursor:
        cursor.executemany("UPDATE testapp_tag SET label = %s WHERE label = %s", [("x", f"no {n}") for n in range(10)])


def copy_out(world: World) -> None:
    with world.cursor() as cursor, cursor.copy("COPY (SELECT 1) TO STDOUT") as copy:
        assert list(copy.rows()) == [("1",)]


def stream(world: World) -> None:
    with world.cursor() as cursor:
        assert list(cursor.stream("SELECT 1")) == [(1,)]


OPERATIONS = [
    get,
    list_of_50,
    list_with_customers,
    count,
    create,
    get_or_create,
    bulk_create,
    get_and_save,
    update,
    delete,
    request_of_five_queries,
    atomic,
    nested_atomic,
    rolled_back,
    iterator,
    iterator_in_a_transaction,
    raw_sql,
    executemany,
]

every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)


@every_operation
def test_no_round_trip_and_no_packet_more(worlds: dict[str, World], operation: Callable[[World], Any]) -> None:
    ours, plain = worlds[OURS].measure(operation), worlds[PLAIN].measure(operation)
    assert plain.round_trips > 0
    if operation is request_of_five_queries:
        assert ours.asked == plain.asked == {"Q": 5}
    assert ours.round_trips == plain.round_trips
    # Home and path are some 400 bytes more, which may begin another packet.
    more = 1 if worlds[OURS].has_schema else 0
    assert ours.packets_out <= plain.packets_out + more
    assert ours.packets_in <= plain.packets_in + more


@pytest.mark.parametrize("operation", [copy_out, stream], ids=lambda operation: operation.__name__)
def test_what_shares_no_message_brings_its_own_transaction(worlds: dict[str, World], operation: Any) -> None:
    """COPY and `stream()` outside of a transaction: BEGIN, the context, and COMMIT go beside them."""
    ours, plain = worlds[OURS].measure(operation), worlds[PLAIN].measure(operation)
    assert ours.round_trips == plain.round_trips + 3


def test_the_tenant_travels_in_the_message_of_the_query(worlds: dict[str, World]) -> None:
    texts = worlds[OURS].measure(count).texts
    assert len(texts) == 1
    assert texts[0].index(b"'tenantkit.tenant'") < texts[0].index(b"COUNT(*)")


def test_a_set_on_the_session_would_cost_a_round_trip(worlds: dict[str, World]) -> None:
    assert worlds[NAIVE].measure(count).round_trips == 2


def test_connecting_takes_no_round_trip_more(worlds: dict[str, World]) -> None:
    for alias in (OURS, PLAIN):
        connections[alias].close()
        worlds[alias].traffic.reset()
        connections[alias].ensure_connection()
    takes_its_role = 1
    assert worlds[OURS].traffic.round_trips == worlds[PLAIN].traffic.round_trips - takes_its_role
