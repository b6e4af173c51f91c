"""`python -m tests.benchmarks`: measure, print, and end with 1 where a target is missed."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import django
from django.db import connections

from tests import databases

from .method import LEAST_BLOCKS
from .report import Result, as_json, as_text

#: Called with the number of blocks.
Comparison = Callable[[int], Sequence[Result]]

FORMATS = {"text": as_text, "json": as_json}


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="figures whose name contains this (repeatable)")
    parser.add_argument("--blocks", type=int, default=40, metavar="N", help="blocks per figure, 30 or more")
    parser.add_argument("--format", choices=FORMATS, default="text")
    return parser


def main() -> int:
    options = parser()
    arguments = options.parse_args()
    if arguments.blocks < LEAST_BLOCKS:
        options.error(f"--blocks {arguments.blocks}: fewer than {LEAST_BLOCKS} blocks say too little")
    if databases.configured()["ENGINE"] != databases.POSTGRESQL:
        options.error("the benchmarks need PostgreSQL: unset TENANTKIT_TEST_ENGINE, or name one in DATABASE_URL")
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.settings"
    run = databases.begin_run()
    try:
        chosen = [compare for name, compare in prepare().items() if is_wanted(name, arguments.only)]
        if not chosen:
            options.error(f"--only {' '.join(arguments.only)}: no figure has such a name")
        results: list[Result] = []
        for line in FORMATS[arguments.format](measured(chosen, arguments.blocks, results)):
            print(line, flush=True)
    finally:
        connections.close_all()
        databases.end_run(run)
    return int(any(result.missed for result in results))


def prepare() -> Mapping[str, Comparison]:
    """Django, a database with tables and rows, and all that can be measured on them."""
    django.setup()
    from . import comparisons, data  # models need Django to be set up

    name = databases.clone(connections["default"], "benchmarks")
    for alias in ("plain", "compilers"):
        connections[alias].settings_dict["NAME"] = name
    tenant = data.fill()
    if tenant.home is not None:  # these have no session protocol, which would name the tenant's schema
        options = connections["compilers"].settings_dict["OPTIONS"]
        options["options"] = f"-c search_path={tenant.home.schema},public"
    return comparisons.comparisons(tenant)


def is_wanted(name: str, only: list[str] | None) -> bool:
    return only is None or any(part.lower() in name.lower() for part in only)


def measured(chosen: Iterable[Comparison], blocks: int, results: list[Result]) -> Iterator[Result]:
    """Each result when it is there; `results` keeps them."""
    for compare in chosen:
        for result in compare(blocks):
            results.append(result)
            yield result


if __name__ == "__main__":
    sys.exit(main())
