"""`check_tenants`."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections

from ...lifecycle.audit.finding import Finding, Severity
from ...lifecycle.audit.run import Report, audit_database, chosen
from ...lifecycle.audit.tenants import audit_databases
from ..base import FAILED, WRONG_USE, TenantCommand, named_tenants


class Command(TenantCommand):
    """Audit a database: does it say what the models say, and has any row crossed the line."""

    help = (
        "Audit a database: compare it with the models, its roles with what they need, its rows with their tenants, and "
        "try its connections. Reads only. Exit code 1 if there is an error; warnings count with --strict."
    )

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, metavar="ALIAS", help="The entry of DATABASES.")
        parser.add_argument(
            "--only",
            action="append",
            default=[],
            metavar="ID",
            help="Look for this only: `rls.off`, or `rls` for all that begins so; repeatable.",
        )
        parser.add_argument("--skip", action="append", default=[], metavar="ID", help="Not for this; repeatable.")
        parser.add_argument(
            "--rows",
            action=argparse.BooleanOptionalAction,
            default=True,
            help="Whether to read the rows of all tables, which takes as long as there are many.",
        )
        parser.add_argument(
            "--databases",
            action=argparse.BooleanOptionalAction,
            default=True,
            help="Whether to look into the databases of tenants too, with that of DATABASES['default'].",
        )
        parser.add_argument(
            "--tenant", action="append", metavar="SLUG", dest="tenants", help="Its database or shard only; repeatable."
        )
        parser.add_argument("--strict", action="store_true", help="Exit code 1 if there is a warning, too.")

    def work(self, options: dict[str, Any]) -> None:
        alias = options["database"]
        if alias not in connections:
            raise CommandError(f"DATABASES has no entry {alias!r}.", returncode=WRONG_USE)
        checks = chosen(options["only"], options["skip"], with_rows=options["rows"])
        if options["dry_run"]:
            ids = [check.id for check in checks]
            return self.show({"database": alias, "dry_run": True, "ids": ids}, "\n".join(ids))
        slugs = [tenant.slug for tenant in named_tenants(options["tenants"] or [])]
        report = Report((), ()) if slugs else audit_database(alias, checks, self.progress())
        if alias == DEFAULT_DB_ALIAS and options["databases"]:
            report += audit_databases(checks, self.progress(), slugs)
        numbers = {f"{severity}s": report.number(severity) for severity in Severity}
        data = {"database": alias, "looked_at": report.looked_at, **numbers}
        self.show({**data, "findings": [asdict(finding) for finding in report.findings]}, _text(report))
        if report.number(Severity.ERROR) or (options["strict"] and report.number(Severity.WARNING)):
            raise CommandError(f"{alias}: {_numbers(report)}.", returncode=FAILED)


def _text(report: Report) -> str:
    head = [f"Looked at {'; '.join(report.looked_at)}."]
    return "\n".join([*head, *map(_finding, report.findings), f"Found {_numbers(report)}."])


def _finding(finding: Finding) -> str:
    lines = [f"{finding.severity.upper()} {finding.id}: {finding.fact}", finding.cure, finding.advice]
    return "\n    ".join(line for line in lines if line)


def _numbers(report: Report) -> str:
    found = {severity: report.number(severity) for severity in Severity}
    return ", ".join(f"{number} {severity}{'' if number == 1 else 's'}" for severity, number in found.items())
