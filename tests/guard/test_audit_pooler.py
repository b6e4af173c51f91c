"""The probe of the connections: it knows a pooler, and sees what one must not do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from django_tenantkit.lifecycle.audit.probe import probe
from tests.databases import parameters
from tests.guard.audited import Audited, settings
from tests.guard.careless import careless
from tests.services import pgbouncer

needs_pgbouncer = pytest.mark.skipif(pgbouncer.find() is None, reason=pgbouncer.HOW_TO_INSTALL)


def connecting(given: dict[str, Any]) -> Callable[[], psycopg.Connection[Any]]:
    return lambda: psycopg.connect(dbname=given["NAME"], **parameters(given))


def entry(guarded: Audited) -> dict[str, Any]:
    """How requests connect."""
    found = settings(guarded.name, guarded.login)
    if found.get("PASSWORD") or not str(found.get("HOST", "")).startswith("/"):
        pytest.skip("the server asks for a password, or has no socket")
    return found


def test_without_a_pooler_each_client_has_a_server_process(guarded: Audited) -> None:
    report = guarded.audit(connect=connecting(entry(guarded)))
    assert report.findings == ()
    assert "connections: no pooler: each client has a server process of its own" in report.looked_at


@pytest.mark.services
@needs_pgbouncer
@pytest.mark.parametrize("server_connections", [1, 3])
def test_pgbouncer_in_transaction_mode_is_clean(guarded: Audited, server_connections: int) -> None:
    with pgbouncer.start(entry(guarded), server_connections) as pooled:
        report = guarded.audit(connect=connecting(pooled))
    assert report.findings == ()
    assert report.looked_at[-1].startswith("connections: two clients shared ")


@pytest.mark.services
@needs_pgbouncer
def test_a_tenant_that_another_program_left_there_is_found(guarded: Audited) -> None:
    left = "SET tenantkit.tenant = '7'"
    with pgbouncer.start(entry(guarded), connect_query=left) as pooled:
        (finding,) = guarded.audit(connect=connecting(pooled)).findings
    assert finding.id == "pooler.left-over"
    assert "At the start" in finding.fact
    assert "saw 7" in finding.fact


def test_a_role_that_another_program_left_there_is_found(guarded: Audited) -> None:
    with careless(entry(guarded)) as pooled:
        with connecting(pooled)() as other:
            other.execute(f"SET ROLE {guarded.roles.application}")
        found = guarded.audit(connect=connecting(pooled)).findings
    assert [finding.id for finding in found] == ["pooler.left-over"]
    assert f"ran as {guarded.roles.application}" in found[0].fact


def test_a_pooler_that_hands_on_inside_a_transaction_is_found(guarded: Audited) -> None:
    with careless(entry(guarded), hands_on=True) as pooled:
        found = guarded.audit(connect=connecting(pooled)).findings
    assert [finding.id for finding in found] == ["pooler.crossed"]
    assert "During a transaction of the other client" in found[0].fact


def test_a_pooler_that_splits_messages_is_found(guarded: Audited) -> None:
    with careless(entry(guarded), splits=True) as pooled:
        (finding,) = guarded.audit(connect=connecting(pooled)).findings
    assert finding.id == "pooler.split"
    assert "saw no tenant" in finding.fact


def test_a_pooler_that_waits_for_the_end_of_a_transaction_is_clean(guarded: Audited) -> None:
    with careless(entry(guarded)) as pooled:
        assert guarded.ids(connect=connecting(pooled)) == []


def test_a_login_that_may_not_connect_is_found(guarded: Audited) -> None:
    given = entry(guarded)
    guarded.plant("ALTER ROLE {login} NOLOGIN")
    (finding,) = guarded.audit(connect=connecting(given)).findings
    assert finding.id == "pooler.failed"
    assert "not permitted to log in" in finding.fact


def test_a_login_that_is_no_member_of_the_application_is_found(guarded: Audited) -> None:
    guarded.plant("REVOKE {application} FROM {login}")
    (finding,) = guarded.audit(connect=connecting(entry(guarded))).findings
    assert finding.id == "pooler.failed"
    assert "permission denied to set role" in finding.fact


def test_the_probe_says_how_many_server_connections_there_are(guarded: Audited) -> None:
    found = probe(connecting(entry(guarded)), guarded.roles.application)
    assert (found.processes, found.shared, found.pooled) == (2, False, False)
