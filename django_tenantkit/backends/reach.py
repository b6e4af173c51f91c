"""What a connection reaches of the tenants: not all of them where some have a schema or a database of their own.

A tenant's database has all of the tenant's rows, and of shared tables copies of the rows that those refer to. So a
statement there may look at a shared table where it comes from a row that refers to it, or by primary key; whatever
asks for more would be answered from a part of the table, and is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.db.models.expressions import Col
from django.db.models.sql.constants import INNER

from ..context import Scope, current_scope, describe
from ..exceptions import AcrossDatabases, TenantkitError, TenantsElsewhere
from ..isolation.copied import is_common, is_whole
from ..isolation.copying import Wanted, bring, holds_copies, is_pushed
from ..registry import lives_at_home, only_rows

#: Django's record of migrations, of which each home has its own.
_LEDGER = "django_migrations"


def check_unscoped(connection: Any, scope: Scope, fields: Iterable[Any], *, creates: bool = False) -> None:
    """Raise `TenantsElsewhere` where an unscoped statement on tenant tables, given by their tenant fields, would
    leave tenants out that live elsewhere; or would make a row here that belongs there. A migration means the home
    that it is in."""
    if scope.reason is None or only_rows() or is_system(connection):
        return
    field = next((field for field in fields if field is not None), None)
    if field is None or (scope.rows_only and not creates):
        return
    label = field.model._meta.label
    if creates:
        raise TenantsElsewhere(
            f"A new {label} is made where its tenant lives, and unscoped code is nowhere in particular. Enter the "
            "tenant: `with tenant_context(tenant): ...`."
        )
    raise TenantsElsewhere(
        f"Unscoped code reaches the {label} of row tenants only, and this deployment has others "
        '(TENANTKIT_ISOLATIONS). Use `for_each_tenant(function, reason="...")`, or say '
        '`unscoped(reason="...", rows_only=True)`.'
    )


def check_write(connection: Any, table: str, model: type[models.Model], *, creates: bool = False) -> None:
    """Raise where a row of `model` would be written in the wrong place: one of a tenant outside of its home, or a
    shared one where only copies are. A migration that runs for one tenant's home does not write to shared tables: it
    did so already in the main database, and would again for each tenant."""
    migrates = getattr(connection, "migrating", "")
    if not migrates and connection.group is None:
        return
    if table == _LEDGER or lives_at_home(model):
        _check_home(connection, current_scope(), model)
        if connection.group is not None and current_scope().reason is not None and is_common(model):
            connection.group.writes = True
    elif migrates or (is_system(connection) and holds_copies(connection)):
        raise TenantkitError(
            f"A migration that runs for one tenant writes to {model._meta.label}, which all tenants share; it did so "
            'when the main database was migrated. Give its RunPython `hints={"homes": False}`, or divide it in two.'
        )
    elif holds_copies(connection):
        raise AcrossDatabases(
            f"{model._meta.label} is shared, and the database of {describe(current_scope())} has copies, which nobody "
            f"writes. Leave out `using`: the row is written in the main database, and its copies follow."
        )
    elif is_pushed(connection, model, creates=creates):
        connection.group.writes = True


def check_insert(connection: Any, model: type[models.Model], field: Any, objs: Iterable[Any]) -> None:
    """The same for new rows, and what `check_unscoped` says; `field` is the tenant field of the table. Rows of nobody
    are made by unscoped code, where row tenants are."""
    check_write(connection, model._meta.db_table, model, creates=True)
    if field is None or not field.shares_rows_of_nobody or any(obj.__dict__.get(field.attname) for obj in objs):
        check_unscoped(connection, current_scope(), [field], creates=True)


def check_select(compiler: Any, scope: Scope) -> None:
    """Raise `AcrossDatabases` where a SELECT would look for a tenant's rows outside of its home, or for shared rows
    where only some are; or what `check_unscoped` does."""
    connection, query = compiler.connection, compiler.query
    if query.model is None or (connection.group is None and scope.reason is None):
        return
    used = [clause for alias, clause in query.alias_map.items() if query.alias_refcount[alias]]
    check_unscoped(connection, scope, (compiler.tables.tenant_fields.get(clause.table_name) for clause in used))
    if connection.group is None or is_system(connection):
        return
    copies = holds_copies(connection)
    for table in query.extra_tables:
        if (model := compiler.tables.models.get(table.replace('"', "").rpartition(".")[2])) is not None:
            _check_extra(connection, scope, model)
    for clause in used:
        model = compiler.tables.models.get(clause.table_name)
        if model is None:
            continue
        if lives_at_home(model):
            _check_home(connection, scope, model)
        elif copies and not is_whole(model) and not _is_complete(compiler, clause, used, model):
            raise AcrossDatabases(
                f"This looks for {model._meta.label}, which is shared, in the database of {describe(scope)}, which has "
                "only those that its own rows refer to. Ask for them first, and use their keys: "
                f"`keys = list({model._meta.object_name}.objects.filter(...).values_list('pk', flat=True))`."
            )


def _check_extra(connection: Any, scope: Scope, model: type[models.Model]) -> None:
    if lives_at_home(model):
        _check_home(connection, scope, model)
    elif holds_copies(connection) and not is_whole(model):
        raise AcrossDatabases(f"{model._meta.label} in extra(tables=...) is shared, and {describe(scope)} has copies.")


def _check_home(connection: Any, scope: Scope, model: type[models.Model]) -> None:
    if scope.key is None or is_system(connection):
        return
    here = connection.alias if holds_copies(connection) else ""
    if here == (scope.home.database if scope.home is not None else ""):
        return
    where = "the main database" if not here else f"the database {connection.settings_dict['NAME']}"
    raise AcrossDatabases(
        f"This looks for {model._meta.label} in {where}, and {describe(scope)} lives in another one. Where the query "
        f"starts at a shared model, start at {model._meta.object_name} or ask twice; leave out `using`."
    )


def _is_complete(compiler: Any, clause: Any, used: list[Any], model: type[models.Model]) -> bool:
    """Whether all rows of a shared table that a statement can find are copied."""
    if clause.parent_alias is not None:
        return bool(clause.join_field.concrete and not clause.join_field.many_to_many)
    if any(other.parent_alias == clause.table_alias and _refers_inward(compiler, other) for other in used):
        return True
    keys = _keys_asked_for(compiler.query.where, clause.table_alias, model)
    if keys is None:
        return False
    if compiler.executes and keys:
        wanted: Wanted = {model._meta.concrete_model: keys}
        bring(compiler.connection, wanted)
    return True


def _refers_inward(compiler: Any, clause: Any) -> bool:
    """Whether an inner join leads to rows of the tenant that refer to the table in front of it."""
    model = compiler.tables.models.get(clause.table_name)
    inner = clause.join_type == INNER and not clause.join_field.concrete
    return inner and model is not None and lives_at_home(model)


def _keys_asked_for(where: Any, alias: str, model: type[models.Model]) -> set[str] | None:
    """The primary keys that a WHERE restricts a table to, as text; None if it does not."""
    if where.negated or where.connector != "AND":
        return None
    for child in where.children:
        find = _keys_asked_for if hasattr(child, "children") else _keys_of
        found = find(child, alias, model)
        if found is not None:
            return found
    return None


def _keys_of(lookup: Any, alias: str, model: type[models.Model]) -> set[str] | None:
    column = getattr(lookup, "lhs", None)
    is_key = isinstance(column, Col) and column.alias == alias and column.target == model._meta.pk
    if not is_key or lookup.lookup_name not in ("exact", "in"):
        return None
    values = lookup.rhs if lookup.lookup_name == "in" else [lookup.rhs]
    if hasattr(values, "resolve_expression") or any(hasattr(value, "resolve_expression") for value in values):
        return None
    return {str(value) for value in values}


def is_system(connection: Any) -> bool:
    """Whether the connection is logged in as the system: it makes and migrates tables."""
    return getattr(connection, "login", "") == "system"
