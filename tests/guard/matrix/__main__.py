"""`python -m tests.guard.matrix`: try every way, or those whose names have the given text in them, count, and end with
1 where one leads across or is refused though it should work. TENANTKIT_TEST_ISOLATION says where the tenants live."""

from __future__ import annotations

import os
import sys
from collections import Counter

import django
from django.db import connections

from tests import databases


def main(wanted: str = "") -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    run = databases.begin_run()
    try:
        return report(wanted)
    finally:
        connections.close_all()
        databases.end_run(run)


def report(wanted: str) -> int:
    """Run the cases; print those that went wrong, and the numbers."""
    django.setup()
    from .cases import CASES, DIFFERENT, WAYS  # models need Django to be set up
    from .crossing import GENERIC
    from .ground import Ground

    databases.clone(connections["default"], "matrix")
    ground, tried, leaks, faults = Ground(), Counter[str](), 0, 0
    cases = [case for case in CASES if wanted in case.name]
    for case in cases:
        verdict = case.judge(ground)
        tried[case.place] += 1
        leaks += bool(verdict.leak)
        faults += bool(verdict.fault)
        if verdict.leak or verdict.fault:
            print(f"{case.place}: {case.name}: {verdict}")
    for place, number in tried.items():
        print(f"{place}: {number} ways")
    for name, reason in DIFFERENT.items():
        print(f"differs from plain Django: {name}: {reason}")
    print(f"write another tenant's key as text, without a constraint: {len(GENERIC)} ways with generic references")
    print(f"{len(WAYS)} ways, {len(cases)} cases: leaks {leaks}, faults {faults}")
    return int(bool(leaks or faults))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
