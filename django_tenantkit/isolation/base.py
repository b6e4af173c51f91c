"""What an isolation says."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID


class Home(NamedTuple):
    """Where rows live: `schema` in the database that the alias `database` of `connections` leads to. An empty
    schema is that of row tenants, an empty alias the main database. `shared`: other tenants' rows live there too."""

    schema: str = ""
    database: str = ""
    shared: bool = False


class Isolation:
    """One way to keep tenants apart. A subclass says where the rows of a tenant live, by its uid: names follow
    from that alone, so that none is ever used again."""

    name: str

    def home(self, uid: UUID, server: str) -> Home | None:
        """The home of the tenant with that uid, on a server of TENANTKIT_SERVERS ("" is the main database's);
        None for the tables that the main database shares out."""
        raise NotImplementedError
