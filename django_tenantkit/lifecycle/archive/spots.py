"""Where the rows of a tenant are, as names that SQL needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connections, transaction

from ...conf import conf
from ...exceptions import ArchiveRefused
from ...isolation.entries import MAIN
from ...registry import lives_at_home
from ...sql.homes import quoted


@dataclass(frozen=True)
class Spot:
    """A schema of a database: `alias` is that of `connections`, outside of tenants."""

    alias: str
    schema: str

    @property
    def connection(self) -> Any:
        """The connection to it."""
        return connections[self.alias]

    def table(self, model: Any) -> str:
        """The full name of a model's table, quoted."""
        return f"{quoted(self.schema)}.{quoted(model._meta.db_table)}"


def home_spot(tenant: Any) -> Spot:
    """Where the tables of a tenant's home are. Raises `ArchiveRefused` for a database other than PostgreSQL."""
    home = tenant.home
    schema = (home.schema if home else "") or conf.ROW_SCHEMA or "public"
    spot = Spot((home.database if home else "") or MAIN, schema)
    if spot.connection.vendor != "postgresql":
        raise ArchiveRefused("Archives are made and read on PostgreSQL only; use `dumpdata` inside the tenant.")
    return spot


def main_spot(alias: str = MAIN) -> Spot:
    """Where the tables that all tenants share are."""
    return Spot(alias, "public")


def spot_of(model: Any, home: Spot, main: Spot) -> Spot:
    """Where the table of a model is, for a tenant whose home is `home`."""
    return home if lives_at_home(model) else main


@contextmanager
def snapshot(*spots: Spot) -> Iterator[None]:
    """Read in one state of each database, whatever is written meanwhile. Outside of transactions."""
    aliases = list(dict.fromkeys(spot.alias for spot in spots))
    for alias in aliases:
        with connections[alias].cursor():  # in a transaction the first use would read what copies of shared rows lack
            pass
    with ExitStack() as opened:
        for alias in aliases:
            connection: Any = connections[alias]
            if connection.in_atomic_block and alias == spots[0].alias:
                raise ArchiveRefused(
                    "An archive shows one moment, which began before this transaction. Leave atomic()."
                )
            if not connection.in_atomic_block:  # a tenant's database joins the main one's transaction
                opened.enter_context(transaction.atomic(using=alias))
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield
