"""`python -m tests.migrating.with_kinds`: homes with content types and permissions of their own lose those of a model
and are migrated, once by a migration of columns and once by another. Prints how many each home then has, and how many
messages the homes behind the first one took. A process of its own, as Django has to start with such apps."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import Any
from unittest.mock import patch

import django
from django.core.management import call_command
from django.db import connection
from django.db.backends.utils import CursorWrapper

MIGRATIONS = {
    "0002_columns": """migrations.AddField("thing", "size", models.IntegerField(default=5)),""",
    "0003_options": """migrations.AlterModelOptions("thing", options={"verbose_name": "item"}),""",
}

LOSE = """
DELETE FROM {0}.auth_permission WHERE codename LIKE '%_thing';
DELETE FROM {0}.django_content_type WHERE model = 'thing'
"""
COUNT = """
SELECT (SELECT count(*) FROM {0}.django_content_type WHERE model = 'thing'),
    (SELECT count(*) FROM {0}.auth_permission WHERE codename LIKE '%_thing')
"""


def main() -> None:
    django.setup()
    from django_tenantkit.isolation.schema import schema_name
    from django_tenantkit.lifecycle.places import make_place
    from tests.migrating.project import HANDED_DOWN, HEAD, ask, tell

    given = json.loads(os.environ[HANDED_DOWN])
    call_command("migrate", verbosity=0)
    tell("DELETE FROM django_tenantkit_place")  # made of other apps
    schemas = sorted(schema_name(make_place("schema").uid) for _ in range(3))
    after, found = "0001_initial", {}
    for name, operations in MIGRATIONS.items():
        text = HEAD.format(extra="", after=after, atomic=True, operations=operations, replaces="[]")
        (Path(given["root"]) / given["package"] / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        after = name
        call_command("migrate", verbosity=0)
        for schema in schemas:
            tell(LOSE.format(schema))
        sent = messages(lambda: call_command("migrate_tenants", all_tenants=True, workers=1, verbosity=0))
        found[name] = {
            "rows": [ask(COUNT.format(schema))[0] for schema in schemas],
            "messages": [sum(schema in text for text in sent) for schema in schemas[1:]],
        }
    connection.close()
    print(json.dumps(found))


def messages(work: Any) -> list[str]:
    """What is sent meanwhile, by any thread."""
    sent: list[str] = []
    execute = CursorWrapper._execute

    def note(self: Any, sql: Any, params: Any, *rest: Any) -> Any:
        sent.append(str(sql))
        return execute(self, sql, params, *rest)

    with patch.object(CursorWrapper, "_execute", note):
        work()
    return sent


if __name__ == "__main__":
    main()
