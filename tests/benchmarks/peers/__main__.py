"""`python -m tests.benchmarks.peers`: schemas by django_tenantkit, django-tenants and django-pgschemas, and by plain
Django or the bare statements, on one server in one run. Prints a table, and ends with 1 where a target is missed."""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from . import comparing
from .comparing import Processes, Row, Sizes
from .contenders import PEERS, PLAIN, Contender
from .field import begun

COMPARISONS: dict[str, Callable[[Processes, Sizes], Iterator[Row]]] = {
    "provisioning": comparing.provisioning,
    "requests": comparing.requests,
    "migrating": comparing.migrating,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.peers", description=__doc__)
    parser.add_argument("--only", action="append", choices=COMPARISONS, help="this comparison (repeatable)")
    parser.add_argument("--schemas", type=int, default=200, metavar="N", help="schemas that ours migrates: 200")
    parser.add_argument("--peer-schemas", type=int, default=20, metavar="N", help="schemas that all migrate: 20")
    parser.add_argument("--blocks", type=int, default=3, metavar="N", help="blocks with all contenders: 3")
    parser.add_argument("--more", type=int, default=7, metavar="N", help="further blocks with ours alone: 7")
    parser.add_argument("--without-peers", action="store_true", help="ours alone")
    arguments = parser.parse_args()
    sizes = Sizes(arguments.blocks, arguments.more, arguments.schemas, arguments.peer_schemas)
    peers = [] if arguments.without_peers else list(PEERS)
    missed = False
    with begun(peers, say) as found:
        say("| what | who | wall time | 90 % | CPU time | ms | messages | target |")
        say("|---|---|---|---|---|---|---|---|")
        for name in arguments.only or COMPARISONS:
            for row in COMPARISONS[name](found, sizes):
                missed |= row.missed
                say(line(row))
        say(f"\n{versions(found)}")
    return int(missed)


def say(text: str) -> None:
    print(text, flush=True)


def line(row: Row) -> str:
    """A row of the table, in Markdown."""
    target = "" if row.at_most is None else f"≤ {row.at_most:g}{' MISSED' if row.missed else ''}"
    sent = "" if row.messages is None else f"{row.messages:,}"
    wall, interval, cpu = "", "", ""
    if row.figures is not None:
        found = row.figures.wall
        wall, interval, cpu = (
            _short(found.median),
            f"{_short(found.low)}-{_short(found.high)}",
            _short(row.figures.cpu.median),
        )
    cells = (row.what, row.name, wall, interval, cpu, f"{row.milliseconds:,.1f}", sent, target)
    return f"| {' | '.join(cells)} |"


def _short(number: float) -> str:
    """Three digits."""
    return f"{number:.2f}" if number < 10 else f"{number:.0f}"


def versions(found: Processes) -> str:
    """What was compared."""
    peers = [installed(process.contender) for process in found.values() if process.contender.requirement]
    return ", ".join(
        (
            *peers,
            f"Python {platform.python_version()}",
            f"Django {version('django')}",
            f"psycopg {version('psycopg')}",
            f"PostgreSQL {found[PLAIN.name].ask('version')}",
        )
    )


def installed(contender: Contender) -> str:
    """Name and version of a peer."""
    found = Path(contender.python()).parents[1].glob(f"lib/*/site-packages/{contender.name.replace('-', '_')}-*")
    return next(found).name.removesuffix(".dist-info").replace("-", " ")


if __name__ == "__main__":
    sys.exit(main())
