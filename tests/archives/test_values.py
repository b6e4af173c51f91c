"""Values come out as they went in, to the last digit: compared as PostgreSQL writes them."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from hypothesis import HealthCheck, given, settings, strategies

from django_tenantkit import tenant_context
from django_tenantkit.lifecycle.archive.exporting import export_tenant
from django_tenantkit.lifecycle.archive.importing import import_tenant
from django_tenantkit.testing.tenants import make_tenant
from tests.archives.conftest import KEYS, postgresql
from tests.databases import ISOLATION
from tests.settings import INSTALLED_APPS

pytestmark = [postgresql, pytest.mark.skipif(ISOLATION != "row", reason="the table is made where row tenants are")]

TEXT = strategies.text(strategies.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
JSON = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers() | TEXT,
    lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
DAYS = strategies.dates(min_value=datetime.date(1, 1, 1))
ROWS = strategies.fixed_dictionaries(
    {
        "text": TEXT,
        "big": strategies.integers(-(2**63), 2**63 - 1) | strategies.none(),
        "exact": strategies.decimals(
            allow_nan=False, allow_infinity=False, places=15, min_value=-(10**24), max_value=10**24
        ),
        "real": strategies.floats(),
        "data": strategies.binary(max_size=20),
        "json": JSON,
        "at": strategies.datetimes(timezones=strategies.just(datetime.UTC), min_value=datetime.datetime(2, 1, 1)),  # noqa: DTZ001
        "day": DAYS,
        "time": strategies.times(),
        "span": strategies.timedeltas(datetime.timedelta(days=-(10**6)), datetime.timedelta(days=10**6)),
        "address": strategies.ip_addresses().map(str),
        "words": strategies.lists(TEXT | strategies.none(), max_size=3),
        "squares": strategies.none() | strategies.lists(strategies.just([1, -2]), min_size=1, max_size=3),
        "flag": strategies.booleans() | strategies.none(),
        "odd_name": TEXT,
    }
)
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def oddity(django_db_setup: None, django_db_blocker: Any) -> Iterator[Any]:
    apps = [*INSTALLED_APPS, "tests.archives"]
    with django_db_blocker.unblock(), override_settings(INSTALLED_APPS=apps, TENANTKIT_ARCHIVE_KEYS=KEYS):
        from tests.archives.models import Oddity

        with connection.schema_editor() as editor:
            editor.create_model(Oddity)
        yield Oddity
        call_command("flush", interactive=False, verbosity=0)
        with connection.schema_editor() as editor:
            editor.delete_model(Oddity)


def as_text(model: Any, tenant: Any) -> list[str]:
    """The tenant's rows as PostgreSQL writes them, without keys."""
    names = [connection.ops.quote_name(field.column) for field in model._meta.local_concrete_fields]
    wanted = ", ".join(name.replace("%", "%%") for name in names if name not in ('"id"', '"tenant_id"'))
    with connection.as_system(), connection.cursor() as cursor:
        cursor.execute(f"SELECT ROW({wanted})::text FROM archives_oddity WHERE tenant_id = %s ORDER BY 1", [tenant.pk])
        return [text for (text,) in cursor.fetchall()]


def there_and_back(oddity: Any, tenant: Any, folder: Path) -> None:
    before, slug = as_text(oddity, tenant), f"copy{next(NUMBERS)}"
    export_tenant(tenant, folder / f"{slug}.tar")
    copy = import_tenant(folder / f"{slug}.tar", slug).tenant
    assert as_text(oddity, copy) == before
    assert before


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=strategies.lists(ROWS, min_size=1, max_size=5))
def test_whatever_it_is(oddity: Any, tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    tenant = make_tenant(f"tenant{next(NUMBERS)}")
    with tenant_context(tenant):
        oddity.objects.bulk_create(oddity(**row) for row in rows)
    there_and_back(oddity, tenant, tmp_path)


@pytest.mark.parametrize(
    "values",
    [
        {"real": -0.0},
        {"real": float("nan")},
        {"real": float("inf")},
        {"real": 5e-324},
        {"exact": Decimal("0.100000000000000")},
        {"json": {"b": 1.50, "a": [10**40, "\\", "\u2028"]}},
        {"json": "a string"},
        {"text": "\\.\n\r\t\\N \x01\x02\x1f \U0001f600"},
        {"data": bytes(range(256))},
        {"words": []},
        {"words": ["{", "}", '"', "\\", None, "NULL", ""]},
        {"squares": [[1, 2], [3, 4]]},
        {"span": datetime.timedelta(days=400, microseconds=1)},
    ],
    ids=repr,
)
def test_what_json_would_lose(oddity: Any, tmp_path: Path, values: dict[str, Any]) -> None:
    tenant = make_tenant(f"tenant{next(NUMBERS)}")
    with tenant_context(tenant):
        oddity.objects.create(**values)
    there_and_back(oddity, tenant, tmp_path)


@pytest.mark.parametrize(
    "values",
    [
        "at = 'infinity', day = '-infinity'",
        "at = '0044-03-15 12:00 BC', day = '0044-03-15 BC'",
        "exact = 'NaN'",
        "span = '1 year 2 months -3 days 04:05:06.000007'",
        "words = '[5:6]={a,b}'",
        "during = '[2020-01-01, infinity)'",
        "json = 'null'",
    ],
)
def test_what_only_postgresql_has(oddity: Any, tmp_path: Path, values: str) -> None:
    tenant = make_tenant(f"tenant{next(NUMBERS)}")
    with tenant_context(tenant):
        oddity.objects.create(text="one")
    with connection.as_system(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE archives_oddity SET {values} WHERE tenant_id = %s", [tenant.pk])
    there_and_back(oddity, tenant, tmp_path)
