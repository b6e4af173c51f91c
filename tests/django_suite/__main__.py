"""Run Django's tests in both worlds at the same time, compare, report. Exit code 0: no difference but
those listed in `expected.py`, and, when all labels are run, each of those is one still."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests import databases

from . import source
from .expected import EXPECTED
from .labels import LABELS

ROOT = Path(__file__).parents[2]
LOGS = ROOT / ".cache" / "django-suite"
PLAIN = {databases.POSTGRESQL: "django.db.backends.postgresql", databases.SQLITE: "django.db.backends.sqlite3"}

Outcomes = dict[str, tuple[str, str]]


def world_databases(world: str, prefix: str) -> dict[str, Any]:
    """`DATABASES` of a world: Django's tests use two, of names that no other run has."""
    server = databases.configured() | {"TEST": {}}
    if world == "plain":
        server["ENGINE"] = PLAIN[server["ENGINE"]]
        server["USER"] = databases.ROLES.system  # who makes databases, and no policies are in the way
    if server["ENGINE"].endswith("sqlite3"):
        return {"default": server, "other": server}
    names = {"default": f"{prefix}_{world}", "other": f"{prefix}_{world}_other"}
    return {alias: server | {"TEST": {"NAME": name}} for alias, name in names.items()}


def start(world: str, tests: Path, labels: list[str], prefix: str) -> subprocess.Popen[bytes]:
    """Start the process of a world. What it prints goes to a log."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "tests.django_suite.settings",
        "TENANTKIT_SUITE_DATABASES": json.dumps(world_databases(world, prefix)),
    }
    outcomes = LOGS / f"{world}.json"
    outcomes.unlink(missing_ok=True)
    command = [sys.executable, "-m", "tests.django_suite.world", world, str(outcomes), *labels]
    with (LOGS / f"{world}.log").open("wb") as log:
        return subprocess.Popen(
            command, cwd=tests, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )


def run(tests: Path, labels: list[str]) -> dict[str, Outcomes]:
    """The outcomes of both worlds, which run side by side on one server."""
    LOGS.mkdir(parents=True, exist_ok=True)
    server = databases.begin_run()
    processes: dict[str, subprocess.Popen[bytes]] = {}
    outcomes: dict[str, Outcomes] = {}
    try:
        if databases.configured()["ENGINE"] == databases.POSTGRESQL:
            databases.make_roles(databases.configured())
        for world in ("tenant", "plain"):
            processes[world] = start(world, tests, labels, server.prefix)
        for world, process in processes.items():
            process.wait()
            outcomes[world] = read(world)
    finally:
        for process in processes.values():
            process.kill()
        databases.end_run(server)
    return outcomes


def read(world: str) -> Outcomes:
    """The outcomes of a world that has finished."""
    outcomes = LOGS / f"{world}.json"
    if not outcomes.exists():
        end = (LOGS / f"{world}.log").read_text(errors="replace")[-3000:]
        raise SystemExit(f"The tests of the {world} world did not finish:\n{end}")
    return {test: (outcome, said) for test, (outcome, said) in json.loads(outcomes.read_text()).items()}


def differences(tenant: Outcomes, plain: Outcomes) -> dict[str, str]:
    """What passed in the plain world and did not in the tenant's, with what it said there."""
    found = {}
    for test, (outcome, _) in plain.items():
        here, said = tenant.get(test, ("missing", "did not run"))
        if outcome == "passed" and here != "passed":
            found[test] = f"{here}: {said}"
    return found


def report(worlds: dict[str, Outcomes], expected: dict[str, str], *, complete: bool) -> int:
    """Print counts and what is not as it should be; the exit code."""
    tenant, plain = worlds["tenant"], worlds["plain"]
    for world, outcomes in worlds.items():
        counts = Counter(outcome for outcome, _ in outcomes.values())
        print(f"{world}: {len(outcomes)} tests, " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
    found = differences(tenant, plain)
    new = {test: said for test, said in found.items() if test not in expected}
    gone = [test for test in expected if test not in found] if complete else []
    passed = sum(outcome == "passed" for outcome, _ in plain.values()) - len(found)
    print(f"{passed} tests pass in both, {len(found)} in the plain world only, {len(found) - len(new)} of them listed")
    for test, said in new.items():
        print(f"FAILS INSIDE A TENANT  {test}\n    {said}")
    for test in gone:
        print(f"LISTED, NO DIFFERENCE  {test}: remove it from tests/django_suite/expected.py")
    return 1 if new or gone or not passed else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.django_suite", description=__doc__)
    parser.add_argument("labels", nargs="*", help="apps, classes or tests of Django's; all that are listed by default")
    labels = parser.parse_args().labels or LABELS
    directory = source.find()
    print(f"Running the tests of {len(labels)} labels from {directory} twice; logs: {LOGS}", flush=True)
    return report(run(directory / "tests", labels), EXPECTED, complete=labels is LABELS)


if __name__ == "__main__":
    sys.exit(main())
