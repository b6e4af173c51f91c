"""What is printed."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

import django
import psycopg
from django.db import connection

from .method import Figure

WIDTH = 42
CPU, WALL, COUNTED = "CPU", "wall", "counted"


@dataclass(frozen=True)
class Result:
    """One line: `figure` against a baseline of 1 (or a number of statements), how it was taken, and its target,
    if any."""

    name: str
    figure: Figure
    clock: str
    at_most: float | None = None

    @property
    def missed(self) -> bool:
        """Whether the target is missed."""
        return self.figure.misses(self.at_most)

    def __str__(self) -> str:
        """A line of the table."""
        interval = f"{self.figure.low:.3f}-{self.figure.high:.3f}"
        target = "" if self.at_most is None else f"<= {self.at_most:.2f}"
        verdict = "  MISSED" if self.missed else ""
        return f"{self.name:{WIDTH}}{self.figure.median:7.3f}   {interval:13} {self.clock:8} {target}{verdict}".rstrip()


def as_text(results: Iterable[Result]) -> Iterator[str]:
    """A table, line by line as the results come."""
    yield f"{'':{WIDTH}}{'median':>7}   {'90 %':13} {'clock':8} target"
    yield from map(str, results)
    yield versions()


def as_json(results: Iterable[Result]) -> Iterator[str]:
    """One JSON object per line."""
    for result in results:
        yield json.dumps(
            {
                "name": result.name,
                **asdict(result.figure),
                "clock": result.clock,
                "at_most": result.at_most,
                "missed": result.missed,
            }
        )


def versions() -> str:
    """What was measured on."""
    server = connection.cursor().connection.info.server_version
    return (
        f"Python {platform.python_version()}, Django {django.__version__}, psycopg {psycopg.__version__}, "
        f"PostgreSQL {server // 10000}.{server % 10000}"
    )
