"""`python -m tests.guard.on_postgis`, in a process of its own: DATABASES in the environment, answers as JSON."""

from __future__ import annotations

import json
import os

import django
from django.conf import settings

ENTRY = json.loads(os.environ["POSTGIS_DATABASE"])
ROLES = json.loads(os.environ["POSTGIS_ROLES"])

settings.configure(
    SECRET_KEY="tests only",
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.gis", "django_tenantkit"],
    DATABASES={"default": ENTRY | {"ENGINE": "django_tenantkit.backends.postgis"}},
    TENANTKIT_SYSTEM_DATABASE={"USER": ROLES[3]},
    **dict(zip(("TENANTKIT_OWNER_ROLE", "TENANTKIT_APPLICATION_ROLE", "TENANTKIT_OPERATOR_ROLE"), ROLES, strict=False)),
)
django.setup()

from django.contrib.gis.db import models  # noqa: E402
from django.contrib.gis.geos import Point  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from django_tenantkit import tenant_context  # noqa: E402
from django_tenantkit.models import TenantModel  # noqa: E402
from django_tenantkit.testing.tenants import make_tenant  # noqa: E402


class Place(TenantModel):
    """A row with a place."""

    where = models.PointField()

    class Meta:
        app_label = "auth"


def main() -> None:
    """Two tenants, each with a place, looked for near both."""
    call_command("migrate", verbosity=0, skip_checks=True)
    with connection.schema_editor() as editor:
        editor.create_model(Place)
    tenants = [make_tenant("acme"), make_tenant("globex")]
    for number, tenant in enumerate(tenants):
        with tenant_context(tenant):
            Place.objects.create(where=Point(number, number))
    with tenant_context(tenants[0]), connection.cursor() as cursor:
        near = Place.objects.filter(where__bboverlaps=Point(0, 0).buffer(5))
        cursor.execute(f"SELECT ST_AsText({connection.ops.quote_name('where')}) FROM {Place._meta.db_table}")
        print(json.dumps({"orm": [place.where.coords for place in near], "sql": cursor.fetchall()}))


if __name__ == "__main__":
    main()
