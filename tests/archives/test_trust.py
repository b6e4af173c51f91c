"""Whose archives are read, and what those that are may not do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from django_tenantkit import tenant_context
from django_tenantkit.exceptions import ArchiveRefused
from django_tenantkit.lifecycle.archive.exporting import export_tenant
from django_tenantkit.lifecycle.archive.importing import import_tenant
from django_tenantkit.models import Tenant
from tests.archives.conftest import postgresql
from tests.archives.forging import change_rows, forged
from tests.isolation.world import World
from tests.testapp.models import Customer, Invoice

pytestmark = postgresql


def test_one_of_an_older_key_is_good(two: World, archive: Path, settings: Any) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    import_tenant(archive, "copy")


def test_none_is_needed_where_somebody_says_so(two: World, archive: Path, settings: Any) -> None:
    settings.SECRET_KEY = "another"
    import_tenant(archive, "copy", trust_unsigned=True)


def test_the_same_number_twice(archive: Path, two: World, tmp_path: Path) -> None:
    with tenant_context(two.acme):
        Invoice.objects.create(customer=Customer.objects.first(), number="other")
    export_tenant(two.acme, tmp_path / "more.tar")
    same = forged(
        tmp_path / "more.tar",
        lambda found: change_rows(found, "testapp.Invoice", lambda row: row.update(number="1")),
    )
    with pytest.raises(ArchiveRefused, match="unique_invoice_number"):
        import_tenant(same, "copy")
    assert not Tenant.objects.filter(slug="copy").exists()


def test_a_user_cannot_be_made_with_rights(two: World, archive: Path) -> None:
    def change(entries: dict[str, bytes]) -> None:
        rows = [json.loads(line) for line in entries["shared/auth.User.id/00001.jsonl"].splitlines()]
        rows[0] |= {
            "name": ["newcomer"],
            "with": {"is_superuser": True, "is_staff": True, "password": "x", "id": 1, "email": "n@example.com"},
        }
        entries["shared/auth.User.id/00001.jsonl"] = b"".join(json.dumps(row).encode() + b"\n" for row in rows)

    job = import_tenant(forged(archive, change), "copy")
    user = get_user_model().objects.get(username="newcomer")
    assert job.result["users"] == ["newcomer"]
    assert (user.is_superuser, user.is_staff, user.has_usable_password(), user.email) == (
        False,
        False,
        False,
        "n@example.com",
    )
    assert not user.groups.exists()
