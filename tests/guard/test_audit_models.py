"""What migrations make of models is what the audit expects of them, for every shape of model and policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as project_settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models

from django_tenantkit.conf import conf
from django_tenantkit.constraints import GlobalRows, RoleRows, TenantUniqueConstraint, UserRows
from django_tenantkit.fields import TenantField
from django_tenantkit.lifecycle.audit.evidence import Evidence
from django_tenantkit.lifecycle.audit.expected import Expected, expected
from django_tenantkit.lifecycle.audit.finding import Finding
from django_tenantkit.lifecycle.audit.reader import Reader
from django_tenantkit.lifecycle.audit.run import audit, chosen
from django_tenantkit.lifecycle.signing import apply_signing
from django_tenantkit.sql.common import REFERENCE
from django_tenantkit.sql.roles import roles_of
from tests.guard.migrating import Project, Version, by_system, superuser

USER = project_settings.AUTH_USER_MODEL


def shared_rows() -> Version:
    version = Version()
    version.model(
        "Template",
        tenant=TenantField(null=True),
        base=models.ForeignKey("self", null=True, on_delete=models.CASCADE),
        meta={"constraints": [GlobalRows(name="p")]},
    )
    return version


def every_shape() -> Version:
    version = shared_rows()
    customer = version.model("Customer", name=models.CharField(max_length=50))
    version.model("Vip", customer, discount=models.IntegerField(default=0))
    version.model("Label", id=models.BigAutoField(primary_key=True), text=models.CharField(max_length=50))
    version.model(
        "Order",
        customer=models.ForeignKey("guarded.Customer", on_delete=models.RESTRICT),
        labels=models.ManyToManyField("guarded.Label"),
        before=models.ForeignKey("self", null=True, on_delete=models.CASCADE),
        number=models.CharField(max_length=20),
        meta={"constraints": [TenantUniqueConstraint(fields=["number"], name="guarded_number")]},
    )
    version.model("Profile", customer=models.OneToOneField("guarded.Customer", on_delete=models.CASCADE))
    version.model(
        "Draft",
        author=models.ForeignKey(USER, on_delete=models.CASCADE),
        meta={"constraints": [UserRows(user="author", roles=["editor", "o'neil"], name="p")]},
    )
    version.model(
        "Notice",
        author=models.ForeignKey(USER, on_delete=models.CASCADE),
        meta={"constraints": [UserRows(user="author", readable=True, name="p")]},
    )
    version.model("Ledger", meta={"constraints": [RoleRows(write=["accountant"], name="p")]})
    version.model(
        "Letter",
        template=models.ForeignKey("guarded.Template", on_delete=models.CASCADE),
        content_type=models.ForeignKey(ContentType, on_delete=models.CASCADE),
        object_id=models.CharField(max_length=40),
        subject=GenericForeignKey(),
        meta={"db_table": "Guarded Letters"},
    )
    return version


@pytest.fixture
def migrated(project: Project) -> Iterator[Project]:
    project.migrate(shared_rows())
    project.migrate(every_shape())
    yield project
    with superuser() as admin:
        admin.execute('DROP TABLE IF EXISTS "Guarded Letters" CASCADE')


def found(project: Project) -> tuple[Finding, ...]:
    """What an audit finds, with the app among the others."""
    ours, others = expected(project.state.apps, connection), expected(apps, connection)
    tables = {table.name: table for table in (*ours.tables, *others.tables)}
    wanted = Expected(tuple(tables.values()), ours.known | others.known, others.types | ours.types, others.statements)
    with by_system():
        connection.ensure_connection()
        evidence = Evidence(Reader(connection.connection), wanted, roles_of(connection.settings_dict), may_operate=True)
        assert len(evidence.tenant_tables) == 19 + 11
        # Homes of tenants are compared with these tables, and nobody migrated this app in them.
        return audit(evidence, chosen(skip=["home"])).findings


def test_every_shape_of_model_is_as_expected(migrated: Project) -> None:
    assert found(migrated) == ()


@pytest.mark.parametrize(
    ("policy", "table", "clause"),
    [
        ("tenantkit_rows", "guarded_draft", "USING (true) WITH CHECK (true)"),
        ("tenantkit_rows", "guarded_notice", "USING (true)"),
        ("tenantkit_rows_insert", "guarded_notice", "WITH CHECK (true)"),
        ("tenantkit_rows_update", "guarded_ledger", "WITH CHECK (true)"),
        ("tenantkit_limit", "guarded_template", "USING (true)"),
        ("tenantkit_own_select", "django_tenantkit_membership", "USING (true)"),
    ],
    ids=str,
)
def test_a_changed_policy_of_every_kind_is_found(migrated: Project, policy: str, table: str, clause: str) -> None:
    with superuser() as admin:
        admin.execute(f"ALTER POLICY {policy} ON {table} {clause}")
        (finding,) = found(migrated)
        home = "public" if table.startswith("django_tenantkit") else conf.ROW_SCHEMA or "public"
        assert (finding.id, finding.object) == ("policy.changed", f"{policy} on {home}.{table}")
        admin.execute(finding.cure)
    assert found(migrated) == ()


def test_signed_contexts_are_expected_where_the_settings_ask_for_them(migrated: Project, settings: Any) -> None:
    settings.TENANTKIT_SIGNED_CONTEXT = "secret"
    with superuser() as admin:
        homes = admin.execute("SELECT EXISTS (SELECT FROM pg_policy WHERE polname = 'tenantkit_home')").fetchone()
    expected = {"policy.missing": {"tenantkit_signed"}, "signing.keys": {"tenantkit.signing_keys"}}
    if homes == (True,):
        expected["signing.unasked"] = {f"{REFERENCE}.django_migrations"}
    objects: dict[str, set[str]] = {}
    for finding in found(migrated):
        objects.setdefault(finding.id, set()).add(finding.object.partition(" ")[0])
    assert objects == expected
    try:
        with by_system():
            apply_signing(connection)
        assert found(migrated) == ()
    finally:
        settings.TENANTKIT_SIGNED_CONTEXT = None
        with by_system():
            apply_signing(connection)
    assert found(migrated) == ()
