"""Ids that are not the same in the schemas of two tenants, as after some years: the same id means another row."""

from __future__ import annotations

from typing import Any

from psycopg import sql

#: The columns that refer to a table by a foreign key.
REFERENCES = """
SELECT conrelid::regclass::text, attname FROM pg_constraint
JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
WHERE contype = 'f' AND confrelid = %s::regclass AND conrelid <> confrelid
"""
SEQUENCES = "SELECT sequencename FROM pg_sequences WHERE schemaname = %s ORDER BY 1"


def turn_round(admin: Any, schema: str, table: str, by: int) -> None:
    """Turn the ids of a table round, the first for the last, all of them `by` higher; and tell who refers to them."""
    name = sql.Identifier(schema, table)
    with admin.transaction():
        admin.execute("SET LOCAL session_replication_role = replica")
        references = admin.execute(REFERENCES, [f'"{schema}"."{table}"']).fetchall()
        (last,) = admin.execute(sql.SQL("SELECT max(id) FROM {}").format(name)).fetchone()
        top = last + 1 + by | 1  # an odd one, so that none stays what it was
        _renumber(admin, name, "id", "-id")
        _renumber(admin, name, "id", f"id + {top}")
        for other, column in references:
            _renumber(admin, sql.SQL(other), column, f'{top} - "{column}"')
        (sequence,) = admin.execute("SELECT pg_get_serial_sequence(%s, 'id')", [f'"{schema}"."{table}"']).fetchone()
        admin.execute("SELECT setval(%s, %s)", [sequence, top])


def _renumber(admin: Any, table: sql.Composable, column: str, value: str) -> None:
    admin.execute(sql.SQL("UPDATE {} SET {} = {}").format(table, sql.Identifier(column), sql.SQL(value)))


def move_on(admin: Any, schema: str, by: int) -> None:
    """Let the ids of new rows begin later: as if rows had been made and deleted."""
    for (sequence,) in admin.execute(SEQUENCES, [schema]).fetchall():
        name = sql.Identifier(schema, sequence)
        move = sql.SQL("SELECT setval(%s, last_value + %s) FROM {}").format(name)
        admin.execute(move, [f'"{schema}"."{sequence}"', by])
