"""The table of operations, each against everything that could go wrong with it."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction

from django_tenantkit import tenant_context
from django_tenantkit.exceptions import AcrossDatabases, NoCurrentTenant
from tests.isolation.operations import ACROSS, HARMLESS, OPERATIONS
from tests.isolation.world import APART, World, atoms, has_database, plain

every_operation = pytest.mark.parametrize("name", OPERATIONS)


def result_of(world: World, name: str):
    """The operation's result as data. One that would need two databases is refused, and gives nothing."""
    if name not in ACROSS or not has_database(world.acme):
        return plain(OPERATIONS[name](world))
    with pytest.raises(AcrossDatabases, match="leave out `using`"):
        plain(OPERATIONS[name](world))
    return []


def run(world: World, name: str):
    """The same; what it wrote is rolled back."""
    with tenant_context(world.acme), transaction.atomic():
        result = result_of(world, name)
        transaction.set_rollback(True)
    return result


@every_operation
def test_another_tenant_changes_nothing(world, name):
    alone = run(world, name)
    world.add_globex()
    assert run(world, name) == alone


@every_operation
def test_nothing_of_another_tenant_appears(two, name):
    foreign = two.keys(two.globex)
    for atom in atoms(run(two, name)):
        assert atom not in foreign
        assert "globex" not in str(atom)


@every_operation
def test_another_tenants_rows_stay_as_they_were(two, name):
    before = two.snapshot(two.globex)
    with tenant_context(two.acme):
        result_of(two, name)
    assert two.snapshot(two.globex) == before


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in HARMLESS])
def test_with_no_tenant_it_is_refused(two, name):
    with pytest.raises(NoCurrentTenant), transaction.atomic():
        plain(OPERATIONS[name](two))


@pytest.fixture
def unscoped_compilers(two, monkeypatch):
    """Django's own compilers, which know nothing of tenants."""
    with monkeypatch.context() as patch:
        patch.setattr(connection.ops, "_cache", None)
        patch.setattr(type(connection.ops), "compiler_module", "django.db.models.sql.compiler")
        yield
    connection.ops._cache = None


@pytest.mark.skipif(APART, reason="the other tenant's rows are in other tables: nothing has to scope them")
def test_the_table_finds_leaks_where_nothing_scopes(two, monkeypatch, request):
    """The table itself can fail: under Django's own compilers, and as an operator, most operations show the
    other tenant."""
    expected = {name: run(two, name) for name in OPERATIONS}
    request.getfixturevalue("unscoped_compilers")
    if connection.vendor == "postgresql":
        session = connection.connection.cursor_factory.session
        monkeypatch.setattr(session, "roles", session.roles._replace(application=session.roles.operator))
    leaking = [name for name in OPERATIONS if leaks(two, name, expected[name])]
    assert len(leaking) > 0.8 * len(OPERATIONS), sorted(set(OPERATIONS) - set(leaking))


@every_operation
def test_the_database_shows_nothing_of_another_tenant_by_itself(two, unscoped_compilers, name):
    """With nothing but the database between them: policies, and references that contain the tenant."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no policies")
    if name in ACROSS and has_database(two.acme):
        pytest.skip("the compilers refuse it")
    foreign = two.keys(two.globex)
    try:
        found = list(atoms(run(two, name)))
    except DatabaseError:  # nobody fills in the tenant of new rows
        found = []
    assert not [atom for atom in found if atom in foreign or "globex" in str(atom)]


def leaks(world: World, name: str, expected: object) -> bool:
    try:
        return run(world, name) != expected
    except Exception:
        return True
