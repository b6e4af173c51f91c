"""Models of one version after another, migrated as an adopter does: detected, written, read back, run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import ModuleType
from typing import Any

import psycopg
from django.apps import apps as global_apps
from django.apps.registry import Apps
from django.db import connection, migrations, models
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.questioner import MigrationQuestioner
from django.db.migrations.state import ModelState, ProjectState
from django.db.migrations.writer import MigrationWriter
from psycopg import sql

from django_tenantkit.conf import conf
from django_tenantkit.models import TenantModel
from django_tenantkit.sql.homes import set_path
from django_tenantkit.sql.roles import roles_of
from tests import databases

APP = "guarded"

#: What the models of a version can refer to.
AROUND = {
    "auth": ("user", "group", "permission"),
    "contenttypes": ("contenttype",),
    "django_tenantkit": ("tenant",),
}


class Version:
    """The models of an app at one time: `version.model("Line", order=ForeignKey("guarded.Order", ...))`."""

    def __init__(self) -> None:
        self.apps = Apps()
        self.models: list[type[models.Model]] = []

    def model(self, title: str, /, *bases: type, meta: dict[str, Any] | None = None, **attributes: Any) -> Any:
        """A model of the app; a tenant model unless other bases are given."""
        inner = type("Meta", (), {"app_label": APP, "apps": self.apps, **(meta or {})})
        made = type(title, bases or (TenantModel,), {"Meta": inner, "__module__": __name__, **attributes})
        self.models.append(made)
        return made

    def shared(self, title: str, /, **attributes: Any) -> Any:
        """A shared model of the app."""
        return self.model(title, models.Model, **attributes)


class Answers(MigrationQuestioner):
    """What somebody answers to makemigrations: yes, it was renamed; and existing rows get `default`."""

    default: Any = None

    def ask_rename(self, *args: Any) -> bool:
        return True

    def ask_rename_model(self, *args: Any) -> bool:
        return True

    def ask_not_null_addition(self, *args: Any) -> Any:
        return self.default

    def ask_not_null_alteration(self, *args: Any) -> Any:
        return self.default


class Project:
    """An app with its migrations and the tables they make in the database of the tests."""

    def __init__(self) -> None:
        self.around = {
            key: ModelState.from_model(model)
            for model in global_apps.get_models(include_swapped=True)
            if (key := (model._meta.app_label, str(model._meta.model_name)))[1] in AROUND.get(key[0], ())
        }
        self.state = ProjectState(dict(self.around))
        self.applied: list[tuple[ProjectState, migrations.Migration]] = []

    def state_of(self, version: Version) -> ProjectState:
        found = {(APP, str(model._meta.model_name)): ModelState.from_model(model) for model in version.models}
        return ProjectState({**self.around, **found})

    def changes(self, version: Version, default: Any = None) -> list[migrations.Migration]:
        """What makemigrations would write now."""
        answers = Answers({"ask_initial": True})
        answers.default = default
        detector = MigrationAutodetector(self.state, self.state_of(version), answers)
        return detector.changes(graph=MigrationGraph()).get(APP, [])

    def migrate(self, version: Version, default: Any = None, atomic: bool = True) -> str:
        """Detect, write, read back and run; the text of what was written. Afterwards nothing is left to detect."""
        texts = []
        for migration in self.changes(version, default):
            texts.append(MigrationWriter(migration).as_string())
            self.run(texts[-1], atomic)
        left = [operation.describe() for migration in self.changes(version) for operation in migration.operations]
        assert left == []
        return "".join(texts)

    def run(self, text: str, atomic: bool = True) -> None:
        """Run a migration, given its file."""
        module = ModuleType("written")
        exec(text, vars(module))
        self.operate(*module.Migration.operations, atomic=atomic)

    def operate(self, *operations: Any, atomic: bool = True) -> None:
        """Run a migration, given its operations."""
        migration = migrations.Migration(f"{len(self.applied) + 1:04}", APP)
        migration.operations = list(operations)
        migration.atomic = atomic
        before = self.state.clone()
        with connection.schema_editor(atomic=atomic) as editor:
            state = migration.apply(self.state.clone(), editor)
        self.applied.append((before, migration))
        self.state = state

    def back(self) -> None:
        """Reverse the last migration."""
        before, migration = self.applied.pop()
        with connection.schema_editor(atomic=migration.atomic) as editor:
            migration.unapply(before.clone(), editor)
        self.state = before

    def again(self) -> None:
        """Reverse the last migration and run it once more."""
        _, migration = self.applied[-1]
        self.back()
        self.operate(*migration.operations, atomic=migration.atomic)

    def historical(self, name: str) -> Any:
        """The model as the last migration left it."""
        return self.state.apps.get_model(APP, name)

    def drop(self) -> None:
        """Remove what is left of the app in the database."""
        with superuser() as admin:
            query = "SELECT schemaname, tablename FROM pg_tables WHERE starts_with(tablename, %s)"
            for names in admin.execute(query, [f"{APP}_"]).fetchall():
                admin.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.Identifier(*names)))


def by_system() -> AbstractContextManager[Any]:
    """As migrations work."""
    return getattr(connection, "as_system", nullcontext)()


@contextmanager
def superuser() -> Iterator[psycopg.Connection[Any]]:
    """A connection of its own to the database of the tests, bound by no policy, where row tenants are."""
    with databases.as_admin(connection.settings_dict["NAME"]) as admin:
        if conf.ROW_SCHEMA:
            admin.execute(set_path(conf.ROW_SCHEMA, "public"))
        yield admin


@contextmanager
def acting(role: str, tenant: Any = "", user: Any = "", roles: str = "") -> Iterator[psycopg.Connection[Any]]:
    """A connection as one of our roles (`application`, `operator`, `owner`), in the context of a statement."""
    with superuser() as admin:
        admin.execute("SELECT set_config('tenantkit.tenant', %s, false)", [str(tenant)])
        admin.execute("SELECT set_config('tenantkit.user', %s, false)", [str(user)])
        admin.execute("SELECT set_config('tenantkit.roles', %s, false)", [roles])
        name = getattr(roles_of(connection.settings_dict), role)
        admin.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(name)))
        yield admin


def rows(role: str, query: str, tenant: Any = "", **context: Any) -> list[Any]:
    """What a role gets in answer to a query."""
    with acting(role, tenant, **context) as session:
        found = session.execute(query).fetchall()
        return sorted(row[0] if len(row) == 1 else row for row in found)


CATALOG = {
    "columns": """SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull
        FROM pg_attribute WHERE attrelid = ANY (%(tables)s) AND attnum > 0 AND NOT attisdropped""",
    "constraints": """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated
        FROM pg_constraint WHERE conrelid = ANY (%(tables)s) AND contype <> 'n'""",
    "indexes": "SELECT pg_get_indexdef(indexrelid), indisvalid FROM pg_index WHERE indrelid = ANY (%(tables)s)",
    "policies": """SELECT polrelid::regclass::text, polname, polpermissive, polcmd, polroles::regrole[]::text,
        pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)
        FROM pg_policy WHERE polrelid = ANY (%(tables)s)""",
    "triggers": "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = ANY (%(tables)s) AND NOT tgisinternal",
    "guard": """SELECT oid::regclass::text, relrowsecurity, relforcerowsecurity
        FROM pg_class WHERE oid = ANY (%(tables)s)""",
}


def catalog(prefix: str = f"{APP}_", schema: str | None = None) -> dict[str, list[Any]]:
    """All that PostgreSQL knows of the tables whose names begin so, in a schema, or in all where row tenants are."""
    with superuser() as admin:
        if schema is not None:
            admin.execute("SELECT set_config('search_path', %s, false)", [f"{schema}, public"])
        tables = admin.execute(
            """SELECT oid FROM pg_class
            WHERE relkind = 'r' AND relnamespace = ANY (%s::regnamespace[]) AND starts_with(relname, %s)""",
            [[schema] if schema else [conf.ROW_SCHEMA or "public", "public"], prefix],
        )
        given = {"tables": [oid for (oid,) in tables.fetchall()]}
        return {kind: sorted(map(repr, admin.execute(query, given).fetchall())) for kind, query in CATALOG.items()}


def references(table: str) -> dict[str, str]:
    """The foreign keys of a table, by their last column."""
    query = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f'"
    with superuser() as admin:
        found = [text for (text,) in admin.execute(query, [table]).fetchall()]
    return {text.partition("(")[2].partition(")")[0].split(", ")[-1]: text for text in found}


def policies(table: str) -> dict[str, tuple[str, str, str]]:
    """The policies of a table by name: for whom, which rows, which new rows."""
    query = "SELECT policyname, roles[1], qual, with_check FROM pg_policies WHERE tablename = %s"
    with superuser() as admin:
        return {name: tuple(found) for name, *found in admin.execute(query, [table]).fetchall()}


def key_of(slug: str) -> Any:
    """The key of a new tenant."""
    with superuser() as admin:
        insert = """INSERT INTO django_tenantkit_tenant (uid, slug, name, plan, status, settings, created_at)
            VALUES (gen_random_uuid(), %s, %s, '', 'active', '{}', now()) RETURNING id"""
        return admin.execute(insert, [slug, slug]).fetchone()[0]
