"""The commands as processes: exit codes of the shell, stderr, and stdin."""

from __future__ import annotations

import pytest
from django.db import connection

from django_tenantkit.models import Tenant
from django_tenantkit.testing.tenants import make_tenant
from tests.lifecycle.helpers import child

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="the process needs a database of its own"),
]


def ran(command: str, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
    """Exit code, stdout and stderr. The tests' project is not one that system checks approve of."""
    with child("django", command, "--skip-checks", *arguments) as process:
        out, complaint = process.communicate(stdin)
    return process.returncode, out, complaint


def test_done_is_0() -> None:
    code, out, complaint = ran("create_tenant", "acme")
    assert (code, out, complaint) == (0, f"acme is active (uid {Tenant.objects.get().uid}).\n", "")


def test_wrong_use_is_2_with_one_line() -> None:
    code, out, complaint = ran("create_tenant", "www")
    assert (code, out) == (2, "")
    assert complaint == "CommandError: 'www' is reserved (TENANTKIT_RESERVED_NAMES).\n"


@pytest.mark.parametrize(
    "arguments", [["create_tenant", "acme", "--setting", "theme"], ["run_for_tenants", "shell"], ["suspend_tenant"]]
)
def test_options_that_do_not_parse_are_2(arguments: list[str]) -> None:
    code, out, complaint = ran(*arguments)
    assert (code, out) == (2, "")
    assert "Traceback" not in complaint


def test_failures_in_some_tenants_are_3_and_listed() -> None:
    make_tenant("acme")
    code, _, complaint = ran("run_for_tenants", "--tenant", "acme", "shell", "-v0", "-c", "raise ValueError('x')")
    assert code == 3
    assert complaint == "CommandError: shell failed for 1 of 1 tenants: acme (ValueError: x)\n"


def test_a_shell_reads_stdin_inside_the_tenant() -> None:
    make_tenant("acme")
    typed = "from django_tenantkit import get_current_tenant as now; print('in', now().slug)"
    code, out, _ = ran("run_for_tenants", "--tenant", "acme", "shell", "-v0", stdin=typed)
    assert (code, out) == (0, "in acme\n")
