"""`python -m tests.archives.other ARCHIVE BACK MEDIA`: another deployment. It migrates its own database, whose shared
rows and content types have other keys, loads the archive, and writes one of its own. Prints what was seen, as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection


def prepare() -> None:
    """Other rows came before, and content types in another order."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.management import create_permissions
    from django.contrib.contenttypes.models import ContentType

    from django_tenantkit import unscoped
    from tests.testapp.models import Plan, Region

    call_command("migrate", verbosity=0, interactive=False)
    call_command("migrate", verbosity=0, interactive=False, run_syncdb=True)
    with connection.as_system(), connection.cursor() as cursor:
        for model in (ContentType, Plan, Region, get_user_model()):
            cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), 1000000)", [model._meta.db_table])
    with unscoped(reason="test", rows_only=True):
        ContentType.objects.all().delete()
    for model in reversed(apps.get_models()):
        ContentType.objects.get_for_model(model, for_concrete_model=False)
    for config in apps.get_app_configs():
        create_permissions(config, verbosity=0)
    for number in range(5):
        Plan.objects.create(name=f"other {number}")
        Region.objects.create(name=f"other {number}")
        get_user_model().objects.create(username=f"other {number}", is_superuser=True)


def keys() -> dict[str, Any]:
    """The keys of what the archive names."""
    from django.contrib.auth import get_user_model
    from django.contrib.contenttypes.models import ContentType

    from tests.testapp.models import Customer, Plan

    return {
        "plan": Plan.objects.get(name="basic").pk,
        "user": get_user_model().objects.get(username="user").pk,
        "kind": ContentType.objects.get_for_model(Customer).pk,
    }


def said(function: Any, *given: Any, **more: Any) -> str:
    from django_tenantkit.exceptions import ArchiveRefused

    try:
        function(*given, **more)
    except ArchiveRefused as error:
        return str(error)
    return "done"


def main(archive: str, back: str, media: str) -> None:
    django.setup()
    settings.MEDIA_ROOT = media
    from django.contrib.auth import get_user_model

    from django_tenantkit.lifecycle.archive.exporting import export_tenant
    from django_tenantkit.lifecycle.archive.importing import import_tenant
    from django_tenantkit.models import Tenant
    from tests.archives.graph import graph
    from tests.archives.test_files import contents
    from tests.testapp.models import Plan, Region

    prepare()
    found: dict[str, Any] = {"database": connection.settings_dict["NAME"]}
    found["unsigned"] = said(import_tenant, archive)
    found["missing"] = said(import_tenant, archive, trust_unsigned=True)
    found["nothing"] = not Tenant.objects.exists()
    Plan.objects.create(name="basic")
    Region.objects.create(name="north")
    job = import_tenant(archive, trust_unsigned=True)
    user = get_user_model().objects.get(username="user")
    found |= {
        "keys": keys(),
        "graph": graph(job.tenant, by_name=True),
        "files": {text: None if data is None else data.decode() for text, data in contents(job.tenant).items()},
        "remapped": job.result["remapped"],
        "user": [user.is_superuser, user.is_staff, user.has_usable_password()],
        "domains": list(job.tenant.domains.values_list("domain", "verified_at")),
        "others": get_user_model().objects.filter(username__startswith="other", is_superuser=True).count(),
    }
    export_tenant(job.tenant, back, files=True)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
