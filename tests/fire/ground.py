"""The ground that the hammer falls on: a database with tenants whose rows are known, and processes that ask."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connections
from psycopg import sql
from psycopg.conninfo import make_conninfo

from django_tenantkit.conf import conf
from django_tenantkit.context import tenant_context, unscoped
from django_tenantkit.lifecycle.signing import apply_signing
from django_tenantkit.models import Place, PlaceState, Tenant
from tests import databases
from tests.testapp.models import Customer, Invoice, Product, Region

from .requests import EVERYBODY, NOBODY

ROOT = Path(__file__).parents[2]
ALIAS = "fire"

TENANTS = 6

#: Rows that belong to nobody.
REGIONS = ["north", "south"]


class Ground:
    """A database of its own. `settings` is its entry in DATABASES, for the application's login."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.roles = databases.ROLES
        self.tenants = [
            Tenant.objects.using(ALIAS).create(slug=f"fire{number}", name="Fire", **_home(number))
            for number in range(TENANTS)
        ]
        Region.objects.using(ALIAS).bulk_create(Region(name=name) for name in REGIONS)
        self.customers = {NOBODY: list[str](), EVERYBODY: list[str]()}
        self.invoices = Counter[str]({NOBODY: 0, EVERYBODY: 0})
        self.products = Counter[str]({NOBODY: 0, EVERYBODY: 0})
        for number, tenant in enumerate(self.tenants, 2):
            with tenant_context(tenant):
                self._fill(tenant, number)

    def _fill(self, tenant: Tenant, number: int) -> None:
        """Every tenant has other numbers of rows. Unscoped code sees those of row tenants."""
        key = str(tenant.pk)
        customers = [Customer(name=f"{key} {n}") for n in range(number)]
        Customer.objects.using(ALIAS).bulk_create(customers)
        invoices = [Invoice(customer=c, number=f"{c.name} {n}") for c in customers for n in range(number)]
        Invoice.objects.using(ALIAS).bulk_create(invoices)
        products = [Product(sku=f"{key} {n}") for n in range(2 * number)]
        Product.objects.using(ALIAS).bulk_create(products)
        for scope in (key, EVERYBODY) if tenant.home is None else (key,):
            self.customers[scope] = sorted([*self.customers.get(scope, []), *(str(c.pk) for c in customers)])
            self.invoices[scope] += len(invoices)
            self.products[scope] += len(products)

    def tags(self, seed: str) -> dict[str, str]:
        """The rows that the requests of a run have written: their labels and, as text, their tenants, or the schema
        that one is in and its tenant does not live in."""
        found = {}
        connection = connections[ALIAS]
        rows = conf.ROW_SCHEMA or "public"
        homes = {str(tenant.pk): tenant.home.schema if tenant.home else rows for tenant in self.tenants}
        with connection.as_system(), connection.cursor() as cursor:
            for schema in {rows, *homes.values()}:
                query = f"SELECT label, tenant_id::text FROM {schema}.testapp_tag WHERE label LIKE %s"
                cursor.execute(query, [f"%/{seed}.%"])
                found |= {label: key if homes[key] == schema else schema for label, key in cursor.fetchall()}
        return found

    def guard(self, table: str, action: str) -> None:
        """ENABLE or DISABLE the policies of a table."""
        connection = connections[ALIAS]
        with connection.as_system(), connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} {action} ROW LEVEL SECURITY")

    def sign(self) -> None:
        """Ask for the signature that the settings name, or for none."""
        connection = connections[ALIAS]
        with connection.as_system():
            apply_signing(connection)

    def desk(self) -> dict[str, str]:
        """A login for operators, which is not the application's: its USER and PASSWORD."""
        login = {"USER": f"{databases.PREFIX}_desk", "PASSWORD": self.settings.get("PASSWORD", "")}
        create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE {}")
        with databases.as_admin() as admin:
            if admin.execute("SELECT FROM pg_roles WHERE rolname = %s", [login["USER"]]).fetchone() is None:
                names = (
                    sql.Identifier(login["USER"]),
                    sql.Literal(login["PASSWORD"]),
                    sql.Identifier(self.roles.operator),
                )
                admin.execute(create.format(*names))
        return login

    def orders(self, database: dict[str, Any], **more: Any) -> dict[str, Any]:
        """What a process is told: how to connect, and what there is to see."""
        names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
        direct = {name: self.settings[key] for name, key in names.items() if self.settings.get(key)}
        return {
            "database": database,
            "direct": make_conninfo(**direct),
            "roles": [self.roles.application, self.roles.operator],
            "customers": self.customers,
            "invoices": self.invoices,
            "products": self.products,
            "regions": REGIONS,
            **more,
        }


def _home(number: int) -> dict[str, Any]:
    """Every other tenant has a schema, where tenants may live apart."""
    if databases.ISOLATION == "row" or number % 2 == 0:
        return {}
    with unscoped("set-up of the hammer"):
        ready = Place.objects.using(ALIAS).filter(isolation="schema", state=PlaceState.READY)
        uid = ready.values_list("pk", flat=True).first()
        ready.filter(pk=uid).update(state=PlaceState.TAKEN)
    return {"isolation": "schema", "uid": uid}


class Report:
    """What all processes saw together."""

    def __init__(self, seed: str, results: list[dict[str, Any]]) -> None:
        self.seed = seed
        self.requests = sum((Counter(result["operations"]) for result in results), Counter[str]())
        self.answers = sum(result["answers"] for result in results)
        self.disturbed = sum(result["disturbed"] for result in results)
        self.wrong = [line for result in results for line in result["wrong"]]
        self.left = [line for result in results for line in result["left"]]
        self.faults = [line for result in results for line in result["faults"]]
        self.written = {label for result in results for label in result["written"]}
        self.perhaps_written = {label for result in results for label in result["perhaps_written"]}

    def __str__(self) -> str:
        return (
            f"{self.requests.total()} requests of {len(self.requests)} kinds, {self.answers} answers: "
            f"{len(self.wrong)} wrong, {len(self.left)} times something left, {len(self.faults)} faults, "
            f"{len(self.written)} rows written; {self.disturbed} requests begun again"
        )


def hammer(orders: dict[str, Any], processes: int = 2) -> Report:
    """Let so many processes do what they are told, at the same time."""
    running = [_start({**orders, "seed": f"{orders['seed']}.{number}"}) for number in range(processes)]
    results = []
    for process in running:
        printed, complained = process.communicate()
        if process.returncode:
            raise RuntimeError(f"The hammer broke:\n{complained}")
        results.append(json.loads(printed))
    return Report(orders["seed"], results)


def _start(orders: dict[str, Any]) -> subprocess.Popen[str]:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.fire.settings", "TENANTKIT_FIRE": json.dumps(orders)}
    command = [sys.executable, "-m", "tests.fire"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)


@contextmanager
def prepared(worker: str) -> Iterator[Ground]:
    """The database, under an alias of its own."""
    entry = databases.configured()
    connections.settings[ALIAS] = connections.configure_settings({"default": {}, ALIAS: entry})[ALIAS]
    try:
        name = databases.clone(connections[ALIAS], f"{worker}_{ALIAS}")
        ground = Ground(entry | {"NAME": name})
        yield ground
    finally:
        connections[ALIAS].close()
        del connections[ALIAS], connections.settings[ALIAS]
