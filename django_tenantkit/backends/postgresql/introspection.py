"""References with the tenant, for whoever reads the tables back: `inspectdb`, Django's own tests."""

from __future__ import annotations

from typing import Any

from ...sql.references import RELATIONS


class ReferenceIntrospection:
    """Mixin for `DatabaseIntrospection` of any backend for PostgreSQL."""

    def get_relations(self, cursor: Any, table_name: str) -> dict[str, tuple[str, str]]:
        """The columns of a table that refer to others, with the column and the table that each refers to."""
        cursor.execute(RELATIONS, [table_name])
        return {column: (target_column, target) for column, target, target_column in cursor.fetchall()}
