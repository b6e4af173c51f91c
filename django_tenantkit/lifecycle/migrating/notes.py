"""What the places of homes say of the work on them, written for several at once: in the message of each home it took a
tenth of the home's time. A home's own record is believed and not its place, so what a killed process did not come to
write costs the next run a question, and nothing else."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from django.db import Error

from ...context import logger
from ...sql import migrating as sql

#: So many are written together, and none waits for longer than this while others are worked on.
AT_ONCE = 25
SECONDS = 0.25


class Notes:
    """The notes of one worker, which writes them through `connection`, to the database that places are in."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._kept: list[tuple[UUID, str, str | None, str, float]] = []
        self._since = time.monotonic()

    def add(self, uid: UUID, before: str, after: str | None, error: str, seconds: float) -> None:
        """The place `uid`, found in the state `before`, has its home in the state `after` (None: as it was). `error`
        is empty where that is what was wanted."""
        self._kept.append((uid, before, after, error, seconds))
        if len(self._kept) >= AT_ONCE or time.monotonic() - self._since > SECONDS:
            self.write()

    def write(self) -> None:
        """Write what is kept. Where that fails the homes are asked next time."""
        kept, self._kept, self._since = self._kept, [], time.monotonic()
        if not kept:
            return
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(sql.NOTE, [list(column) for column in zip(*kept, strict=True)])
        except Error:
            logger.warning("migrate_tenants: %s places were not noted", len(kept), exc_info=True)
