"""Tenants in shared tables, in schemas and, where the run has any, in databases by turns, in one process: coroutines,
generators and bodies that are produced late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, transaction

from django_tenantkit import tenant_context
from django_tenantkit.testing.tenants import make_tenant
from tests.aio import in_this_thread
from tests.databases import ISOLATION, WITH_DATABASES, WITH_SHARDS
from tests.requests.conftest import AsyncHostClient
from tests.testapp.models import Customer

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(ISOLATION == "row", reason="runs with TENANTKIT_TEST_ISOLATION=schema"),
]

KINDS = {"acme": "schema", "globex": "row", "initech": "schema", "umbrella": "row"}
if ISOLATION in WITH_DATABASES:
    KINDS = {"hooli": "database", **KINDS, "pied": "database"}
if ISOLATION in WITH_SHARDS:
    KINDS = {"hooli": "schema@two", **KINDS, "pied": "schema@two"}


@pytest.fixture
def tenants(settings: Any) -> dict[str, Any]:
    """Two of each kind; the first one has one customer, the second two, and so on."""
    settings.ROOT_URLCONF = "tests.requests.urls"
    places = {slug: kind.partition("@") for slug, kind in KINDS.items()}
    found = {slug: make_tenant(slug, isolation=kind, database=server) for slug, (kind, _, server) in places.items()}
    for number, tenant in enumerate(found.values(), 1):
        with tenant_context(tenant):
            Customer.objects.bulk_create(Customer(name=f"{tenant.slug} {n}") for n in range(number))
    return found


def names() -> list[str]:
    return sorted({name.split()[0] for name in Customer.objects.values_list("name", flat=True)})


def raw() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT split_part(name, ' ', 1) FROM testapp_customer")
        return [name for (name,) in cursor.fetchall()]


@in_this_thread
async def test_coroutines(tenants):
    async def work(tenant: Any) -> set[str]:
        seen = set()
        with tenant_context(tenant):
            for _ in range(5):
                await asyncio.sleep(0)
                seen.update([customer.name.split()[0] async for customer in Customer.objects.all()])
                seen.update(await sync_to_async(raw)())
        return seen

    found = await asyncio.gather(*(work(tenant) for tenant in tenants.values()))
    assert found == [{slug} for slug in tenants]


@in_this_thread
async def test_async_generators(tenants):
    def customers(tenant: Any) -> AsyncIterator[str]:
        @tenant_context(tenant)
        async def produce() -> AsyncIterator[str]:
            for _ in range(3):
                yield ",".join(await sync_to_async(names)())

        return produce()

    generators = [customers(tenant) for tenant in tenants.values()]
    for _ in range(3):
        assert [await anext(generator) for generator in generators] == list(tenants)
    for generator in generators:
        await generator.aclose()


def test_generators_with_cursors_of_the_server(tenants):
    def customers(tenant: Any) -> Iterator[str]:
        @tenant_context(tenant)
        def produce() -> Iterator[str]:
            for customer in Customer.objects.order_by("name").iterator(chunk_size=1):
                yield customer.name

        return produce()

    with transaction.atomic():
        open_ = {slug: customers(tenant) for slug, tenant in tenants.items()}
        seen: dict[str, list[str]] = {slug: [] for slug in tenants}
        for _ in range(len(tenants)):
            for slug, generator in open_.items():
                seen[slug] += [name for name in [next(generator, None)] if name]
    assert seen == {slug: [f"{slug} {n}" for n in range(number)] for number, slug in enumerate(tenants, 1)}


def test_savepoints_and_exceptions(tenants):
    def fail(tenant: Any) -> None:
        with transaction.atomic(), tenant_context(tenant):
            Customer.objects.create(name="lost 0")
            raise KeyError

    with transaction.atomic():
        for tenant in [*tenants.values(), *tenants.values()]:
            with tenant_context(tenant):
                assert names() == raw() == [tenant.slug]
            with pytest.raises(KeyError):
                fail(tenant)
    for tenant in tenants.values():
        with tenant_context(tenant):
            assert names() == [tenant.slug]


def test_bodies_that_are_streamed_by_turns(tenants, client):
    bodies = [iter(client.get("/streamed/", headers={"host": f"{slug}.example.com"})) for slug in tenants]
    assert [next(body) for body in bodies] == [str(number).encode() for number in range(1, len(tenants) + 1)]
    assert [next(body) for body in bodies] == [f" {slug}".encode() for slug in tenants]


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
@in_this_thread
async def test_bodies_that_are_streamed_under_asgi(tenants):
    async def body(slug: str) -> bytes:
        answer = await AsyncHostClient().get("/astreamed/", headers={"host": f"{slug}.example.com"})
        return b"".join([part async for part in answer])

    found = await asyncio.gather(*map(body, tenants))
    assert found == [f"{number} {slug}".encode() for number, slug in enumerate(tenants, 1)]
