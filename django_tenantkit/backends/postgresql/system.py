"""What only the system may do, found by the methods that Django calls for it."""

from __future__ import annotations

import re
from typing import Any

from ...registry import only_rows
from ...sql import homes
from ...sql.fence import LIFT_ALL
from .emptying import empty_homes

#: What Django writes: setval(pg_get_serial_sequence('"t"','id'), coalesce(max("id"), 1), max("id") IS NOT null).
_SETVAL = re.compile(r"SELECT setval\((pg_get_serial_sequence\(.*?\)), coalesce\((max\(.*?\)), 1\), .*? IS NOT null\)")


class SystemOperations:
    """Mixin for `DatabaseOperations`."""

    connection: Any

    def sql_flush(self, style: Any, tables: Any, **options: Any) -> list[str]:
        """The statements that empty tables, in the homes of tenants too: nobody is left whose rows they are. What
        says which homes there are is kept, like Django's record of migrations, and those that were taken are as good
        as new: so the next test has places. Fences go with the tenants that they are about."""
        lifted = [LIFT_ALL] if homes.PLACES in tables else []
        if only_rows():
            return [*lifted, *super().sql_flush(style, tables, **options)]  # type: ignore[misc]
        shared = [table for table in tables if table not in homes.RECORDS]
        with self.connection.cursor() as cursor:
            cursor.execute(homes.FILLED_TABLES, [shared])
            names = [name for (name,) in cursor.fetchall()]
        found: list[str] = super().sql_flush(style, shared, **options)  # type: ignore[misc]
        if names:
            found.append(f"TRUNCATE {', '.join(names)} RESTART IDENTITY")
        return [*lifted, *found, homes.FREE] if lifted else found

    def execute_sql_flush(self, sql_list: Any) -> None:
        """TRUNCATE, which the application may not. The databases of tenants are emptied too: what is left there would
        belong to nobody."""
        with self.connection.as_system():
            if self.connection.group is not None:
                empty_homes(self.connection)
            super().execute_sql_flush(sql_list)  # type: ignore[misc]

    def sequence_reset_sql(self, style: Any, model_list: Any) -> list[str]:
        """Statements that move sequences behind rows that were given keys. Forwards only, and by a function
        of ours: inside a tenant the greatest key is one tenant's, and `setval` needs a right that the
        application does without."""
        found: list[str] = super().sequence_reset_sql(style, model_list)  # type: ignore[misc]
        return [_SETVAL.sub(r"SELECT tenantkit.advance_sequence(\1, \2)", statement) for statement in found]


class SystemSchemaEditor:
    """Mixin for `DatabaseSchemaEditor`: tables belong to the owner."""

    connection: Any
    atomic: Any
    atomic_migration: bool
    collect_sql: bool

    def __enter__(self) -> Any:
        self._login = None if self.collect_sql else self.connection.as_system()
        if self._login is not None:
            self._login.__enter__()
        return super().__enter__()  # type: ignore[misc]

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            super().__exit__(kind, error, trace)  # type: ignore[misc]
        except BaseException as late:
            # Where what Django has put off fails, it leaves its transaction open, and with it the login.
            if kind is None and self.atomic_migration and self.connection.in_atomic_block:
                self.atomic.__exit__(type(late), late, late.__traceback__)
            raise
        finally:
            if self._login is not None:
                self._login.__exit__(None, None, None)
