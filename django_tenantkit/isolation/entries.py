"""Entries of DATABASES that nobody wrote: those of the databases in which tenants live. Made when they are asked for,
from the main database's entry and TENANTKIT_SERVERS, so that a password stands in settings and in no table."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid5

from django.db import DEFAULT_DB_ALIAS, connections

from ..conf import Settings, conf, made_of
from ..exceptions import TenantkitError
from ..sql.roles import MAX_NAME, ORIGINAL_NAME

#: The database of shared tables, of row tenants, and of schema tenants that are on no other server.
MAIN = DEFAULT_DB_ALIAS

#: The same connection for code inside a tenant that has a database, where MAIN means the tenant's.
SHARED = "tenantkit_shared"

#: What an entry made here has beside Django's: the uid of the tenant, or of the shard.
HOME_OF = "HOME_OF"

#: And what says where its server is: the logins of the system and of the operator have HOST and PORT for the main one.
SERVER_AT = "SERVER_AT"

#: The same for the system's login, which has sessions of its own: where others go through a pooler, it does not. What
#: differs for it stands in an entry of TENANTKIT_SERVERS under the second name.
SYSTEM_AT, SYSTEM = "SYSTEM_AT", "SYSTEM"

#: Servers have shards by their names, and those have uids.
_SHARDS = UUID("6c9e6e0a-5d1c-5b0e-9a57-2f3f0f6f7a11")

_ALIAS = re.compile(r"tenantkit_([0-9a-f]{32})(?:_(.+))?", re.DOTALL)


def database_alias(uid: UUID, server: str = "") -> str:
    """The alias in `connections` of the database of the tenant with that uid, on a server of TENANTKIT_SERVERS."""
    return f"tenantkit_{uid.hex}_{server}" if server else f"tenantkit_{uid.hex}"


@lru_cache(maxsize=1024)
def shard_uid(server: str) -> UUID:
    """The uid of the shard of a server of TENANTKIT_SERVERS: the database there in which tenants have schemas. It is
    that of a place like a tenant's, so it is found, made, marked and guarded as the database of one tenant is."""
    return uuid5(_SHARDS, server)


def shard_alias(server: str) -> str:
    """The alias in `connections` of that database; "" for no server, as the main one is the main server's."""
    return database_alias(shard_uid(server), server) if server else ""


def is_shard(alias: str) -> bool:
    """Whether `alias` is that of a shard."""
    server = server_of(alias)
    return server in conf.SERVERS and alias == shard_alias(server)


def server_of(alias: str) -> str:
    """The server of TENANTKIT_SERVERS that the database of an alias is on; "" for the main one."""
    found = _ALIAS.fullmatch(alias)
    return "" if found is None else found[2] or ""


def database_name(main: str, uid: UUID) -> str:
    """The name of that database, given the main one's. Of a main name that is too long the beginning stays, and a
    digest, as PostgreSQL would cut the uid off."""
    name = f"{main}_t_{uid.hex}"
    if len(name.encode()) > MAX_NAME:
        digest = hashlib.sha256(main.encode()).hexdigest()[:8]
        rest = f"_{digest}_t_{uid.hex}"
        name = main.encode()[: MAX_NAME - len(rest)].decode(errors="ignore") + rest
    if not main or "\0" in name:
        raise TenantkitError(f"DATABASES[{MAIN!r}] has no NAME that names of tenants' databases could follow from.")
    return name


def left_database_name(name: str, uid: UUID) -> str:
    """The name of that database, given the one it had, once its tenant left it: nothing looks there."""
    return _other_name(name, uid, "l")


def template_name(name: str, uid: UUID) -> str:
    """The name of a database that others are copies of, given the one it was made under."""
    return _other_name(name, uid, "p")


def _other_name(name: str, uid: UUID, kind: str) -> str:
    return f"{name.removesuffix(f't_{uid.hex}')}{kind}_{uid.hex}"


@made_of(Settings.ISOLATIONS, Settings.SERVERS)
def allows_databases(isolations: Sequence[str], servers: Mapping[str, Any]) -> bool:
    """Whether tenants may live in other databases than the main one. Asked several times for each query."""
    return "database" in isolations or bool(servers)


def is_elsewhere(alias: str | None) -> bool:
    """Whether `alias` is that of a database of tenants beside the main one."""
    return alias is not None and _ALIAS.fullmatch(alias) is not None


class Entries(dict[str, dict[str, Any]]):
    """`connections.settings` with these entries. They are neither kept nor listed: whoever goes through all of
    DATABASES finds what is written there, and as many tenants as there are cost nothing."""

    def __missing__(self, alias: str) -> dict[str, Any]:
        entry = self._made(alias)
        if entry is None:
            raise KeyError(alias)
        return entry

    def __contains__(self, alias: object) -> bool:
        return super().__contains__(alias) or (isinstance(alias, str) and (alias == SHARED or is_elsewhere(alias)))

    def _made(self, alias: str) -> dict[str, Any] | None:
        main = self[MAIN]
        if alias == SHARED:
            return main
        found = _ALIAS.fullmatch(alias)
        return None if found is None else _entry(main, found[2] or "", UUID(found[1]))


def _entry(main: dict[str, Any], server: str, uid: UUID) -> dict[str, Any]:
    if server and server not in conf.SERVERS:
        raise TenantkitError(
            f"A tenant lives on the server {server!r}, which TENANTKIT_SERVERS does not name. Write what differs there "
            f"from DATABASES[{MAIN!r}]: TENANTKIT_SERVERS = {{{server!r}: {{'HOST': ...}}}}."
        )
    differing = {**conf.SERVERS.get(server, {})}
    of_system = differing.pop(SYSTEM, {})
    made = {**main, **differing, "ATOMIC_REQUESTS": False, HOME_OF: uid.hex}
    made[SERVER_AT] = {key: differing[key] for key in ("HOST", "PORT") if key in differing}
    made[SYSTEM_AT] = {**made[SERVER_AT], **of_system}
    made[ORIGINAL_NAME] = main.get(ORIGINAL_NAME) or main["NAME"]
    made["NAME"] = database_name(str(main["NAME"]), uid)
    # A pool for each tenant would keep connections open that TENANTKIT_DATABASE_CONNECTIONS counts.
    made["OPTIONS"] = {key: value for key, value in made.get("OPTIONS", {}).items() if key != "pool"}
    return made


def install() -> None:
    """Have `connections` find these entries."""
    if not isinstance(connections.settings, Entries):
        connections.settings = Entries(connections.settings)
