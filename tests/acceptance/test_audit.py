"""`check_tenants` on the example project's own database: nothing to find, and each fault that is planted."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from .conftest import ROOT, Site

#: What the owner of the tables can break, what it is found as, and on what.
FAULTS = {
    "rls.off": ("ALTER TABLE work_task DISABLE ROW LEVEL SECURITY", "rows.work_task"),
    "policy.missing": ("DROP POLICY tenantkit_limit ON shop_order", "tenantkit_limit on rows.shop_order"),
    "policy.changed": (
        "ALTER POLICY tenantkit_rows ON shop_order USING (true)",
        "tenantkit_rows on rows.shop_order",
    ),
    "policy.opening": ("CREATE POLICY support ON shop_customer USING (true)", "support on rows.shop_customer"),
    "trigger.missing": ("DROP TRIGGER tenantkit_tenant ON work_label", "tenantkit_tenant on rows.work_label"),
    "view.definer": ("CREATE VIEW public.everything AS SELECT * FROM shop_order", "public.everything"),
    "grant.excessive": ("GRANT TRUNCATE ON work_task TO {application}", "rows.work_task"),
    "unique.without-tenant": ("CREATE UNIQUE INDEX names ON shop_product (id, name)", "rows.names"),
}


class Audited:
    """The demo's database: the audit of it, and a connection of the system, as the owner."""

    def __init__(self, printed: str) -> None:
        line = re.search(r"^  (DATABASE_URL=.*) \S+ manage.py list_tenants$", printed, re.MULTILINE)
        assert line, printed
        self.environment = dict(part.split("=", 1) for part in shlex.split(line[1]))
        self.system = psycopg.connect(self.environment["SYSTEM_DATABASE_URL"], autocommit=True)
        roles = {
            role: f"{self.system.info.dbname}_{name}" for role, name in (("owner", "owner"), ("application", "app"))
        }
        self.roles = {role: sql.Identifier(name).as_string() for role, name in roles.items()}
        self.system.execute(f"SET ROLE {self.roles['owner']}")
        self.system.execute("SET search_path TO rows, public")

    def audit(self) -> tuple[int, list[Any]]:
        """The exit code and the findings."""
        done = subprocess.run(
            [sys.executable, "manage.py", "check_tenants", "--format", "json"],
            cwd=ROOT,
            env={**os.environ, **self.environment, "DJANGO_SETTINGS_MODULE": "example_project.settings"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)["findings"]


@pytest.fixture(scope="module")
def audited(site: Site) -> Iterator[Audited]:
    found = Audited(site.printed)
    yield found
    found.system.close()


def test_the_example_project_has_no_faults(audited: Audited) -> None:
    assert audited.audit() == (0, [])


@pytest.mark.parametrize("id", FAULTS)
def test_a_planted_fault_is_found_and_cured(audited: Audited, id: str) -> None:
    plant, about = FAULTS[id]
    audited.system.execute(plant.format(**audited.roles))
    code, (finding, *others) = audited.audit()
    # globex has a schema, and initech a database, which differ from these tables now
    assert all(other["id"].startswith(("home.", "database.")) for other in others)
    assert (code, finding["id"], finding["object"]) == (1, id, about)
    audited.system.execute(finding["cure"])


def test_the_cures_leave_nothing_to_find(audited: Audited) -> None:
    assert audited.audit() == (0, [])
