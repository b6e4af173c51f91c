"""`migrate_tenants --all-tenants`, `migrate_tenants --tenant SLUG`."""

from __future__ import annotations

import argparse
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from ...lifecycle.migrating.plans import Plan, Wanted
from ...lifecycle.migrating.run import Options, Report, guard_databases, migrate_tenants
from ...lifecycle.migrating.survey import State
from ..base import FAILED, SOME_FAILED, WRONG_USE, TenantCommand, add_tenant_options, named_tenants


class Command(TenantCommand):
    """Migrate the schemas and databases of tenants."""

    help = (
        "Bring the schemas and databases of tenants to the project's migrations, after `migrate`. One that fails does "
        "not keep the others; the exit code is 3 then. Called again it goes on with what is left."
    )

    def add_options(self, parser: CommandParser) -> None:
        add_tenant_options(parser, required=False, every="All, and the places that wait for tenants.")
        parser.add_argument("--app-label", default="", metavar="APP", help="Migrate this app only.")
        parser.add_argument("--target", default="", metavar="NAME", help="To this migration of it, backwards too.")
        parser.add_argument("--workers", type=_positive, default=2, metavar="N", help="How many work at once: 2.")
        parser.add_argument("--canary", type=int, default=0, metavar="N", help="Migrate N first, stop if one fails.")
        parser.add_argument("--wave", type=int, default=0, metavar="N", help="Then N at a time.")
        parser.add_argument(
            "--stop-after-failures", type=_limit, metavar="N", help="Stop when more have failed: a number, or 10%%."
        )
        parser.add_argument("--wait", type=float, default=10.0, metavar="SECONDS", help="For another run's end: 10.")
        parser.add_argument("--resume", action="store_true", help="Go on with what is left; tenants need no naming.")
        parser.add_argument("--plan", action="store_true", help="List the migrations, and do nothing.")
        parser.add_argument("--check", action="store_true", help="Do nothing; exit code 1 if a home lags behind.")
        parser.add_argument(
            "--guard",
            action="store_true",
            help="Migrate nothing: make functions, guard and privileges in databases whole, as `migrate` does.",
        )
        parser.add_argument("--fake", action="store_true", help="Put migrations on record, and do not run them.")

    def work(self, options: dict[str, Any]) -> None:
        uids = _chosen(options)
        if options["guard"] and not options["dry_run"]:
            return self._guard(uids)
        if options["target"] and not options["app_label"]:
            raise CommandError("--target needs --app-label: which app's migration.", returncode=WRONG_USE)
        wanted = Wanted(options["app_label"], options["target"], options["fake"])
        looks_only = options["dry_run"] or options["plan"] or options["check"]
        report = migrate_tenants(uids, wanted, _options(options), dry_run=looks_only, progress=self.progress())
        lagging = [state for state in report.states if state.lags]
        if looks_only:
            data = {"dry_run": True, "states": [_state(state) for state in lagging]}
            self.show(data, _plans(lagging) if options["plan"] else _lag(lagging))
            if options["check"] and lagging:
                raise CommandError(_lag(lagging), returncode=FAILED)
            return
        self.show(
            {"dry_run": False, "stopped": report.stopped, "homes": list(map(vars, report.outcomes))}, _text(report)
        )
        if report.failed or report.left:
            raise CommandError(_complaint(report), returncode=SOME_FAILED)

    def _guard(self, uids: list[UUID] | None) -> None:
        outcomes = guard_databases(uids)
        failed = [one for one in outcomes if one.error]
        self.show({"databases": list(map(vars, outcomes))}, f"Guarded {len(outcomes) - len(failed)} databases.")
        if failed:
            listed = "; ".join(f"{one.name} ({one.error})" for one in failed)
            raise CommandError(f"{len(failed)} of {len(outcomes)} databases failed: {listed}.", returncode=SOME_FAILED)


def _chosen(options: dict[str, Any]) -> list[UUID] | None:
    """The uids of the tenants that are named; None for all."""
    if options["tenants"]:
        return [tenant.uid for tenant in named_tenants(options["tenants"])]
    if not any(options[name] for name in ("all_tenants", "resume", "check", "plan", "dry_run")):
        raise CommandError("Name tenants with --tenant SLUG, or say --all-tenants.", returncode=WRONG_USE)
    return None


def _options(given: dict[str, Any]) -> Options:
    limit, percent = given["stop_after_failures"] or (None, False)
    return Options(given["workers"], given["canary"], given["wave"], limit, percent, given["wait"])


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def _limit(text: str) -> tuple[float, bool]:
    number, percent, rest = text.partition("%")
    if rest or not number.replace(".", "", 1).isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor a percentage such as 10%")
    return float(number), bool(percent)


def _homes(number: int) -> str:
    return f"{number} home{'' if number == 1 else 's'}"


def _lag(states: list[State]) -> str:
    if not states:
        return "Nothing to do: all homes are as the migrations say."
    places, tenants = sum(state.places for state in states), sum(state.tenants for state in states)
    return f"{_homes(places)} lag behind, {tenants} of them tenants', in {len(states)} states."


def _plans(states: list[State]) -> str:
    lines = []
    for state in states:
        lines.append(f"{_homes(state.places)} in the state {state.digest[:12] or '(unknown)'}:")
        lines += _steps(state.plan) if state.plan is not None else ["    each is asked what it has"]
    return "\n".join(lines) or _lag(states)


def _steps(plan: Plan) -> list[str]:
    return [
        f"    {'undo ' if step.backwards else ''}{step.label}: "
        + (f"in each by itself, as {step.alone}" if step.alone else "recorded once")
        for step in plan.steps
    ]


def _state(state: State) -> dict[str, Any]:
    steps = state.plan.steps if state.plan is not None else []
    return {
        "state": state.digest,
        "homes": state.places,
        "tenants": state.tenants,
        "known": state.plan is not None,
        "migrations": [{"name": step.label, "backwards": step.backwards, "alone": step.alone} for step in steps],
    }


def _text(report: Report) -> str:
    if not report.outcomes:
        return _lag([])
    lines = [f"Migrated {_homes(len(report.done))}."]
    if report.stopped:
        lines.append(f"Stopped: {report.stopped}. {_homes(len(report.left))} left.")
    return "\n".join(lines)


def _complaint(report: Report) -> str:
    listed = "; ".join(f"{one.name} ({one.error})" for one in report.failed)
    left = f" {_homes(len(report.left))} were not reached: {report.stopped}." if report.left else ""
    return (
        f"{len(report.failed)} of {_homes(len(report.outcomes))} failed: {listed or 'none'}.{left} Remove the cause, "
        "then: `migrate_tenants --resume`."
    )
