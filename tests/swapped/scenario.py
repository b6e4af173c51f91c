"""Run as a program, in a project of its own: `python -m tests.swapped.scenario DIRECTORY`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.operating import operated


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    package = Path(sys.argv[1]) / "swapped_migrations"
    package.mkdir()
    (package / "__init__.py").touch()

    import django

    django.setup()

    from django.apps import apps
    from django.core.management import call_command
    from django.db import IntegrityError, connection, transaction

    from django_tenantkit import tenant_context
    from django_tenantkit.models import Membership
    from tests.swapped.models import Company, CompanyDomain, Item, Label, SpecialItem

    call_command("makemigrations", "swapped", verbosity=0)
    written = next(package.glob("0001*.py")).read_text()
    assert "TENANTKIT_TENANT_MODEL" in written or "swapped" in written
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
    call_command("migrate", verbosity=0)
    assert "django_tenantkit_tenant" not in connection.introspection.table_names()

    acme = Company.objects.create(slug="acme", name="Acme", vat_number="1")
    globex = Company.objects.create(slug="globex", name="Globex", vat_number="2")
    assert acme.pk == acme.uid
    for company in (acme, globex):
        with tenant_context(company):
            item = Item.objects.create(code="A")
            item.labels.add(Label.objects.create(name=company.slug))
            SpecialItem.objects.create(code="B", extra=company.slug)
    for company in (acme, globex):
        with tenant_context(company):
            assert Item.objects.count() == 2
            assert [item.extra for item in SpecialItem.objects.all()] == [company.slug]
            assert Item.objects.filter(labels__name=company.slug).get().tenant == company
            assert Item.labels.through.objects.get().tenant_id == company.uid
    with tenant_context(acme):
        try:
            with transaction.atomic():
                Item.objects.create(code="A")
        except IntegrityError:
            pass
        else:
            raise AssertionError("a duplicate was accepted")
    user = apps.get_model("auth", "User").objects.create(username="u")
    Membership.objects.create(tenant=acme, user=user)
    operated(CompanyDomain.objects.create, tenant=acme, domain="acme.org")
    assert acme.memberships.get().user == user
    print("as expected")


if __name__ == "__main__":
    main()
