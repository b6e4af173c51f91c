"""`python -m tests.migrating.other_server`: a tenant whose database is on another server, from beginning to end. Prints
what was seen, as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import django
from django.core.management import call_command
from django.db import connections, transaction


def told(*arguments: str) -> dict[str, Any]:
    """A command's exit code, and what it printed."""
    from tests.lifecycle.helpers import Ran

    ran = Ran(*arguments)
    return {"code": ran.code, "out": ran.out.strip() or ran.complaint}


def main() -> None:
    django.setup()
    from django_tenantkit import for_each_tenant, tenant_context
    from django_tenantkit.isolation.entries import SHARED
    from django_tenantkit.models import Place, Tenant
    from tests.migrating.with_database import SIZE, write
    from tests.testapp.models import Customer, Plan

    def where() -> list[Any]:
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT current_database()")
            return [*cursor.fetchone(), connections["default"].connection.info.host]

    call_command("migrate", verbosity=0)
    found: dict[str, Any] = {"main": where()}
    found["made"] = told("create_tenant", "initech", "--isolation", "database", "--database", "eu")
    found["refused"] = told("create_tenant", "x", "--isolation", "row", "--database", "eu")
    initech = Tenant.objects.get(slug="initech")
    plan = Plan.objects.create(name="gold")
    with tenant_context(initech):
        found["there"] = where()
        with transaction.atomic():
            Customer.objects.create(name="first", plan=plan)
        found["read"] = list(Customer.objects.values_list("name", "plan__name"))
    plan.name = "platinum"
    plan.save()
    with tenant_context(initech):
        found["pushed"] = Customer.objects.get().plan.name
    found["each"] = list(for_each_tenant(lambda tenant: Customer.objects.count(), reason="count").values())
    write("0002_size", "0001_initial", SIZE)
    call_command("migrate", verbosity=0)
    found["migrated"] = told("migrate_tenants", "--all-tenants")
    found["audited"] = told("check_tenants", "--tenant", "initech")
    with connections[initech.home.database].as_system(), connections[initech.home.database].cursor() as cursor:
        cursor.execute("ALTER TABLE rows.testapp_customer DISABLE ROW LEVEL SECURITY")
    found["a fault"] = told("check_tenants", "--tenant", "initech", "--only", "rls")
    call_command("suspend_tenant", "initech", stdout=sys.stderr)
    found["away"] = told("retire_home", "initech", "--yes-retire", "initech", "--days", "0")
    found["back"] = told("retire_home", "initech", "--undo")
    with tenant_context(initech):
        found["kept"] = Customer.objects.count()
    call_command("retire_home", "initech", "--yes-retire", "initech", "--days", "0", stdout=sys.stderr)
    found["dropped"] = told("fill_pool")
    found["state"] = Place.objects.get(pk=initech.uid).state
    with connections[SHARED].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname LIKE %s", [f"%{initech.uid.hex}"])
        found["on the main server"] = cursor.fetchone()[0]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
