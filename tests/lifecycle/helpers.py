"""What the tests of the lifecycle share."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from django_tenantkit import get_current_tenant
from django_tenantkit.models import Job, Tenant, TenantStatus
from tests.databases import HANDED_DOWN
from tests.testapp.models import Customer, Tag

STEPS = "django_tenantkit.lifecycle.steps"

#: Everything a new tenant can be asked to have.
WANTED: dict[str, Any] = {
    "name": "Acme Ltd",
    "domain": "shop.acme.org",
    "domain_verified": True,
    "admin_email": "ann@acme.org",
    "plan": "gold",
    "settings": {"theme": "dark"},
}


def fill(tenant: Tenant) -> None:
    """Default data."""
    Customer.objects.create(name=f"first of {tenant.slug}")


def own_step(job: Job) -> None:
    """A step of the adopter's own."""
    Tag.objects.create(label=f"own {get_current_tenant()}")


def failing_step(job: Job) -> None:
    Tag.objects.create(label="lost")
    raise RuntimeError("no such luck")


def do_nothing(job: Job) -> None: ...


def erased(slug: str, *, days_ago: int, **fields: Any) -> Tenant:
    """A tenant that was erased."""
    when = timezone.now() - timedelta(days=days_ago)
    return Tenant.objects.create(slug=slug, name=slug, status=TenantStatus.ERASED, erased_at=when, **fields)


class Ran:
    """How a command ended: its exit code, what it printed, and its one line of complaint."""

    def __init__(self, *command: str) -> None:
        out = io.StringIO()
        self.code, self.complaint = 0, ""
        try:
            call_command(*command, stdout=out)
        except CommandError as error:
            self.code, self.complaint = error.returncode, str(error)
        self.out = out.getvalue()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def child(module: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """A Python process on the database of this test."""
    settings = json.loads(os.environ[HANDED_DOWN]) | {"NAME": connection.settings_dict["NAME"]}
    environment = os.environ | {HANDED_DOWN: json.dumps(settings), "DJANGO_SETTINGS_MODULE": "tests.settings"}
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env=environment | options.pop("env", {}),
        cwd=Path(__file__).parents[2],
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
        **options,
    )
