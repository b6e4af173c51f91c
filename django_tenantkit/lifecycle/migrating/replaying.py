"""What was recorded in one home, sent to another in one message."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from django.db import DataError, ProgrammingError
from psycopg import errors

from ...sql import migrating as sql
from .homely import Home, StateMoved
from .plans import Plan, Step

#: How many statements go together: a transaction has a limited number of locks.
STATEMENTS = 500

_SCHEMA_ONLY = re.compile(r"(ALTER|CREATE|DROP|COMMENT|GRANT|REVOKE|SET)\b", re.IGNORECASE)


def next_segment(plan: Plan, start: int) -> list[Step]:
    """The steps from `start` on that can be sent in one message; none where the next one has to run."""
    found: list[Step] = []
    size = 0
    for step in plan.steps[start:]:
        if step.script is None or (
            found and (size + len(step.script.statements) > STATEMENTS or step.backwards != found[0].backwards)
        ):
            break
        found.append(step)
        size += len(step.script.statements)
    return found


def send(home: Home, steps: Sequence[Step]) -> None:
    """Do recorded steps in a home, all or none. Raises `StateMoved`, `HomeMissing` and what PostgreSQL raises."""
    try:
        with home.connection.cursor() as cursor:
            cursor.execute(sql.message(_statements(home, steps)))
    except DataError as error:
        if sql.MOVED in str(error):
            raise StateMoved from error
        raise
    except ProgrammingError as error:
        cause = error.__cause__
        if isinstance(cause, errors.InvalidSchemaName | errors.UndefinedTable) and _is_about_home(home, str(cause)):
            raise home.missing() from error
        raise


def _is_about_home(home: Home, text: str) -> bool:
    return f'schema "{home.schema}"' in text or f'"{home.schema}.django_migrations"' in text


def _statements(home: Home, steps: Sequence[Step]) -> Iterator[str]:
    yield sql.begin(home.schema, home.uid)
    names = [name for step in steps for name in step.names]
    yield sql.compare(home.schema, steps[0].before)
    yield sql.record(home.schema, names, backwards=steps[0].backwards)
    last = steps[-1]
    for step in steps:
        script = [] if step.script is None else step.script.for_schema(home.schema)
        yield from script
        if step is not last and not all(map(_SCHEMA_ONLY.match, script)):
            yield sql.SETTLE
    yield sql.stamp(home.uid, last.noted)
