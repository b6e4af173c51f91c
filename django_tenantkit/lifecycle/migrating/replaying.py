"""What was recorded in one home, sent to another in one message."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from uuid import uuid4

from django.db import DataError, Error, ProgrammingError
from psycopg import errors

from ...isolation.schema import schema_name
from ...sql import migrating as sql
from .homely import Home, StateMoved
from .plans import Plan, Step

#: How many statements go together: a transaction has a limited number of locks.
STATEMENTS = 500

_SCHEMA_ONLY = re.compile(r"(ALTER|CREATE|DROP|COMMENT|GRANT|REVOKE|SET)\b", re.IGNORECASE)


class Segment(NamedTuple):
    """Recorded steps that go in one message, and what it holds beside what names its home: for the schema `schema`,
    whose name contains a uid, so it stands for nothing else."""

    steps: Sequence[Step]
    schema: str
    text: str


def next_segment(plan: Plan, start: int) -> Segment:
    """The recorded steps from `start` on that can be sent in one message, which is composed once for all homes."""
    key = start, sum(step.script is not None for step in plan.steps)
    found: Segment | None = plan.segments.get(key)
    if found is None:
        found = plan.segments[key] = segment_of(list(_together(plan.steps[start:])))
    return found


def _together(steps: Sequence[Step]) -> Iterator[Step]:
    size = 0
    for step in steps:
        if step.script is None or step.backwards != steps[0].backwards:
            return
        size += len(step.script.statements)
        if size > STATEMENTS and step is not steps[0]:
            return
        yield step


def segment_of(steps: Sequence[Step]) -> Segment:
    """Recorded steps as one message."""
    recorded = [step.script for step in steps if step.script is not None]
    schema = next((script.schema for script in recorded if script.schema), schema_name(uuid4()))
    names = [name for step in steps for name in step.names]
    statements = [sql.compare(schema, steps[0].before), sql.record(schema, names, backwards=steps[0].backwards)]
    for step, script in zip(steps, recorded, strict=True):
        statements += script.for_schema(schema)
        if step is not steps[-1] and not all(map(_SCHEMA_ONLY.match, script.statements)):
            statements.append(sql.SETTLE)
    return Segment(steps, schema, sql.message(statements))


def send(home: Home, segment: Segment) -> None:
    """Do recorded steps in a home, all or none. Raises `StateMoved`, `HomeMissing` and what PostgreSQL raises."""
    try:
        with home.connection.cursor() as cursor:
            cursor.execute(sql.message(_parts(home, segment)))
        home.noted = segment.steps[-1].noted
    except DataError as error:
        if sql.MOVED in str(error):
            raise StateMoved from error
        raise
    except ProgrammingError as error:
        cause = error.__cause__
        if isinstance(cause, errors.InvalidSchemaName | errors.UndefinedTable) and _is_about_home(home, str(cause)):
            raise home.missing() from error
        raise


def send_together(homes: Sequence[Home], segment: Segment) -> None:
    """Do recorded steps in several homes of one database, with one message and a transaction for each. Where it fails
    those before the one that failed are done. Raises what PostgreSQL raises."""
    connection = homes[0].connection
    texts = [sql.message(("BEGIN", *_parts(home, segment), "COMMIT")) for home in homes]
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql.message(texts))
    except Error:
        if connection.connection is not None and not connection.connection.closed:
            connection.connection.rollback()
        raise


def _parts(home: Home, segment: Segment) -> tuple[str, str]:
    return sql.begin(home.schema, home.uid), segment.text.replace(segment.schema, home.schema)


def _is_about_home(home: Home, text: str) -> bool:
    return f'schema "{home.schema}"' in text or f'"{home.schema}.django_migrations"' in text
