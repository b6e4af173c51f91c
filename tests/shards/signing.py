"""Stories of signed contexts in a shard: whoever runs SQL of their own there cannot name another tenant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.management import call_command
from django.db import connections, transaction
from django.test import override_settings

from tests.shards.sweeping import asked, eu

Seen = dict[str, Any]

SECRET = "a secret"

#: What a forger tries in a table, given its full name, a row's columns and their values.
TRIES = {
    "reads": "SELECT * FROM {table}",
    "changes": "UPDATE {table} SET name = 'forged' RETURNING 1",
    "deletes": "DELETE FROM {table} RETURNING 1",
    "writes": "INSERT INTO {table} ({columns}) VALUES ({values}) RETURNING 1",
}


def signing(*secrets: str) -> override_settings:
    return override_settings(TENANTKIT_SIGNED_CONTEXT=list(secrets) or None)


def guard() -> int:
    """The shard, and nothing of the main database."""
    from tests.shards.stories import told

    return int(told("migrate_tenants", "--guard", "--all-tenants")["code"])


def everywhere(*secrets: str) -> None:
    """What an operator runs after the settings were changed."""
    with signing(*secrets):
        call_command("migrate", verbosity=0, skip_checks=True)
        assert guard() == 0


def names(tenant: Any) -> list[str]:
    from django_tenantkit import tenant_context
    from tests.testapp.models import Customer

    with tenant_context(tenant):
        return sorted(Customer.objects.values_list("name", flat=True))


def writes(tenant: Any) -> str:
    """Whether a tenant can write."""
    from django_tenantkit import tenant_context
    from tests.shards.stories import raised
    from tests.testapp.models import Customer

    with tenant_context(tenant):
        return raised(lambda: Customer.objects.create(name="new").delete()[0])[:50]


def found(*checks: str) -> list[str]:
    """What the audit says of the shard and of the main database."""
    from django_tenantkit.lifecycle.audit.run import audit_database, chosen
    from django_tenantkit.lifecycle.audit.tenants import audit_databases

    wanted = chosen(list(checks))
    findings = [*audit_database("default", wanted).findings, *audit_databases(wanted).findings]
    cures = {one: one.cure if one.id.startswith("signing") else "" for one in findings}
    return sorted({f"{one.tenant or 'main'}: {one.id}: {cure}".strip(": ") for one, cure in cures.items()})


def forged(by: Any, session: str, victim: Any, table: str = "testapp_customer") -> dict[str, Any]:
    """How many rows of the victim's table each try gets, or how it is refused: SQL of one's own inside a tenant, behind
    settings that a forger made up."""
    from django_tenantkit import tenant_context

    given = {"table": f"{victim.home.schema}.{table}", "columns": "name", "values": "'forged'"}
    if table == "testapp_customer":
        given |= {"columns": "id, name, email, tenant_id", "values": f"gen_random_uuid(), 'f', '', {victim.pk}"}
    seen: dict[str, Any] = {}
    with tenant_context(by):
        names(by)
        for name, statement in TRIES.items():
            try:
                with connections["default"].cursor() as cursor:
                    cursor.execute(f"{session}; {statement.format(**given)}")
                    while cursor.nextset():
                        pass
                    seen[name] = len(cursor.fetchall())
            except Exception as error:
                seen[name] = str(error).partition(" for table")[0]
    return seen


def settings_of(tenant: Any, secret: str = "", home: str = "") -> str:
    """The statement that sets a tenant's context, signed with a secret if one is given, as the protocol does."""
    from django_tenantkit.sql.roles import roles_of
    from django_tenantkit.sql.session import HOME, SIGNATURE, context
    from django_tenantkit.sql.signature import sign

    pairs = context(tenant.pk, None, (), roles_of(connections[eu()].settings_dict).application)
    pairs.append((HOME, home or tenant.home.schema))
    pairs.append((SIGNATURE, sign(secret, pairs) if secret else ""))
    return "SELECT " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in pairs)


def spoofed(tenant: Any) -> str:
    """The statement that names another tenant and leaves the rest as it is."""
    return (
        f"SELECT set_config('tenantkit.tenant', '{tenant.pk}', true), "
        f"set_config('tenantkit.home', '{tenant.home.schema}', true)"
    )


def world() -> tuple[Any, Any, Any]:
    """Two tenants in the shard and one in the main database, each with a row."""
    from django_tenantkit import tenant_context
    from tests.shards.stories import make
    from tests.testapp.models import Customer

    tenants = make("acme"), make("globex"), make("main", server="")
    for tenant in tenants:
        with tenant_context(tenant):
            Customer.objects.create(name=tenant.slug)
    return tenants


def signed() -> Seen:
    """Asked for in the shard once it is guarded, of homes that are there and of those that come."""
    from django_tenantkit.lifecycle.homes import guard_home
    from django_tenantkit.lifecycle.move.run import move
    from django_tenantkit.sql.roles import roles_of
    from tests.moving.ground import fresh
    from tests.shards.stories import by_system, make

    acme, globex, main = world()
    schema = acme.home.schema
    by_system(eu(), f"CREATE TABLE {schema}.loose (name text); INSERT INTO {schema}.loose VALUES ('x'), ('y')")
    with connections[eu()].as_system():
        guard_home(connections[eu()], schema)
    seen: Seen = {"tables": ["testapp_customer", "loose"], "without": {}, "with": {}}
    for table in seen["tables"]:
        with transaction.atomic(using=eu()):
            seen["without"][table] = forged(globex, spoofed(acme), acme, table)
            transaction.set_rollback(True, using=eu())
    with signing(SECRET):
        seen["missing"] = found("signing", "policy.missing")
        seen["guarded alone"] = [guard(), found("signing", "policy.missing")]
        everywhere(SECRET)
        seen["whole"] = found("signing", "policy", "home.differs", "rls", "function")
        seen["own"] = [[names(one), writes(one)] for one in (acme, globex, main)]
        operator = roles_of(connections[eu()].settings_dict).operator
        forgeries = {
            "another tenant's name": spoofed(acme),
            "no signature": settings_of(acme),
            "another secret": settings_of(acme, "a guess"),
            "the operator's role": f"SELECT set_config('role', '{operator}', true)",
        }
        for what, session in forgeries.items():
            seen["with"][what] = {table: forged(globex, session, acme, table) for table in seen["tables"]}
        with transaction.atomic(using=eu()):
            seen["by one who has the secret"] = forged(globex, settings_of(acme, SECRET), acme)
            transaction.set_rollback(True, using=eu())
        seen["kept"] = asked(eu(), f"SELECT name FROM {schema}.testapp_customer", f"SELECT name FROM {schema}.loose")
        late = make("late")
        with override_settings(TENANTKIT_SIGNED_CONTEXT="a guess"):
            seen["late, unsigned"] = [names(late), writes(late)]
        seen["late"] = [names(late), writes(late)]
        move(main, "schema", "eu")
        main = fresh(main)
        seen["moved"] = [names(main), writes(main)]
        seen["forged there"] = forged(globex, spoofed(main), main)["reads"]
    return seen


def rotated() -> Seen:
    """A secret is changed: shards are told by `migrate_tenants --guard`, and the audit says which were not."""
    acme, globex, main = world()
    seen: Seen = {}

    def all_names() -> list[list[str]]:
        return [names(one) for one in (acme, globex, main)]

    everywhere("old")
    with signing("new", "old"):
        seen["told nobody"] = [all_names(), writes(acme), found("signing")]
        call_command("migrate", verbosity=0, skip_checks=True)
        seen["told the main one"] = [all_names(), found("signing")]
        seen["told the shard"] = [guard(), all_names(), found("signing")]
    with signing("old"):
        seen["those who are not restarted"] = all_names()
    with signing("new"):
        call_command("migrate", verbosity=0, skip_checks=True)
        seen["withdrawn in the main one"] = found("signing")
        with signing("old"):
            seen["and counts in the shard"] = all_names()
        seen["withdrawn in the shard"] = [guard(), found("signing"), all_names()]
    with signing("old"):
        seen["counts nowhere"] = [all_names(), writes(globex)]
    with signing():
        seen["off"] = [all_names(), found("policy.extra", "signing")]
        everywhere()
        seen["off everywhere"] = [all_names(), found("policy.extra", "signing")]
    return seen


STORIES: dict[str, Callable[[], Seen]] = {one.__name__: one for one in (signed, rotated)}
