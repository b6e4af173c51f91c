"""The outcome of every test of a run."""

# ruff: noqa: N802 - the names are unittest's

from __future__ import annotations

import unittest
from typing import Any

from django.test.runner import DiscoverRunner

#: By the test's id: its outcome, and the last line of what it said when it failed.
outcomes: dict[str, tuple[str, str]] = {}

#: Measures time, which says nothing while two runs share the machine. Not noted.
TIMED = "serializers.test_deserialization.TestDeserializer.test_crafted_xml_performance"


class Result(unittest.TextTestResult):
    """Unittest's result, which remembers the tests that passed too."""

    def _note(self, test: Any, outcome: str, said: str = "") -> None:
        before = outcomes.get(test.id(), ("passed",))[0]
        if before in ("passed", "skipped") and test.id() != TIMED:
            outcomes[test.id()] = (outcome, said)

    def _note_failure(self, test: Any, err: Any) -> None:
        lines = str(err[1]).strip().splitlines() or [""]
        self._note(test, "failed", f"{err[0].__name__}: {lines[0]}"[:300])

    def addSuccess(self, test: Any) -> None:
        super().addSuccess(test)
        self._note(test, "passed")

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self._note(test, "passed")

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        self._note(test, "skipped", reason)

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self._note_failure(test, err)

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self._note_failure(test, err)

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._note_failure(test, err)

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self._note(test, "failed", "passed unexpectedly")


class Runner(DiscoverRunner):
    """Django's test runner with that result. It runs no checks: the models are not written for tenants."""

    def get_resultclass(self) -> Any:
        return Result

    def run_checks(self, databases: Any) -> None:
        pass
