"""Stories of tenants that move between servers, are exported there and erased."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import transaction
from django.test import override_settings

Seen = dict[str, Any]

#: From the tables that row tenants share: to the other server, home, into its shard, and back.
WAY = [("database", "eu"), ("schema", ""), ("schema", "eu"), ("database", ""), ("schema", "two"), ("row", "")]

#: The same for a tenant that works meanwhile.
ONLINE = [("schema", "eu"), ("database", "eu"), ("schema", "two"), ("row", "")]

#: How often a move is killed on each way.
TIMES = 6


def sequences(tenant: Any) -> dict[str, Any]:
    """Where the sequences of a home of the tenant's own stand."""
    from django_tenantkit.lifecycle.move.sides import Spot, opened

    found: dict[str, Any] = {}
    with opened(Spot.of(tenant)) as (_, (side,)):
        for table, columns in side.columns.items():
            for column in columns:
                if column.sequence is not None:
                    found[f"{table}.{column.name}"] = side.ask(f"SELECT last_value, is_called FROM {column.sequence}")[
                        0
                    ]
    return found


def make(slug: str, isolation: str, server: str = "", times: int = 2) -> Any:
    from django_tenantkit.models import Tenant
    from tests.moving.ground import fill

    where = ("--database", server) if server else ()
    call_command("create_tenant", slug, "--isolation", isolation, *where, stdout=sys.stderr)
    tenant = Tenant.objects.get(slug=slug)
    fill(tenant, times)
    return tenant


def around() -> Seen:
    """From the shared tables over both servers and back."""
    from django_tenantkit import tenant_context
    from django_tenantkit.lifecycle.audit.run import CHECKS, audit_database
    from django_tenantkit.lifecycle.audit.tenants import audit_databases
    from django_tenantkit.lifecycle.move.run import move, prepare
    from tests.moving.ground import fresh, objects, rows
    from tests.testapp.models import Customer

    tenant = make("mover", "row")
    others = [make("neighbour", "schema", "eu"), make("home", "schema"), make("shared", "row")]
    before, seen_before, theirs = rows(tenant), objects(tenant), [rows(one) for one in others]
    seen: Seen = {"moves": []}
    checksums, at = None, None
    for isolation, server in WAY:
        plan = prepare(fresh(tenant), isolation, server, remap=isolation == "row")
        stale = fresh(tenant)
        job = move(fresh(tenant), isolation, server, remap=isolation == "row")
        now = fresh(tenant)
        sums = job.result["tables"]
        stands = None if isolation == "row" else sequences(now)
        with tenant_context(stale):
            try:
                Customer.objects.create(name="lost")
                refused = ""
            except Exception as error:
                refused = type(error).__name__
        seen["moves"].append(
            {
                "to": [now.isolation, now.database, now.status],
                "planned": sum(plan["rows"].values()) == sum(one["rows"] for one in sums.values()),
                "rows": isolation == "row" or rows(now) == before,
                "objects": objects(now) == seen_before,
                "checksums": isolation == "row" or checksums in (None, sums),
                "sequences": at is None or stands in (None, at),
                "stale": refused,
                "others": [rows(one) for one in others] == theirs,
            }
        )
        checksums, at = sums, stands
        with tenant_context(now):
            key = Customer.objects.create(name="new").pk
            Customer.objects.filter(pk=key).delete()
        before, seen_before = rows(now), objects(now)
        at = None if isolation == "row" else sequences(now)
    seen["audited"] = [str(one) for one in (*audit_database("default").findings, *audit_databases(CHECKS).findings)]
    return seen


def online() -> Seen:
    """While the tenant works, and back with what it wrote since."""
    from django_tenantkit import tenant_context
    from django_tenantkit.lifecycle.move.run import move, roll_back
    from tests.moving.ground import fresh, objects, rows
    from tests.testapp.models import Customer, Note

    tenant, neighbour = make("mover", "row"), make("neighbour", "schema", "eu")
    theirs = rows(neighbour)
    seen: Seen = {"moves": []}
    before = []

    def write(done: int, of: int, name: str) -> None:
        if name == "copy_beside":
            with tenant_context(fresh(tenant)):
                Customer.objects.create(name="while it moves")
                Customer.objects.filter(email="c0@example.com").update(email="changed@example.com")
                Note.objects.order_by("pk")[:1].get().delete()
            before.append((rows(fresh(tenant)), objects(tenant)))

    for isolation, server in ONLINE:
        shares = isolation == "row"  # where keys may be others
        job = move(fresh(tenant), isolation, server, online=True, remap=shares, progress=write)
        now = fresh(tenant)
        same = (shares or rows(now) == before[-1][0]) and objects(now) == before[-1][1]
        seen["moves"].append([now.isolation, now.database, same, job.result["online"]["left"] > 0])
    with tenant_context(fresh(tenant)):
        Customer.objects.create(name="since")
    there = objects(tenant)
    roll_back(fresh(tenant))
    now = fresh(tenant)
    seen["back"] = [now.isolation, now.database, objects(now) == there]
    seen["neighbour"] = rows(neighbour) == theirs
    return seen


def killed() -> Seen:
    """Killed at random statements between two servers, there and back, and finished by the same call."""
    from django_tenantkit import unscoped
    from django_tenantkit.lifecycle.move.run import move
    from django_tenantkit.models import Job, JobState
    from tests.moving.ground import fresh, objects, rows

    tenant, neighbour = make("mover", "schema", times=1), make("neighbour", "schema", "eu", times=1)
    before, seen_before, theirs = rows(tenant), objects(tenant), rows(neighbour)
    chosen = random.Random(11)

    def run(server: str, at: int, when: str) -> str:
        arguments = ["mover", "schema", str(at), when, "", server]
        command = [sys.executable, "-m", "tests.moving.killable", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == (-9 if at else 0), done.stderr
        with unscoped(reason="test"), transaction.atomic():  # the server notices that it is dead
            list(Job.objects.select_for_update())
        return done.stdout

    def points(server: str) -> list[int]:
        ends = [0, *(int(line.split()[1]) for line in run(server, 0, "").splitlines())]
        ranges = [(low + 1, high) for low, high in pairwise(ends) if high > low]
        return [chosen.randint(*ranges[number % len(ranges)]) for number in range(TIMES)]

    wanted = {"eu": points("eu"), "": points("")}
    seen: Seen = {"went on": 0, "whole": 0, "times": 0}
    for number in range(TIMES):
        for server in ("eu", ""):
            run(server, wanted[server][number], chosen.choice(["before", "during", "after"]))
            unfinished = Job.objects.filter(slug="mover").exclude(state=JobState.DONE).exists()
            if unfinished or fresh(tenant).database != server:
                move(fresh(tenant), "schema", server, remap=True)
            now = fresh(tenant)
            seen["times"] += 1
            seen["went on"] += unfinished
            seen["whole"] += (now.database, now.status, rows(now), objects(now)) == (
                server,
                "active",
                before,
                seen_before,
            )
    seen["neighbour"] = rows(neighbour) == theirs
    return seen


def ended() -> Seen:
    """Exported, cloned, erased and imported again on the other server."""
    from django_tenantkit.lifecycle.reach import own_tables
    from django_tenantkit.models import Tenant
    from tests.moving.ground import objects, rows
    from tests.shards.stories import told
    from tests.shards.sweeping import at_once

    tenant, neighbour = make("acme", "schema", "eu"), make("neighbour", "schema", "eu")
    before, theirs = objects(tenant), rows(neighbour)
    seen: Seen = {}
    keys = {"testapp.Plan": ["name"], "testapp.Region": ["name"]}
    with tempfile.TemporaryDirectory() as folder, override_settings(TENANTKIT_ARCHIVE_KEYS=keys):
        file = str(Path(folder) / "acme.tar.gz")
        seen["exported"] = told("export_tenant", "acme", file)
        seen["cloned"] = told("clone_tenant", "neighbour", "copy", "--isolation", "schema", "--database", "eu")
        seen["clone"] = objects(Tenant.objects.get(slug="copy")) == objects(neighbour)
        call_command("suspend_tenant", "acme", stdout=sys.stderr)
        with at_once():
            seen["erased"] = told("erase_tenant", "acme", "--yes-erase", "acme", "--now", "--format", "json")
        seen["left"] = [str(one) for one in own_tables(tenant.uid)]
        seen["imported"] = told("import_tenant", file, "--as", "again", "--isolation", "schema", "--database", "eu")
        again = Tenant.objects.get(slug="again")
        seen["again"] = [again.isolation, again.database, objects(again) == before]
        seen["into a database"] = told(
            "import_tenant", file, "--as", "apart", "--isolation", "database", "--database", "eu"
        )
    seen["neighbour"] = rows(neighbour) == theirs
    return seen


def same_server() -> Seen:
    """A server that two names lead to: what a tenant has there is not copied onto itself."""
    from django_tenantkit.lifecycle.move.run import move
    from tests.moving.ground import fresh, rows
    from tests.shards.stories import raised

    tenant = make("mover", "database")
    before = rows(tenant)
    return {"refused": raised(lambda: move(tenant, "database", "two")), "kept": rows(fresh(tenant)) == before}


STORIES: dict[str, Callable[[], Seen]] = {one.__name__: one for one in (around, online, killed, ended, same_server)}
