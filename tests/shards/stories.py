"""`python -m tests.shards.stories NAME`: what tenants on two servers see and what becomes of them. Prints what was
seen, as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from unittest.mock import patch

import django
from django.core.management import call_command
from django.db import connections, transaction
from django.test import override_settings

from tests.migrating.with_database import SIZE, write
from tests.shards.sweeping import at_once

Seen = dict[str, Any]

MARK = """migrations.RunPython(mark),"""
CODE = """
from django_tenantkit import for_each_tenant, get_current_tenant

def mark(apps, editor):
    thing = apps.get_model("evolving", "Thing")
    if get_current_tenant() is not None:
        thing.objects.update(name=f"marked by {get_current_tenant().slug}")
"""


def told(*arguments: str) -> Seen:
    """A command's exit code, and what it printed."""
    from tests.lifecycle.helpers import Ran

    ran = Ran(*arguments)
    return {"code": ran.code, "out": ran.out.strip() or ran.complaint}


def make(slug: str, isolation: str = "schema", server: str = "eu") -> Any:
    from django_tenantkit.models import Tenant

    where = ("--database", server) if server else ()
    call_command("create_tenant", slug, "--isolation", isolation, *where, stdout=sys.stderr)
    return Tenant.objects.get(slug=slug)


def raised(function: Callable[[], Any]) -> str:
    """The class and the text of what a function raises."""
    try:
        return f"nothing: {function()}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def by_system(alias: str, statement: str) -> None:
    with connections[alias].as_system(), connections[alias].cursor() as cursor:
        cursor.execute(statement)


def life() -> Seen:
    """Two tenants in one shard, one in another, and the same rows in the main database."""
    from django_tenantkit import for_each_tenant, tenant_context, unscoped
    from django_tenantkit.lifecycle.places import make_place
    from django_tenantkit.models import Place
    from tests.presets.models import Rate
    from tests.testapp.models import Customer, Plan, Tag

    seen: Seen = {}
    tenants = [
        make("acme"),
        make("globex"),
        make("main", server=""),
        make("shared", "row", ""),
        make("other", server="two"),
    ]
    plan = Plan.objects.create(name="gold")
    for tenant in tenants:
        with tenant_context(tenant), transaction.atomic():
            Customer.objects.create(name=tenant.slug, plan=plan)
            Tag.objects.create(label="same")
    plan.name = "platinum"
    plan.save()
    with unscoped(reason="a rate for all"):
        Rate.objects.create(name="for all")
    acme, globex = tenants[0], tenants[1]

    def here() -> list[Any]:
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT current_database(), current_setting('search_path')")
            database, path = cursor.fetchone()
        rows = [*Customer.objects.values_list("name", "plan__name"), *Rate.objects.values_list("name")]
        return [database, path, connections["default"].connection.info.host, rows, Tag.objects.count()]

    found = for_each_tenant(lambda tenant: here(), reason="look")
    seen["seen"] = {tenant.slug: one for tenant, one in found.items()}
    schemas = {tenant.slug: tenant.home.schema for tenant in tenants if tenant.home is not None}
    with tenant_context(acme), connections["default"].cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {schemas['globex']}.testapp_customer")
        seen["another's, by name"] = cursor.fetchone()[0]
        cursor.execute(f"UPDATE {schemas['globex']}.testapp_customer SET name = 'x'")
        seen["another's, written"] = cursor.rowcount
        cursor.execute("SELECT count(*) FROM rows.testapp_customer")
        seen["row tenants', by name"] = cursor.fetchone()[0]
        cursor.execute("SELECT slug FROM django_tenantkit_tenant")
        seen["tenants that it knows"] = [slug for (slug,) in cursor.fetchall()]
        seen["shared rows written"] = raised(lambda: cursor.execute("UPDATE testapp_plan SET name = 'x'"))[:40]
    with tenant_context(tenants[2]):
        seen["a connection to a shard"] = raised(lambda: list(Customer.objects.using(acme.home.database)))
    seen["places"] = sorted(Place.objects.exclude(isolation="schema").values_list("isolation", "database", "state"))

    by_system(
        acme.home.database,
        f"INSERT INTO {schemas['acme']}.evolving_thing (id, name, tenant_id) VALUES "
        f"(gen_random_uuid(), 'first', {acme.pk})",
    )
    ready = make_place("schema", "eu")
    write("0002_size", "0001_initial", SIZE)
    write("0003_mark", "0002_size", MARK, CODE)
    call_command("migrate", verbosity=0)
    seen["behind"] = told("migrate_tenants", "--all-tenants", "--check")["code"]
    seen["migrated"] = told("migrate_tenants", "--tenant", "acme")
    seen["migrated all"] = told("migrate_tenants", "--all-tenants")
    seen["not behind"] = told("migrate_tenants", "--all-tenants", "--check")["code"]
    with connections[acme.home.database].as_system(), connections[acme.home.database].cursor() as cursor:
        cursor.execute(f"SELECT name, size FROM {schemas['acme']}.evolving_thing")
        seen["marked"] = cursor.fetchall()
        cursor.execute(
            "SELECT count(*) FROM pg_attribute WHERE attname = 'size' AND attrelid = ANY (%s::regclass[])",
            [
                [
                    f"{schema}.evolving_thing"
                    for schema in (schemas["acme"], schemas["globex"], f"t_{ready.pk.hex}", "rows")
                ]
            ],
        )
        seen["columns"] = cursor.fetchone()[0]
    seen["audited"] = told("check_tenants")
    by_system(acme.home.database, f"ALTER TABLE {schemas['acme']}.testapp_customer DISABLE ROW LEVEL SECURITY")
    seen["a fault"] = told("check_tenants", "--tenant", "globex", "--only", "home")
    by_system(acme.home.database, f"ALTER TABLE {schemas['acme']}.testapp_customer ENABLE ROW LEVEL SECURITY")

    call_command("suspend_tenant", "globex", stdout=sys.stderr)
    seen["away"] = told("retire_home", "globex", "--yes-retire", "globex", "--days", "0")
    with tenant_context(globex):
        seen["read when away"] = raised(lambda: Customer.objects.count())
    seen["back"] = told("retire_home", "globex", "--undo")
    with tenant_context(globex):
        seen["kept"] = Customer.objects.count()
    call_command("retire_home", "globex", "--yes-retire", "globex", "--days", "0", stdout=sys.stderr)
    with at_once():
        seen["dropped"] = told("fill_pool")
    with connections[acme.home.database].as_system(), connections[acme.home.database].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname ~ %s", [globex.uid.hex])
        seen["schemas of globex"] = cursor.fetchone()[0]
    with tenant_context(acme):
        seen["the other one"] = Customer.objects.count()
    return seen


def lost() -> Seen:
    """What is missing in a shard, and a shard that is missing, are errors that name the tenant."""
    from django_tenantkit import tenant_context
    from django_tenantkit.isolation.entries import shard_uid
    from django_tenantkit.lifecycle.databases import bring_back, put_away
    from django_tenantkit.models import Tenant
    from tests.testapp.models import Customer, Tag

    seen: Seen = {}
    acme, globex, main = make("acme"), make("globex"), make("main", server="")
    alias = acme.home.database
    for tenant in (acme, globex, main):
        with tenant_context(tenant):
            Customer.objects.create(name=tenant.slug)

    def each(what: str) -> None:
        for tenant in (acme, globex, main):
            with tenant_context(tenant):
                seen[f"{what}: {tenant.slug} reads"] = raised(lambda: Customer.objects.get().name)
                seen[f"{what}: {tenant.slug} writes"] = raised(lambda: Tag.objects.create(label=what).label)

    by_system(alias, f"ALTER SCHEMA {acme.home.schema} RENAME TO gone")
    each("no schema")
    by_system(alias, f"ALTER SCHEMA gone RENAME TO {acme.home.schema}")
    by_system(alias, f"ALTER TABLE {acme.home.schema}.testapp_customer RENAME TO gone")
    with tenant_context(acme):
        seen["no table"] = raised(lambda: Customer.objects.count())
    by_system(alias, f"ALTER TABLE {acme.home.schema}.gone RENAME TO testapp_customer")
    put_away(shard_uid("eu"), "eu")
    each("no shard")
    seen["not made anew"] = told("create_tenant", "late", "--isolation", "schema", "--database", "eu")
    bring_back(shard_uid("eu"), "eu")
    each("back")
    nowhere = Tenant(slug="nowhere", isolation="schema", database="mars", uid=acme.uid, pk=acme.pk)
    with tenant_context(nowhere):
        seen["unknown server"] = raised(lambda: Customer.objects.count())
    return seen


def out_of_reach() -> Seen:
    """A server that does not answer keeps its own tenants only."""
    from django_tenantkit.lifecycle.places import make_place
    from django_tenantkit.lifecycle.provision import sign_up

    seen: Seen = {"made": raised(lambda: make_place("schema", "eu"))[:60]}
    make("main", server="")
    job = sign_up("acme", isolation="schema", database="eu")
    seen["signed up"] = job.state
    with override_settings(TENANTKIT_WARM_POOL={"schema@eu": 1, "schema": 1}):
        seen["pool"] = told("fill_pool")
        seen["pool left"] = told("fill_pool", "--dry-run")["out"].count("1 places are missing")
    seen["migrated"] = told("migrate_tenants", "--all-tenants")["code"]
    return seen


def pool() -> Seen:
    """Places on another server: made beforehand, taken by whoever signs up, limited, and chosen."""
    from django_tenantkit import tenant_context
    from django_tenantkit.lifecycle.placement import by_plan
    from django_tenantkit.lifecycle.places import has_ready_place, make_place, take_place
    from django_tenantkit.lifecycle.provision import sign_up
    from django_tenantkit.models import Place
    from tests.testapp.models import Customer

    seen: Seen = {}
    with override_settings(TENANTKIT_WARM_POOL={"schema@eu": 2, "database@eu": 1}):
        seen["dry"] = told("fill_pool", "--dry-run")["out"]
        seen["filled"] = told("fill_pool")
        seen["again"] = told("fill_pool")
    acme = sign_up("acme", isolation="schema", database="eu").tenant
    with tenant_context(acme):
        Customer.objects.create(name="first")
    seen["claimed"] = [acme.status, acme.database, has_ready_place("schema", "eu")]
    with patch("django_tenantkit.lifecycle.places._fill", side_effect=KeyboardInterrupt), suppress(KeyboardInterrupt):
        make_place("schema", "two")
    (half,) = Place.objects.filter(isolation="schema", database="two")
    seen["half made"] = [half.state, has_ready_place("schema", "two")]
    seen["whole"] = make_place("schema", "two", half.pk).state
    take_place("schema", "two")
    waiting = sign_up("globex", isolation="schema", database="two")
    seen["waits"] = [waiting.state, waiting.tenant]
    seen["provisioned"] = told("fill_pool")["out"]
    with override_settings(TENANTKIT_SCHEMA_LIMIT=2):
        seen["taken though full"] = sign_up("last", isolation="schema", database="eu").tenant.database
        seen["full"] = told("create_tenant", "more", "--isolation", "schema", "--database", "eu")
    with override_settings(
        TENANTKIT_PLACEMENT="django_tenantkit.lifecycle.placement.by_plan", TENANTKIT_PLACEMENT_PLANS={"gold": "two"}
    ):
        seen["by plan"] = [by_plan("schema", "gold"), by_plan("schema", ""), by_plan("row", "gold")]
        call_command("create_tenant", "rich", "--isolation", "schema", "--plan", "gold", stdout=sys.stderr)
    seen["listed"] = told("list_tenants")["out"]
    seen["refused"] = told("create_tenant", "x", "--isolation", "row", "--database", "eu")
    return seen


def pooled() -> Seen:
    """A server where requests go through a pooler, which is not there, and the system does not."""
    from django_tenantkit import tenant_context
    from django_tenantkit.lifecycle.places import make_place
    from django_tenantkit.models import Tenant
    from tests.testapp.models import Customer

    place = make_place("schema", "eu")
    with tenant_context(Tenant(slug="acme", pk=1, uid=place.pk, isolation="schema", database="eu")):
        return {"made": place.state, "asked": raised(lambda: Customer.objects.count())}


STORIES = {one.__name__: one for one in (life, lost, out_of_reach, pool, pooled)}


def main() -> None:
    django.setup()
    call_command("migrate", verbosity=0)
    from tests.shards import moving, signing, sweeping

    stories = {**STORIES, **moving.STORIES, **sweeping.STORIES, **signing.STORIES}
    print(json.dumps(stories[sys.argv[1]](), default=str))


if __name__ == "__main__":
    main()
