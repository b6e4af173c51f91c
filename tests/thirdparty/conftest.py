"""Three tenants whose ids mean different things, made once; what the tests write stays, as in one long day of work."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction

from django_tenantkit import tenant_context
from django_tenantkit.isolation.schema import schema_name
from django_tenantkit.testing.tenants import make_tenant
from tests.databases import as_admin
from tests.drift import move_on, turn_round
from tests.thirdparty.pages import SLUGS, Browser

#: The tests need settings and packages that the others do not have: `make test-thirdparty`.
collect_ignore_glob = [] if settings.ROOT_URLCONF == "tests.thirdparty.urls" else ["test_*.py"]

#: Of whose tables ids are turned round: what every home has from its migrations.
TURNED = ("django_content_type", "auth_permission")


@pytest.fixture(scope="session")
def tenants(django_db_setup, django_db_blocker):
    """By slug. `acme` is as it was made. In the others ids have moved on, and those of content types and permissions
    are other rows'."""
    with django_db_blocker.unblock():
        with transaction.atomic():
            made = {slug: make_tenant(slug, isolation="schema") for slug in SLUGS}
        with as_admin(connection.settings_dict["NAME"]) as admin:
            for place, tenant in enumerate(made.values()):
                if place:
                    for table in TURNED:
                        turn_round(admin, schema_name(tenant.uid), table, by=2 * place)
                    move_on(admin, schema_name(tenant.uid), by=place)
        for slug, tenant in made.items():
            with tenant_context(tenant):
                boss = User(username="boss", email=f"boss@{slug}.org", is_staff=True, is_superuser=True)
                boss.set_password(f"{slug}'s secret")
                boss.save()
        yield made


@pytest.fixture(scope="session")
def clients(tenants, django_db_blocker):
    """Who may do everything in each tenant, logged in, by slug."""
    with django_db_blocker.unblock():
        found = {slug: Browser(tenant) for slug, tenant in tenants.items()}
        for slug, client in found.items():
            login = {"username": "boss", "password": f"{slug}'s secret"}
            assert client.post("/admin/login/?next=/admin/", login).status_code == 302
        yield found


@pytest.fixture(autouse=True)
def _database(django_db_blocker, tmp_path_factory):
    settings.MEDIA_ROOT = str(tmp_path_factory.getbasetemp() / "media")
    with django_db_blocker.unblock():
        yield
