"""`setup_roles`."""

from __future__ import annotations

from typing import Any

import psycopg
from django.core.management.base import CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections

from ...lifecycle.roles import RolesResult, login_lines, plan_roles, roles_sql, set_up_roles
from ..base import FAILED, WRONG_USE, TenantCommand


class Command(TenantCommand):
    """Make the roles of a database, or put them right."""

    help = (
        "Make the roles of the database, and give each what it needs and nothing else. The login of DATABASES, or the "
        "one that --user names, must be allowed to make roles; where it is not, the SQL for somebody who is gets "
        "printed, with exit code 1. Run again it does what is missing, and else nothing."
    )

    def add_options(self, parser: CommandParser) -> None:
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, metavar="ALIAS", help="The entry of DATABASES.")
        parser.add_argument(
            "--user",
            metavar="ROLE",
            help="Log in as this role instead of the USER of DATABASES; its password is in PGPASSWORD or ~/.pgpass.",
        )
        parser.add_argument(
            "--passwords",
            action="store_true",
            help="Give the logins of the application and of the system new passwords, and print them once.",
        )
        parser.add_argument(
            "--owned-by",
            action="append",
            default=[],
            metavar="ROLE",
            help="The tables of this role too become the owner's, as those of the USER of DATABASES do; repeatable.",
        )
        parser.add_argument(
            "--createdb",
            action="store_true",
            help="Let the system make databases: for tests, and where tenants have databases of their own.",
        )
        parser.add_argument(
            "--print",
            action="store_true",
            dest="only_print",
            help="Print the SQL that a superuser would run, and do nothing. Passwords go to stderr.",
        )

    def work(self, options: dict[str, Any]) -> None:
        alias, user = options["database"], options["user"]
        if alias not in connections:
            raise CommandError(f"DATABASES has no entry {alias!r}.", returncode=WRONG_USE)
        wanted = {"may_create_databases": options["createdb"], "former_owners": options["owned_by"]}
        try:
            if options["only_print"]:
                result = roles_sql(alias, user=user, passwords=options["passwords"], **wanted)
            elif options["dry_run"]:
                result = plan_roles(alias, user=user, **wanted)
            else:
                result = set_up_roles(alias, user=user, passwords=options["passwords"], **wanted)
        except psycopg.OperationalError as error:
            raise CommandError(
                f"Nobody is logged in: {' '.join(str(error).split())}. Name a role that exists and may make roles, "
                "`setup_roles --user postgres`, or let somebody else run what `setup_roles --print` prints.",
                returncode=FAILED,
            ) from error
        self.report(alias, result, options["dry_run"])

    def report(self, alias: str, result: RolesResult, dry_run: bool) -> None:
        """Print it: SQL to stdout, passwords that go with it to stderr."""
        data = {
            "database": result.database,
            "roles": result.wanted.roles._asdict(),
            "statements": result.statements,
            "sql": result.sql,
            "done": result.done,
            "dry_run": dry_run,
            "passwords": result.passwords,
        }
        logins = "\n".join(login_lines(alias, result)) if result.passwords else ""
        if result.sql and not self.as_json:
            self.stdout.write(result.sql)
            self.stderr.write(logins)
        else:
            self.show(data, f"{_done(result)}\n\n{logins}".rstrip())
            if result.done and not (result.passwords or result.wanted.system):
                roles = result.wanted.roles
                self.stderr.write(
                    f"Next: let DATABASES log in as {roles.application}, and TENANTKIT_SYSTEM_DATABASE as "
                    f"{roles.system}. With --passwords this command gives them passwords and prints the lines."
                )
        if result.refused:
            raise CommandError(
                f"Not done: {result.refused}. Run this as a role that may make roles, `setup_roles --user postgres`, "
                "or give the SQL above to somebody who may.",
                returncode=FAILED,
            )


def _done(result: RolesResult) -> str:
    if not result.statements:
        return f"The roles of {result.database} are as they should be."
    lines = [f"{statement};" for statement in result.statements]
    return "\n".join([*lines, "", "Done." if result.done else "Nothing was done: --dry-run."])
