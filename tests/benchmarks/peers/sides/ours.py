"""django_tenantkit: places, `migrate_tenants`, and what takes a place."""

from __future__ import annotations

import os
from contextlib import ExitStack

from django.core.management import call_command
from django.db import connection, transaction

from django_tenantkit import unscoped
from django_tenantkit.context import tenant_context
from django_tenantkit.isolation.schema import schema_name
from django_tenantkit.lifecycle.homes import migrate_home
from django_tenantkit.lifecycle.places import make_place
from django_tenantkit.lifecycle.provision import sign_up
from django_tenantkit.models import Place, Tenant
from django_tenantkit.testing.tenants import make_tenant
from tests.benchmarks.peers.shop.views import fill

from .base import FIRST, Side, recorded, send, timed

RECORDED = "t_recorded"

#: How many work at once, where the harness does not leave it to the command.
WORKERS = {"workers": int(number)} if (number := os.environ.get("TENANTKIT_PEERS_WORKERS")) else {}


class Ours(Side):
    def install(self) -> None:
        call_command("migrate", verbosity=0, interactive=False)
        make_place("schema")
        with transaction.atomic():
            first = make_tenant(FIRST, isolation="schema")
        with tenant_context(first):
            fill()

    def hold(self) -> None:
        self.held = ExitStack()
        self.held.enter_context(connection.as_system())

    def provision(self, name: str) -> list[float]:
        """As `fill_pool` does: logged in as the system for many places, not for each."""
        with connection.as_system():
            connection.ensure_connection()
            return super().provision(name)

    def make(self, name: str) -> None:
        self.made = make_place("schema")

    def drop(self, name: str) -> None:
        with connection.as_system():
            with connection.cursor() as cursor:
                cursor.execute(f'DROP SCHEMA "{schema_name(self.made.uid)}" CASCADE')
            self.made.delete()

    def fill(self, number: int, ddl: list[str]) -> None:
        for _ in range(number - Place.objects.count()):
            make_place("schema")

    def before_migrating(self) -> None:
        call_command("migrate", verbosity=0)

    def tidy(self) -> None:
        with connection.as_system():
            super().tidy()

    def migrate_all(self) -> None:
        call_command("migrate_tenants", all_tenants=True, verbosity=0, **WORKERS)

    def timed_claim(self, how: str, slug: str) -> list[float]:
        """CPU time and wall time of taking a place, the second time."""
        self.make("")
        getattr(self, how)(f"{slug}-first")
        return timed(lambda: getattr(self, how)(slug))

    def idle(self) -> list[float]:
        """Logged in already."""
        with connection.as_system():
            connection.ensure_connection()
            return super().idle()

    def claim(self, slug: str) -> None:
        """Take a ready place and make its tenant, in a transaction."""
        with transaction.atomic():
            make_tenant(slug, isolation="schema")

    def sign_up(self, slug: str) -> None:
        """All that a web process does for a new tenant: a job, its steps, and their ledger."""
        with unscoped(reason="benchmark"):
            if sign_up(slug, isolation="schema").tenant is None or not Tenant.objects.get(slug=slug).is_active:
                raise RuntimeError("no place was ready")


class Bare(Ours):
    """The statements that the migrations of a home run, policies and all; without rows, and without a ledger."""

    def __init__(self) -> None:
        super().__init__()
        self.ddl: list[str] = []

    def make(self, name: str) -> None:
        with connection.as_system():
            if not self.ddl:
                self.ddl = recorded(lambda: migrate_home(connection, RECORDED))
                self.drop(RECORDED)
            send(";\n".join([f"SET search_path TO {RECORDED}, public", *self.ddl]).replace(RECORDED, name))

    def drop(self, name: str) -> None:
        with connection.as_system():
            send(f'DROP SCHEMA "{name}" CASCADE')


SIDE = Bare if "TENANTKIT_PEERS_BARE" in os.environ else Ours
