"""One test for each row of docs/reference/capabilities.md that is due here; each names its id."""

from __future__ import annotations

import io
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.core.checks import run_checks
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import connection
from django.http import JsonResponse
from django.test import Client, override_settings
from django.urls import path

from django_tenantkit import get_current_tenant, require_tenant, tenant_context, unscoped
from django_tenantkit.backends.postgresql.budget import budget
from django_tenantkit.constraints import RoleRows, UserRows
from django_tenantkit.decorators import tenant_required
from django_tenantkit.exceptions import NoCurrentTenant, TenantUnavailable
from django_tenantkit.isolation import ISOLATIONS
from django_tenantkit.lifecycle.limits import limit_of
from django_tenantkit.lifecycle.provision import provision
from django_tenantkit.models import Domain, Job, Membership, Tenant, TenantStatus
from django_tenantkit.testing.cases import TenantTestCase
from tests.isolation.world import KINDS
from tests.operating import operated
from tests.testapp.models import Customer, Invoice, Tag

PAGES = Path(__file__).parent.parent / "docs" / "reference"


@tenant_required
def whose(request):
    return JsonResponse({"tenant": require_tenant().slug, "customers": Customer.objects.count()})


urlpatterns = [path("whose/", whose)]

CHAIN = [
    "django_tenantkit.resolvers.HeaderResolver",
    "django_tenantkit.resolvers.SubdomainResolver",
    "django_tenantkit.resolvers.DomainResolver",
]
site = override_settings(
    ROOT_URLCONF=__name__, TENANTKIT_RESOLVERS=CHAIN, TENANTKIT_BASE_DOMAIN="example.com", ALLOWED_HOSTS=["*"]
)


@pytest.fixture
def acme(db):
    acme = Tenant.objects.create(slug="acme", name="Acme")
    with tenant_context(acme):
        Customer.objects.create(name="first")
    return acme


@pytest.fixture
def member(acme):
    user = get_user_model().objects.create_user("member", password="secret")
    Membership.objects.create(user=user, tenant=acme)
    return user


def test_a1_a_tenant_has_a_name_a_slug_domains_a_plan_settings_and_a_status(db):
    tenant = Tenant.objects.create(slug="acme", name="Acme", plan="pro", settings={"theme": "dark"})
    operated(Domain.objects.create, tenant=tenant, domain="App.Acme.ORG.", is_primary=True)
    tenant.refresh_from_db()
    assert tenant.is_active
    assert tenant.uid.version == 7
    assert tenant.settings["theme"] == "dark"
    assert [domain.domain for domain in tenant.domains.all()] == ["app.acme.org"]


@pytest.mark.parametrize("name", ["example.com", "acme.example.com", "a.b.example.com", "nonsense", "1.2.3.4"])
def test_a1_a_domain_at_or_under_the_base_domain_is_refused(acme, name):
    with override_settings(TENANTKIT_BASE_DOMAIN="example.com"), pytest.raises(ValidationError):
        operated(Domain.objects.create, tenant=acme, domain=name)


def test_a3_rows_filter_themselves_and_fill_in_their_tenant(acme):
    globex = Tenant.objects.create(slug="globex", name="Globex")
    with tenant_context(globex):
        assert Customer.objects.create(name="second").tenant == globex
        assert [customer.name for customer in Customer.objects.all()] == ["second"]


@site
@pytest.mark.parametrize(
    ("host", "status"),
    [("acme.example.com", 200), ("www.example.com", 400), ("api.example.com", 400), ("no.example.com", 404)],
)
def test_a4_the_subdomain_names_the_tenant_and_reserved_names_do_not(acme, host, status):
    assert Client().get("/whose/", headers={"host": host}).status_code == status


@site
def test_a4_a_custom_domain_names_the_tenant_once_it_is_verified(acme):
    domain = operated(Domain.objects.create, tenant=acme, domain="shop.acme.org")
    assert Client().get("/whose/", headers={"host": "shop.acme.org"}).status_code == 404
    domain.verified_at = acme.created_at
    operated(domain.save)
    assert Client().get("/whose/", headers={"host": "shop.acme.org"}).json() == {"tenant": "acme", "customers": 1}


@site
def test_a4_the_header_names_the_tenant_for_its_members(acme, member):
    client = Client()
    client.force_login(member)
    for name in ("acme", str(acme.uid)):
        answer = client.get("/whose/", headers={"host": "example.com", "x-tenant-id": name})
        assert answer.json() == {"tenant": "acme", "customers": 1}


def test_a6_serializers_set_the_tenant_and_never_show_it(acme):
    serializers = pytest.importorskip("rest_framework.serializers")
    meta = type("Meta", (), {"model": Tag, "fields": "__all__"})
    serializer_class = type("TagSerializer", (serializers.ModelSerializer,), {"Meta": meta})
    with tenant_context(acme):
        serializer = serializer_class(data={"label": "new", "tenant": 999})
        serializer.is_valid(raise_exception=True)
        assert serializer.save().tenant == acme
        assert set(serializer.data) == {"id", "label"}


class TestA9(TenantTestCase):
    """A9: a test case with two tenants."""

    def test_each_tenant_sees_its_own(self):
        Customer.objects.create(name="own")
        with tenant_context(self.other_tenant):
            Customer.objects.create(name="other")
        assert [customer.name for customer in Customer.objects.all()] == ["own"]

    def test_the_test_runs_in_its_tenant(self):
        assert get_current_tenant() == self.tenant


@site
def test_e6_a_malformed_id_is_a_400(acme):
    headers = {"host": "example.com", "x-tenant-id": "not a tenant!"}
    assert Client().get("/whose/", headers=headers).status_code == 400


@site
def test_e6_the_tenant_is_cleared_after_the_request(acme):
    assert Client().get("/whose/", headers={"host": "acme.example.com"}).status_code == 200
    assert get_current_tenant() is None


def test_e6_without_a_tenant_it_is_required_in_vain(db):
    with pytest.raises(NoCurrentTenant):
        require_tenant()


@site
def test_e10_a_tenant_that_the_client_names_counts_only_for_its_members(acme):
    stranger = get_user_model().objects.create_user("stranger")
    headers = {"host": "example.com", "x-tenant-id": "acme"}
    client = Client()
    anonymous = client.get("/whose/", headers=headers)
    client.force_login(stranger)
    assert anonymous.status_code == client.get("/whose/", headers=headers).status_code == 404


@site
def test_f5_nothing_names_a_tenant(acme):
    assert Client().get("/whose/", headers={"host": "example.com"}).status_code == 400


@site
def test_f5_resolvers_that_do_not_agree(acme, member):
    Tenant.objects.create(slug="globex", name="Globex")
    client = Client()
    client.force_login(member)
    answer = client.get("/whose/", headers={"host": "globex.example.com", "x-tenant-id": "acme"})
    assert answer.status_code == 400


def test_f10_provisioning_makes_everything_in_one_step(db, mailoutbox):
    tenant = provision("acme", name="Acme", admin_email="boss@acme.org", plan="pro", settings={"theme": "dark"})
    assert (tenant.status, tenant.plan, tenant.settings) == (TenantStatus.ACTIVE, "pro", {"theme": "dark"})
    assert Membership.objects.get(tenant=tenant).user.email == "boss@acme.org"
    assert Job.objects.get(slug="acme").state == "done"


def test_f11_the_automatic_index_of_a_foreign_key_is_led_by_the_tenant(db, django_assert_num_queries):
    from django.db import connection

    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, Invoice._meta.db_table).values()
    assert ["tenant_id", "customer_id"] in [constraint["columns"] for constraint in found if constraint["index"]]


def test_f11_the_checks_find_nothing_wrong_with_the_indexes_here(db):
    assert [
        message
        for message in run_checks()
        if message.id and message.id.startswith("tenantkit.") and "index" in message.msg
    ] == []


postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL only")


def answer(query, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()


@postgresql
def test_f1_raw_sql_sees_the_rows_of_the_sessions_tenant(acme):
    globex = Tenant.objects.create(slug="globex", name="Globex")
    rows = f"SELECT name FROM {Customer._meta.db_table}"
    with tenant_context(acme):
        assert answer(rows) == [("first",)]
    with tenant_context(globex):
        assert answer(rows) == []
    assert answer(rows) == []


@postgresql
def test_f2_the_session_knows_who_acts(acme, member):
    with tenant_context(acme, user=member, roles=["admin"]):
        known = "SELECT tenantkit.current_tenant(), tenantkit.current_user_id(), tenantkit.has_role('owner', 'admin')"
        assert answer(known) == [(str(acme.pk), str(member.pk), True)]


@postgresql
def test_f3_presets_say_who_in_the_tenant_may_do_what(db):
    own = UserRows(user="owner", roles=["admin"], name="own").policies(Invoice, connection)
    texts = {policy.name: f"{policy.using} {policy.check}" for policy in own}
    assert "tenantkit.user" in texts["tenantkit_rows"]
    assert "tenantkit.roles" in texts["tenantkit_rows"]
    by_command = RoleRows(write=["admin"], name="roles").policies(Invoice, connection)
    assert {policy.command for policy in by_command if policy.name.startswith("tenantkit_rows")} == {
        "SELECT", "INSERT", "UPDATE", "DELETE",
    }  # fmt: skip


@postgresql
def test_f7_operators_count_over_all_tenants(acme):
    with tenant_context(Tenant.objects.create(slug="globex", name="Globex")):
        Customer.objects.create(name="second")
    with unscoped(reason="monthly report"):
        assert Customer.objects.count() == 2
        assert answer(f"SELECT count(*) FROM {Customer._meta.db_table}") == [(2,)]


@postgresql
def test_i1_every_row_has_a_tenant_and_references_contain_it(db):
    keys = answer(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f'",
        Invoice._meta.db_table,
    )
    nullable = answer(
        "SELECT attrelid::regclass::text FROM pg_attribute WHERE attname = 'tenant_id' AND NOT attnotnull "
        "AND attrelid = %s::regclass",
        Invoice._meta.db_table,
    )
    assert any("(tenant_id, customer_id) REFERENCES" in key for (key,) in keys)
    assert nullable == []


def test_f4_rows_schemas_and_databases_in_one_deployment():
    """Each of these runs has the whole suite of isolation; the last ones have two or three kinds in one process."""
    assert set(ISOLATIONS) == {"row", "schema", "database"}
    assert {"schema", "database", "mixed"} <= set(KINDS)
    ci = (PAGES.parent.parent / ".ci" / "run").read_text()
    makefile = (PAGES.parent.parent / "Makefile").read_text()
    assert "make test-isolations" in ci
    assert "TENANTKIT_TEST_ISOLATION=mixed" in makefile


class Open:
    """An open connection."""

    closed = False


class Wrapper:
    """A connection to a tenant's database, as the budget sees it."""

    def __init__(self, group: dict[str, Wrapper], used: int, *, busy: bool = False) -> None:
        self.group, self.used, self.busy = SimpleNamespace(homes=group), used, busy
        self.physical = Open()
        self.connection: Open | None = self.physical
        budget.count(self.physical)
        group[str(used)] = self

    def is_idle(self) -> bool:
        return not self.busy

    def close(self) -> None:
        self.physical.closed, self.connection = True, None


def test_f6_connections_to_tenants_databases_are_pooled_and_idle_ones_closed(settings):
    settings.TENANTKIT_DATABASE_CONNECTIONS, settings.TENANTKIT_DATABASE_WAIT = budget.open() + 3, 0
    group: dict[str, Wrapper] = {}
    first, second, third = (Wrapper(group, used, busy=used == 1) for used in (1, 2, 3))
    asking = SimpleNamespace(group=SimpleNamespace(homes=group))
    with budget.room(asking):
        assert [one.physical.closed for one in (first, second, third)] == [False, True, False]
    third.busy = True
    fourth = Wrapper(group, 4, busy=True)
    with pytest.raises(TenantUnavailable, match="TENANTKIT_DATABASE_CONNECTIONS"), budget.room(asking):
        pytest.fail("there is no room")
    for one in (first, third, fourth):
        one.close()


def test_f13_large_tenants_may_have_more_connections_than_small_ones(settings):
    settings.TENANTKIT_DATABASE_LIMITS = {"large": 50, "small": 5}
    settings.TENANTKIT_DATABASE_LIMIT = 20
    assert [limit_of(plan) for plan in ("large", "small", "")] == [50, 5, 20]


@postgresql
def test_i2_security_comes_with_the_tables_and_is_verified(transactional_db):
    output = io.StringIO()
    call_command("check_tenants", stdout=output, only=["rls", "policy"])
    with connection.as_system():
        query = "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = %s::regclass"
        assert answer(query, Invoice._meta.db_table) == [(True,)]


@postgresql
@pytest.mark.django_db(transaction=True)
def test_f9_a_tenant_is_exported_as_json_and_imported_as_another(transactional_db, tmp_path, settings):
    settings.TENANTKIT_ARCHIVE_KEYS = {"testapp.Plan": ["name"], "testapp.Region": ["name"]}
    acme = Tenant.objects.create(slug="acme", name="Acme")
    with tenant_context(acme):
        Customer.objects.create(name="first")
    call_command("export_tenant", "acme", str(tmp_path / "acme.tar"), stdout=io.StringIO())
    call_command("import_tenant", str(tmp_path / "acme.tar"), "--as", "copy", stdout=io.StringIO())
    with tenant_context(Tenant.objects.get(slug="copy")):
        assert Customer.objects.get().name == "first"
    with tenant_context(acme):
        Customer.objects.update(name="changed")
    call_command("import_tenant", str(tmp_path / "acme.tar"), "--on-conflict", "update", stdout=io.StringIO())
    with tenant_context(acme):
        assert Customer.objects.get().name == "first"


@postgresql
def test_i3_defaults_and_triggers_know_the_tenant(acme):
    with tenant_context(acme):
        answer_of_a_default = "SELECT tenantkit.current_tenant()::bigint = tenant_id FROM " + Customer._meta.db_table
        assert answer(answer_of_a_default) == [(True,)]


def test_i9_the_tests_of_isolation_run_in_each_isolation():
    assert {"row", "schema", "mixed"} <= set(KINDS)
    assert "make test-isolations" in (PAGES.parent.parent / ".ci" / "run").read_text()


def test_every_row_is_documented_and_tested():
    table = re.findall(r"^\| ([A-Z]\d+) \|", (PAGES / "capabilities.md").read_text(), re.MULTILINE)
    here = {
        name.upper()
        for name in re.findall(r"def test_([a-z]\d+)_|class Test([A-Z]\d+)", Path(__file__).read_text())
        for name in name
        if name
    }
    assert set(table) - {"A8"} == here  # A8 is the README's, in tests/acceptance


@pytest.mark.parametrize(
    ("written", "name"), [("bücher.example", "xn--bcher-kva.example"), ("BÜCHER.example", "xn--bcher-kva.example")]
)
def test_a1_a_domain_with_other_letters_is_encoded(acme, written, name):
    assert operated(Domain.objects.create, tenant=acme, domain=written).domain == name


def test_a1_a_domain_that_browsers_encode_differently_is_refused(acme):
    with pytest.raises(ValidationError, match="xn--"):
        operated(Domain.objects.create, tenant=acme, domain="faß.example")
