"""`run_for_tenants --tenant SLUG COMMAND ...`, `run_for_tenants --all-tenants COMMAND ...`."""

from __future__ import annotations

import argparse
import io
import shlex
import sys
import traceback
from contextlib import nullcontext, redirect_stdout
from typing import Any

from django.core.management import call_command, get_commands
from django.core.management.base import CommandError, CommandParser

from ...context import contained, tenant_context
from ...models import AbstractTenant, TenantStatus, get_tenant_model
from ..base import SOME_FAILED, WRONG_USE, TenantCommand, add_tenant_options, named_tenants


class Command(TenantCommand):
    """Run another command inside tenants, one after the other, in this process."""

    help = (
        "Run a command inside tenants, one after the other. It reads this terminal, so `shell` and `dbshell` work. "
        "Where it fails in one tenant, the others follow all the same, and the exit code is 3."
    )

    def add_options(self, parser: CommandParser) -> None:
        add_tenant_options(parser, required=True, every="All that are active.")
        parser.add_argument("command", metavar="COMMAND", help="The command to run.")
        parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="Its arguments.")

    def work(self, options: dict[str, Any]) -> None:
        command, arguments = options["command"], options["arguments"]
        if command not in get_commands():
            raise CommandError(f"There is no command {command!r}. `help` lists them.", returncode=WRONG_USE)
        tenants = _chosen(options)
        line = shlex.join([command, *arguments])
        if options["dry_run"]:
            slugs = [tenant.slug for tenant in tenants]
            return self.show({"dry_run": True, "command": line, "tenants": slugs}, f"{line}: {', '.join(slugs)}")
        results = [self._run(tenant, place, len(tenants), options) for place, tenant in enumerate(tenants, 1)]
        failed = [result for result in results if not result["ok"]]
        if self.as_json:
            self.show({"command": line, "tenants": results}, "")
        if failed:
            listed = "; ".join(f"{result['slug']} ({result['error']})" for result in failed)
            raise CommandError(
                f"{command} failed for {len(failed)} of {len(results)} tenants: {listed}", returncode=SOME_FAILED
            )

    def _run(self, tenant: AbstractTenant, place: int, total: int, options: dict[str, Any]) -> dict[str, Any]:
        """Run it in one tenant and say how it went. With JSON its output is part of the answer."""
        if total > 1 and not self.as_json:
            self.stdout.write(f"[{place}/{total}] {tenant.slug}")
        captured = io.StringIO() if self.as_json else None
        output = captured or options.get("stdout") or sys.stdout
        error = None
        try:
            with (
                tenant_context(tenant),
                contained(f"{options['command']} for {tenant.slug}"),
                redirect_stdout(captured) if captured else nullcontext(),
            ):
                call_command(options["command"], *options["arguments"], stdout=output)
        except SystemExit as end:
            error = None if end.code in (None, 0) else f"exit code {end.code}"
        except Exception as problem:
            error = " ".join(f"{type(problem).__name__}: {problem}".split())
            if options["traceback"]:
                self.stderr.write(traceback.format_exc())
        if self.as_json:
            self.progress()(place, total, tenant.slug)
        result = {"slug": tenant.slug, "ok": error is None, "error": error or ""}
        return result | ({"output": captured.getvalue()} if captured else {})


def _chosen(options: dict[str, Any]) -> list[AbstractTenant]:
    if options["tenants"]:
        return named_tenants(options["tenants"])
    return list(get_tenant_model()._default_manager.filter(status=TenantStatus.ACTIVE).order_by("slug"))
