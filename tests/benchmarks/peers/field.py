"""The ground on which the contenders meet: one server, a database for each, and the same migrations of the shop."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from psycopg import sql

from django_tenantkit.testing import embedded

from .contenders import OURS, PLAIN, Contender, ContenderFailed, Process

SHOP = "shop_migrations"
OWNER = "peers_owner"


@contextmanager
def begun(peers: list[Contender], said: Any) -> Iterator[dict[str, Process]]:
    """The processes of plain Django, ours and the peers by name, with tables and a first tenant in their databases. A
    peer that cannot be installed or does not run is told of and left out."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tenantkit-peers-")))
        server = stack.enter_context(embedded.start())
        with server.connect() as admin:
            admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(OWNER)))
        found: dict[str, Process] = {}
        for contender in (PLAIN, OURS, *peers):
            try:
                given = _given(server, contender, root)
                process = stack.enter_context(Process(contender, given))
                if contender is PLAIN:
                    process.ask("write_first")
                else:
                    first = next(Path(found[PLAIN.name].given["migrations"], SHOP).glob("0001*.py"))
                    shutil.copy(first, Path(given["migrations"], SHOP))
                process.ask("install")
            except (ContenderFailed, OSError) as error:
                if contender in (PLAIN, OURS):
                    raise
                said(f"{contender.name} is left out: {error}")
            else:
                found[contender.name] = process
        yield found


def _given(server: embedded.EmbeddedServer, contender: Contender, root: Path) -> dict[str, Any]:
    name = f"peers_{contender.module}"
    if contender is OURS:
        roles = server.make_database(name, web_may_operate=True)
        user, system = roles.application, roles.system
    else:
        user, system = OWNER, ""
        with server.connect() as admin:
            create = sql.SQL("CREATE DATABASE {} OWNER {}")
            admin.execute(create.format(sql.Identifier(name), sql.Identifier(OWNER)))
    folder = root / contender.module / SHOP
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    database = {"NAME": name, "USER": user, "HOST": str(server.socket_directory)}
    return {"database": database, "system": system, "migrations": str(folder.parent), "package": SHOP}


def sharing(contenders: tuple[Contender, ...], found: Mapping[str, Process], stack: ExitStack) -> dict[str, Process]:
    """Processes of those that share the database of one that is there."""
    return {
        contender.name: stack.enter_context(Process(contender, found[contender.of].given))
        for contender in contenders
        if contender.of in found
    }
