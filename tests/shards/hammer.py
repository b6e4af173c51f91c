"""`python -m tests.shards.hammer settle|hammer|written ...`: tenants of the main database and of a shard, asked and
written by threads that share connections with each other's. Prints what it saw, as JSON."""

from __future__ import annotations

import json
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import django
from django.core.management import call_command
from django.db import connection, connections, transaction

Seen = dict[str, Any]

#: Where the tenants live, in pairs; "two" is the shard.
HOMES = [("row", ""), ("row", ""), ("schema", ""), ("schema", ""), ("schema", "two"), ("schema", "two")]

THREADS = 4


def settle() -> Seen:
    """Tenants with other numbers of rows each, and other plans."""
    from django_tenantkit import tenant_context
    from tests.shards.stories import make
    from tests.testapp.models import Customer, Plan

    call_command("migrate", verbosity=0)
    for number, (isolation, server) in enumerate(HOMES, 1):
        tenant = make(f"t{number}", isolation, server)
        plan = Plan.objects.create(name=tenant.slug)
        with tenant_context(tenant):
            Customer.objects.bulk_create(Customer(name=f"{tenant.slug} {n}", plan=plan) for n in range(number))
    return {}


class Thread(threading.Thread):
    """Random requests of random tenants, one after the other."""

    def __init__(self, seed: str, tenants: list[Any], requests: int) -> None:
        super().__init__()
        self.requests = requests
        self.seed, self.tenants, self.random = seed, tenants, random.Random(seed)
        self.wrong: list[str] = []
        self.written: dict[str, int] = Counter()
        self.asked: Counter[str] = Counter()

    def run(self) -> None:
        for number in range(self.requests):
            self.request(self.random.choice(self.tenants), self.random.choice(REQUEST), number)
        connections.close_all()

    def request(self, tenant: Any, work: Callable[..., Any], number: int) -> None:
        """Do one thing in a tenant, and see that it gives all of the tenant's rows and nobody else's."""
        from django_tenantkit import tenant_context

        self.asked[f"{work.__name__} in {tenant.isolation}@{tenant.database}"] += 1
        try:
            with tenant_context(tenant):
                found = work(self, tenant, number)
            count = int(tenant.slug[1:])
            names = [f"{tenant.slug} {n}" for n in range(count)]
            if found is not None and sorted(found) != names:
                self.wrong.append(f"{self.seed} {work.__name__} in {tenant.slug}: {found}")
        except Exception as error:
            self.wrong.append(f"{self.seed} {work.__name__} in {tenant.slug}: {type(error).__name__}: {error}")


def orm(thread: Thread, tenant: Any, number: int) -> list[str]:
    from tests.testapp.models import Customer

    return list(Customer.objects.values_list("name", flat=True))


def raw(thread: Thread, tenant: Any, number: int) -> list[str]:
    """SQL that names no tenant and no schema."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM testapp_customer")
        return [name for (name,) in cursor.fetchall()]


def by_name(thread: Thread, tenant: Any, number: int) -> list[str]:
    """SQL that names all other schemas of its database too."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname ~ '^(t_[0-9a-f]{32}|rows)$'")
        schemas = [name for (name,) in cursor.fetchall()]
        cursor.execute(" UNION ALL ".join(f"SELECT name FROM {schema}.testapp_customer" for schema in schemas))
        return [name for (name,) in cursor.fetchall()]


def joined(thread: Thread, tenant: Any, number: int) -> list[str]:
    """Through the copy of a shared row."""
    from tests.testapp.models import Customer

    return list(Customer.objects.filter(plan__name=tenant.slug).values_list("name", flat=True))


def streamed(thread: Thread, tenant: Any, number: int) -> list[str]:
    """With a cursor of the server, in a transaction that keeps it."""
    from tests.testapp.models import Customer

    with transaction.atomic():
        return [customer.name for customer in Customer.objects.iterator(chunk_size=2)]


def together(thread: Thread, tenant: Any, number: int) -> list[str]:
    """In a block that the main database joins."""
    from tests.testapp.models import Customer, Plan

    with transaction.atomic():
        plan = Plan.objects.get(name=tenant.slug)
        return list(Customer.objects.filter(plan=plan.pk).values_list("name", flat=True))


def nested(thread: Thread, tenant: Any, number: int) -> list[str]:
    """Another tenant in the middle, and nobody."""
    from django_tenantkit import tenant_context

    thread.request(thread.random.choice(thread.tenants), raw, number)
    with tenant_context(None):
        of_nobody = raw(thread, tenant, number)
    return of_nobody + orm(thread, tenant, number)


def write(thread: Thread, tenant: Any, number: int) -> None:
    from tests.testapp.models import Tag

    Tag.objects.create(label=f"{tenant.slug} {thread.seed} {number}")
    thread.written[tenant.slug] += 1


def write_in_block(thread: Thread, tenant: Any, number: int) -> list[str]:
    """A row, one that is rolled back, and what is read between the two."""
    from tests.testapp.models import Tag

    with transaction.atomic():
        Tag.objects.create(label=f"{tenant.slug} {thread.seed} {number} block")
        found = raw(thread, tenant, number)
    thread.written[tenant.slug] += 1
    with transaction.atomic():
        Tag.objects.create(label="rolled back")
        transaction.set_rollback(True)
    return found


REQUEST = [orm, raw, by_name, joined, streamed, together, nested, write, write_in_block]


def hammer(seed: str, requests: str) -> Seen:
    """What one process does and sees, with so many requests for each thread."""
    from django_tenantkit.models import Tenant

    tenants = list(Tenant.objects.order_by("slug"))
    connection.close()
    threads = [Thread(f"{seed}.{number}", tenants, int(requests)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "wrong": [line for thread in threads for line in thread.wrong],
        "written": sum((Counter(thread.written) for thread in threads), Counter()),
        "asked": sum((thread.asked for thread in threads), Counter()),
    }


def written() -> Seen:
    """How many tags each tenant's home has of its own, and how many of anybody else's, as the system sees it."""
    from django_tenantkit.models import Tenant
    from tests.shards.sweeping import asked

    found: dict[str, int] = {}
    strange: list[str] = []
    for tenant in Tenant.objects.order_by("slug"):
        alias = (tenant.home.database if tenant.home else "") or "default"
        schema = tenant.home.schema if tenant.home else "rows"
        labels = asked(alias, f"SELECT label FROM {schema}.testapp_tag WHERE tenant_id = {tenant.pk}")[0]
        found[tenant.slug] = sum(label.split()[0] == tenant.slug for label in labels)
        strange += [label for label in labels if label.split()[0] != tenant.slug]
        if tenant.home:
            strange += asked(alias, f"SELECT label FROM {schema}.testapp_tag WHERE tenant_id <> {tenant.pk}")[0]
    return {"written": found, "strange": strange}


def blind() -> Seen:
    """Have the database keep the rows of tenants in the shard from nobody any more."""
    from django_tenantkit.models import Tenant
    from tests.shards.stories import by_system

    for tenant in Tenant.objects.exclude(database=""):
        home: Any = tenant.home
        by_system(home.database, f"ALTER TABLE {home.schema}.testapp_customer DISABLE ROW LEVEL SECURITY")
    return {}


WORK: dict[str, Callable[..., Seen]] = {one.__name__: one for one in (settle, hammer, written, blind)}

if __name__ == "__main__":
    django.setup()
    print(json.dumps(WORK[sys.argv[1]](*sys.argv[2:])))
