"""What the checks look at: what is expected, and what the catalog says. Each kind of thing is asked for
once, for all tables together, when a check first needs it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import psycopg

from ...isolation.entries import allows_databases
from ...registry import only_rows
from ...sql import audit as sql
from ...sql import common, copies
from ...sql.functions import FUNCTIONS
from ...sql.roles import Roles
from .databases_evidence import TenantDatabase
from .expected import SCHEMA as OWN_SCHEMA
from .expected import Expected, Table
from .guarded import Function, functions
from .homes_evidence import Homes
from .probe import Probe, probe
from .reader import Connection, Reader

#: Who everybody is in the answers of the catalog. No role can have this name.
PUBLIC = "public"

#: The schema of our functions.
SCHEMA = "tenantkit"

#: Where the keys of signed contexts are.
SIGNING_KEYS = "tenantkit.signing_keys"

#: The settings that a session must not begin with.
STORED = ("role", "session_replication_role", "row_security", "search_path", "session_authorization")


@dataclass(frozen=True)
class Found:
    """A tenant table that is there: as it should be, and as the catalog has it."""

    expected: Table
    oid: int
    name: str
    kind: str
    enabled: bool
    forced: bool
    owner: str
    active: bool


class Evidence:
    """What one audit knows. `login` is the name that requests log in with, if it is known; `connect` opens a
    connection as they do; `database` says whose it is, where it is a tenant's."""

    def __init__(
        self,
        reader: Reader,
        expected: Expected,
        roles: Roles,
        *,
        login: str | None = None,
        may_operate: bool = False,
        connect: Callable[[], Connection] | None = None,
        database: TenantDatabase | None = None,
    ) -> None:
        self.reader, self.expected, self.roles = reader, expected, roles
        self.login, self.may_operate, self.connect = login, may_operate, connect
        self.database = database
        self._same: dict[tuple[str, ...], bool] = {}
        #: What could not be compared, and why.
        self.unread: dict[str, str] = {}
        names = {reference.target for table in expected.tables for reference in table.references}
        names.add(SIGNING_KEYS)
        names |= {generic.types for table in expected.tables for generic in table.generic}
        wanted = sorted(names | expected.known | {table.name for table in expected.tables})
        with reader.transaction(pinned=False):
            resolved = reader.rows(sql.RESOLVE, {"names": wanted})
        #: Tables by the name that models have for them, for those that are there.
        self.oids: dict[str, int] = {row.name: row.oid for row in resolved}
        self.paths: dict[str, str] = {row.name: row.path for row in resolved}

    def _ask(self, statement: str, **more: Any) -> list[Any]:
        tables = [table.oid for table in self.tables] if "%(tables)s" in statement and "tables" not in more else []
        return self.reader.rows(statement, {"tables": tables, "schema": SCHEMA, **more})

    def _by_table(self, statement: str, **more: Any) -> dict[int, list[Any]]:
        found: dict[int, list[Any]] = defaultdict(list)
        for row in self._ask(statement, **more):
            found[row.table].append(row)
        return found

    @cached_property
    def server(self) -> Any:
        """Version, database and who asks."""
        return self.reader.rows(sql.SERVER)[0]

    @cached_property
    def relations(self) -> dict[int, Any]:
        """What stands under the names of tenant tables: tables, views, foreign tables."""
        oids = [self.oids[table.name] for table in self.expected.tables if table.name in self.oids]
        return {row.oid: row for row in self.reader.rows(sql.TABLES, {"tables": oids})}

    @cached_property
    def tables(self) -> list[Found]:
        """The guarded tables that are there, as tables."""
        return [
            Found(table, row.oid, row.name, row.kind, row.enabled, row.forced, row.owner, row.active)
            for table in self.expected.tables
            if (row := self.relations.get(self.oids.get(table.name, 0))) is not None and row.kind in "rp"
        ]

    @cached_property
    def tenant_tables(self) -> list[Found]:
        """Those of tenant models."""
        return [table for table in self.tables if table.expected.tenant]

    @cached_property
    def found(self) -> dict[int, Found]:
        """All of them by oid."""
        return {table.oid: table for table in self.tables}

    @cached_property
    def columns(self) -> dict[int, Any]:
        """The tenant's column of each table that has it."""
        columns = [table.expected.tenant for table in self.tenant_tables]
        tables = [table.oid for table in self.tenant_tables]
        return {row.table: row for row in self._ask(sql.COLUMNS, tables=tables, columns=columns)}

    @cached_property
    def policies(self) -> dict[int, list[Any]]:
        """Policies by table."""
        return self._by_table(sql.POLICIES)

    @cached_property
    def constraints(self) -> dict[int, list[Any]]:
        """Primary keys, unique constraints and references by table."""
        return self._by_table(sql.CONSTRAINTS)

    @cached_property
    def indexes(self) -> dict[int, list[Any]]:
        """Indexes by table."""
        return self._by_table(sql.INDEXES)

    @cached_property
    def triggers(self) -> dict[int, list[Any]]:
        """Triggers by table."""
        return self._by_table(sql.TRIGGERS)

    @cached_property
    def rules(self) -> dict[int, list[Any]]:
        """Rules by table."""
        return self._by_table(sql.RULES)

    @cached_property
    def children(self) -> list[Any]:
        """Partitions and other children of the tables."""
        return self._ask(sql.CHILDREN)

    @cached_property
    def views(self) -> list[Any]:
        """Views that read the tables or their partitions."""
        children = [child.oid for child in self.children]
        return self._ask(sql.VIEWS, tables=[table.oid for table in self.tables] + children)

    @cached_property
    def functions(self) -> list[Any]:
        """Functions with rights or trust beyond their caller's."""
        return self._ask(sql.FUNCTIONS)

    @cached_property
    def own_functions(self) -> list[Any]:
        """The functions in our schema."""
        return self._ask(sql.OWN_FUNCTIONS)

    @cached_property
    def wanted_functions(self) -> dict[str, Function]:
        """What our schema should hold, by name. The functions that look into our own tables are there as soon
        as those are."""
        own = [table for table in self.tables if not table.expected.tenant]
        ours = [*FUNCTIONS, *(copies.FUNCTIONS if allows_databases() else ())]
        ours += () if only_rows() else common.FUNCTIONS
        if not own:
            return functions(ours)
        schema = own[0].name.partition(".")[0]
        return functions([*ours, *(text.replace(OWN_SCHEMA, schema) for text in self.expected.statements)])

    @cached_property
    def unknown(self) -> list[Any]:
        """Tables with tenants in them that are no model's, nor a child of one."""
        known = [*self.oids.values(), *(child.oid for child in self.children)]
        tenants = [self.oids.get(ref.target, 0) for t in self.expected.tables for ref in t.references if ref.to_tenant]
        columns = sorted({table.tenant for table in self.expected.tables if table.tenant})
        return self._ask(sql.UNKNOWN, known=known, tenants=sorted(set(tenants)), columns=columns)

    @cached_property
    def homes(self) -> Homes:
        """The homes of schema tenants."""
        return Homes(self)

    @cached_property
    def sequences(self) -> list[Any]:
        """Sequences of the tables' columns."""
        return self._ask(sql.SEQUENCES, roles=[self.roles.application, self.roles.operator])

    @cached_property
    def reach(self) -> dict[str, dict[str, Any]]:
        """Whom each of our roles can act as, itself among them; empty for a role that is not there."""
        starts = [*self.roles, *([self.login] if self.login else [])]
        found: dict[str, dict[str, Any]] = {start: {} for start in starts}
        for row in self._ask(sql.REACH, roles=starts):
            found[row.start][row.role] = row
        return found

    @cached_property
    def web(self) -> list[str]:
        """The roles that requests can act as. Ours with more rights and PostgreSQL's own are left out: being
        a member of those is a finding of its own."""
        starts = {self.roles.application, self.login or self.roles.application}
        reached = {role for start in starts for role in self.reach[start]}
        ours = {self.roles.owner, self.roles.operator, self.roles.system}
        return sorted(role for role in reached - ours if not role.startswith("pg_"))

    @cached_property
    def owned(self) -> list[Any]:
        """What those roles own."""
        return self._ask(sql.OWNED, roles=self.web)

    @cached_property
    def grants(self) -> dict[int, list[Any]]:
        """What those roles, the operator and everybody may do, by relation: tables, their children, views,
        sequences, and the keys of signed contexts."""
        others = (self.children, self.views, self.sequences, self.unknown)
        oids = [table.oid for table in self.tables] + [row.oid for rows in others for row in rows]
        oids.append(self.oids.get(SIGNING_KEYS, 0))
        found: dict[int, list[Any]] = defaultdict(list)
        for row in self._ask(sql.GRANTS, relations=oids, roles=[*self.web, self.roles.operator]):
            found[row.relation].append(row)
        return found

    @property
    def signing_grants(self) -> list[Any]:
        """Who has privileges on the keys of signed contexts."""
        return self.grants[self.oids.get(SIGNING_KEYS, 0)]

    def readers(self, oid: int) -> list[str]:
        """Who of the web's roles may do something with a relation, everybody among them."""
        return sorted({grant.grantee for grant in self.grants[oid] if self.is_web([grant.grantee])})

    def is_web(self, roles: Iterable[str]) -> bool:
        """Whether something that is for `roles` is for requests."""
        return any(role == PUBLIC or role in self.web for role in roles)

    @cached_property
    def lacking(self) -> list[Any]:
        """Privileges that the application or the operator need and do not have."""
        tables = [table.oid for table in self.tables if self.database is None or table.expected.tenant]  # not copies
        return self._ask(sql.LACKING, tables=tables, roles=[self.roles.application, self.roles.operator])

    @cached_property
    def creators(self) -> list[Any]:
        """Who may make objects in schemas and schemas in the database."""
        return self._ask(sql.CREATORS)

    @cached_property
    def defaults(self) -> list[Any]:
        """What the owner grants on tables to come."""
        return self._ask(sql.DEFAULTS, owner=self.roles.owner)

    @cached_property
    def settings(self) -> list[Any]:
        """What sessions begin with."""
        roles = sorted({*self.reach, *self.web})
        return self._ask(sql.SETTINGS, roles=roles, names=list(STORED))

    @cached_property
    def event_triggers(self) -> list[Any]:
        """Triggers on events."""
        return self._ask(sql.EVENT_TRIGGERS)

    @cached_property
    def publications(self) -> list[Any]:
        """Publications of all rows of a tenant table."""
        return self._ask(sql.PUBLICATIONS)

    @cached_property
    def large_objects(self) -> int:
        """How many large objects there are."""
        number: int = self._ask(sql.LARGE_OBJECTS)[0].number
        return number

    @cached_property
    def pooler(self) -> Probe | None:
        """How connections behave that are opened as requests open them; None where nobody said how."""
        return None if self.connect is None else probe(self.connect, self.roles.application)

    def same(self, table: Found, ours: str | None, theirs: str | None) -> bool:
        """Whether this server understands what we wrote and what it prints as the same expression. Both go
        through its planner, as versions print differently; tables alike share the answer."""
        if ours is None or theirs is None or ours == theirs:
            return ours == theirs
        column = self.columns.get(table.oid)
        key = (column.quoted, column.type, ours, theirs) if column else (table.name, ours, theirs)
        if key not in self._same:
            plan = self.reader.plan(table.name, ours)
            self._same[key] = plan is not None and plan == self.reader.plan(table.name, theirs)
        return self._same[key]

    def ask_rows(self, about: str, statement: str, names: dict[str, Any]) -> list[Any]:
        """Ask tenants' rows. What cannot be asked, for want of a column for instance, is in `unread`."""
        try:
            with self.reader.savepoint():
                return self.reader.rows(statement.format(**names))
        except psycopg.ProgrammingError as error:
            self.unread[about] = str(error).splitlines()[0]
            return []
