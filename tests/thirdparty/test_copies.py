"""A home of three projects' tables, made again from what the catalog says of it."""

from __future__ import annotations

import psycopg
import pytest
from django.db import connection

from django_tenantkit.isolation.schema import schema_name
from django_tenantkit.lifecycle.snapshot import differences, take
from tests.databases import as_admin

pytestmark = pytest.mark.thirdparty


def test_a_copy_of_a_home_is_the_same_to_the_last_name(tenants):
    schema = schema_name(tenants["globex"].uid)
    with (
        as_admin(connection.settings_dict["NAME"]) as admin,
        psycopg.ClientCursor(admin) as cursor,
        admin.transaction(force_rollback=True),
    ):
        cursor.execute(take(cursor, schema).script("t_copy_of_all_3"))
        assert differences(cursor, schema, "t_copy_of_all_3") == []
