"""`manage.py demo`: three tenants on a fresh database, served; or tried out and gone with `--once`."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.servers.basehttp import ThreadedWSGIServer

from django_tenantkit.testing.embedded import EmbeddedServerError
from example_project.demo.attempts import PARTS
from example_project.demo.companies import COMPANIES
from example_project.demo.database import demo_database
from example_project.demo.fill import token_of
from example_project.demo.server import listen, quiet, serving
from example_project.demo.site import CUSTOM_DOMAIN, Site, build
from example_project.demo.tour import Tour
from example_project.users.factories import PASSWORD
from example_project.users.models import User


class Command(BaseCommand):
    """Prepares a database, tenants and data, then serves them or tries them out."""

    help = "Make three tenants on a new database, fill them and serve them until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="the port to serve on; 0 takes any that is free")
        parser.add_argument("--once", action="store_true", help="send requests to the running site, print each, stop")

    def handle(self, *args: Any, **options: Any) -> None:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was made is removed
        once: bool = options["once"]
        port: int = 0 if once else options["port"]
        try:
            server = listen(port)
        except OSError as error:
            raise CommandError(f"Port {port} is taken: {error.strerror}. Choose another: --port 0") from error
        try:
            with demo_database("DATABASE_URL" in os.environ) as environment:
                began = time.monotonic()
                site = build()
                self.stdout.write(f"{len(COMPANIES)} tenants in {time.monotonic() - began:.1f} s")
                unexpected = self.try_out(site, server) if once else self.serve(site, server, environment)
        except (EmbeddedServerError, psycopg.Error) as error:
            raise CommandError(f"No database for the demo: {error}") from error
        finally:
            server.server_close()
        if unexpected:
            sys.exit(1)

    def try_out(self, site: Site, server: ThreadedWSGIServer) -> int:
        """Send the requests of the tour; the number of those that were not answered as expected."""
        with quiet(), serving(server):
            tour = Tour(site, server.server_port, self.stdout.write)
            tour.run(PARTS)
        self.stdout.write(f"demo: {tour.requests} requests, {tour.requests - tour.unexpected} as expected")
        return tour.unexpected

    def serve(self, site: Site, server: ThreadedWSGIServer, environment: str) -> int:
        """Print addresses, logins and curl lines, and serve until Ctrl-C."""
        self.stdout.write(welcome(site, server.server_port, environment))
        self.stdout.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            self.stdout.write("\nStopped. The database of this run is removed.")
        return 0


def welcome(site: Site, port: int, environment: str) -> str:
    """What to open, who may log in, and what to type."""
    rows = [
        f"  http://{company.slug}.localhost:{port}/".ljust(38) + f"{company.name:<18} {company.admin_email}"
        for company in COMPANIES
    ]
    acme, globex = COMPANIES[:2]
    token = token_of(User.objects.get(email=acme.admin_email))
    api = "/api/projects/"
    return "\n".join(
        [
            "",
            f"Pages, API (/api/) and admin (/admin/) of each tenant; the password is {PASSWORD!r} everywhere:",
            *rows,
            f"  http://localhost:{port}/".ljust(38) + f"{'the operators':<18} {site.operator.email}",
            f"{site.freelancer.email} is a member of {acme.slug} and of {globex.slug}.",
            "",
            "The API, with the token of acme's admin; the third line asks for another tenant's data:",
            f"  curl -H 'Authorization: Token {token}' http://acme.localhost:{port}{api}",
            f"  curl -H 'Authorization: Token {token}' -H 'X-Tenant-ID: acme' http://localhost:{port}{api}",
            f"  curl -H 'Authorization: Token {token}' http://globex.localhost:{port}{api}",
            f"  curl -H 'Host: {CUSTOM_DOMAIN}' http://localhost:{port}/catalogue/",
            "",
            "Commands on this database, in a second terminal:",
            f"  {environment} {sys.executable} manage.py list_tenants",
            "",
            "Ctrl-C stops the server and removes the database.",
        ]
    )
