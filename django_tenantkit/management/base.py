"""What all commands have in common: options, exit codes, output. A command parses, calls one function of
`lifecycle/`, prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ..context import contained, tenant_context
from ..exceptions import JobFailed, TenantkitError, TenantNotFound
from ..models import AbstractTenant, TenantStatus, get_tenant_model
from .progress import Progress

#: Exit codes; 0 is done.
FAILED = 1
WRONG_USE = 2
SOME_FAILED = 3


class TenantCommand(BaseCommand):
    """Base of the commands. A subclass adds its options in `add_options` and works in `work`.

    A refusal (`TenantkitError`) ends with one line on stderr and exit code 2, anything else that fails
    with one line and exit code 1; `--traceback` shows where. Foreign code in `work` starts with no
    tenant, and what it leaves behind is put right.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Say what would be done, and do nothing.")
        parser.add_argument("--format", choices=["text", "json"], default="text", help="How to print the result.")
        self.add_options(parser)

    def add_options(self, parser: CommandParser) -> None:
        """Add the options of this command."""

    def handle(self, *args: Any, **options: Any) -> None:
        self.as_json = options["format"] == "json"
        try:
            with contained(type(self).__module__), tenant_context(None):
                self.work(options)
        except CommandError:
            raise
        except JobFailed as error:
            raise CommandError(_one_line(error), returncode=FAILED) from error
        except TenantkitError as error:
            raise CommandError(_one_line(error), returncode=WRONG_USE) from error
        except Exception as error:
            raise CommandError(f"{type(error).__name__}: {_one_line(error)}", returncode=FAILED) from error

    def work(self, options: dict[str, Any]) -> None:
        """Do it, and `show` the result."""
        raise NotImplementedError

    def show(self, data: dict[str, Any], text: str) -> None:
        """Print the result: `data` with `--format json`, otherwise `text`."""
        self.stdout.write(json.dumps(data, default=str) if self.as_json else text)

    def progress(self) -> Progress:
        """A progress bar on stderr, if that is a terminal."""
        return Progress(self.stderr)


class StatusCommand(TenantCommand):
    """Base of the commands that change the status of one tenant."""

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="The tenant.")
        parser.add_argument("--reason", default="", help="Why; receivers of the signal get it.")

    def change(self, function: Callable[..., AbstractTenant], options: dict[str, Any]) -> None:
        """Call one of the functions of `lifecycle/suspend.py` and show the tenant."""
        found = one_tenant(options["slug"])
        tenant = function(found, reason=options["reason"], dry_run=options["dry_run"])
        would = " and could be changed" if options["dry_run"] else ""
        self.show(
            {"tenant": described(tenant), "dry_run": options["dry_run"]}, f"{tenant.slug} is {tenant.status}{would}."
        )


def one_tenant(slug: str) -> AbstractTenant:
    """The tenant of that slug. Raises `TenantNotFound`."""
    return named_tenants([slug])[0]


def named_tenants(slugs: list[str]) -> list[AbstractTenant]:
    """The tenants of those slugs, in that order, each once. Raises `TenantNotFound`, which names all that
    there are not: an erased tenant is none."""
    tenants = get_tenant_model()._default_manager.exclude(status=TenantStatus.ERASED)
    found = {tenant.slug: tenant for tenant in tenants.filter(slug__in=slugs)}
    wanted = dict.fromkeys(slugs)
    if unknown := [repr(slug) for slug in wanted if slug not in found]:
        raise TenantNotFound(f"There is no tenant {', '.join(unknown)}. `list_tenants` shows those that exist.")
    return [found[slug] for slug in wanted]


def add_tenant_options(parser: CommandParser, *, required: bool, every: str) -> None:
    """`--tenant SLUG`, repeatable, or `--all-tenants`; `every` says which those are."""
    group = parser.add_mutually_exclusive_group(required=required)
    group.add_argument("--tenant", action="append", metavar="SLUG", dest="tenants", help="This tenant; repeatable.")
    group.add_argument("--all-tenants", action="store_true", help=every)


def described(tenant: AbstractTenant) -> dict[str, Any]:
    """A tenant as the commands print it in JSON."""
    return {
        "slug": tenant.slug,
        "uid": str(tenant.uid),
        "name": tenant.name,
        "status": str(tenant.status),
        "plan": tenant.plan,
        "isolation": tenant.isolation,
        "database": tenant.database,
        "created_at": tenant.created_at.isoformat(),
    }


def rows_as_text(rows: dict[str, int]) -> str:
    """How many rows of each model, a line each, without those that have none."""
    return "\n".join(f"  {number:>9} {label}" for label, number in rows.items() if number)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
