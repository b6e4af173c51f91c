"""What a refusal tells: not whether another tenant has what was named. And what leads across by the doing of the
tables' owner: `check_tenants` names it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from django_tenantkit import tenant_context
from django_tenantkit.lifecycle.audit.run import audit_database, chosen
from tests.isolation.world import APART

from .cases import WAYS
from .crossing import GENERIC, inserted
from .ground import Ground
from .spots import REFERENCES, TENANT_TABLES, Reference, new_key, without_scoping
from .sql import ask
from .test_control import done


def refusal(ground: Ground, table: str, row: dict[str, Any]) -> tuple[str, str]:
    """The error of an INSERT as acme, without the keys in it."""
    with pytest.raises(DatabaseError) as caught, tenant_context(ground.acme), without_scoping(), transaction.atomic():
        inserted(ground, table, row)
    text = re.sub(r"\([^()]*\) is not present", "(...) is not present", str(caught.value))
    return type(caught.value).__name__, text


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda r: f"{r.table}.{r.column}")
def test_a_reference_to_theirs_is_a_reference_to_nothing(ground: Ground, reference: Reference) -> None:
    table, column = reference[:2]
    theirs = ground.free_key("globex", reference)
    nobodys = new_key("nobody's", theirs)
    assert refusal(ground, table, ground.row("acme", table, **{column: theirs})) == refusal(
        ground, table, ground.row("acme", table, **{column: nobodys})
    )


@pytest.mark.skipif(APART, reason="a key that is taken in another home is free in this one")
@pytest.mark.parametrize("table", TENANT_TABLES)
def test_a_key_that_is_taken_is_refused_without_a_word_about_the_row(ground: Ground, table: str) -> None:
    """That it is taken shows: primary keys are unique over all tenants."""
    row = ground.row("acme", table, **{str(TENANT_TABLES[table]._meta.pk.column): ground.key("globex", table)})
    error, text = refusal(ground, table, row)
    assert error == "IntegrityError"
    assert "DETAIL" not in text
    assert "globex" not in text


OWNERS = {
    "a view with its owner's rights": (
        "CREATE VIEW {name} AS SELECT name FROM testapp_customer",
        "DROP VIEW {name}",
        "view.definer",
    ),
    "a materialized view": (
        "CREATE MATERIALIZED VIEW {name} AS SELECT name FROM testapp_customer",
        "DROP MATERIALIZED VIEW {name}",
        "view.materialized",
    ),
    "a function with its owner's rights": (
        "CREATE FUNCTION {name}() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS "
        "'SELECT name FROM testapp_customer'",
        "DROP FUNCTION {name}()",
        "function.definer",
    ),
}


@pytest.mark.skipif(APART, reason="what the owner opens in a home shows the rows of that home's tenant")
@pytest.mark.parametrize("what", OWNERS)
def test_what_the_owner_opens_is_open_and_check_tenants_names_it(ground: Ground, what: str) -> None:
    create, drop, finding = (text.format(name="matrix_open") for text in OWNERS[what])
    assert finding not in found(finding)
    with done(ground, create, drop):
        with tenant_context(ground.acme):
            rows = ask("SELECT * FROM matrix_open" + ("()" if "function" in what else ""))
        assert ("globex 0",) in rows
        assert finding in found(finding)


@pytest.mark.skipif(APART, reason="what a generic reference names in another home is nothing here")
def test_a_generic_reference_across_is_named_too(ground: Ground) -> None:
    assert found("rows.crossing") == []
    try:
        name = "cross: bulk_update of a generic reference"
        assert name in GENERIC
        ground.run(WAYS[name], ground.acme)
        assert found("rows.crossing") == ["rows.crossing"]
    finally:
        ground.restore(ground.state())


def found(finding: str) -> list[str]:
    return [each.id for each in audit_database(connection.alias, chosen([finding])).findings]
