"""Ways that have something of the other tenant in their hands: all have to be refused, or come to nothing."""

from __future__ import annotations

import json
from typing import Any

from django.db import connection

from django_tenantkit.models import Membership, Tenant
from tests.isolation.test_adversarial import REFUSED
from tests.testapp.models import Category, Customer, Invoice, Line, Profile, Tag, Vip

from .ground import Ground
from .spots import REFERENCES, TENANT_TABLES, Reference
from .sql import Run, ask, sql

C = "testapp_customer"
INSERT = "INSERT INTO {table} SELECT * FROM jsonb_populate_record(null::{table}, %s::jsonb)"


def _pk(table: str) -> str:
    return str(TENANT_TABLES[table]._meta.pk.column)


def inserted(ground: Ground, table: str, row: dict[str, Any], more: str = "") -> Any:
    """Insert a row that is given as JSON."""
    return ask(INSERT.format(table=table) + more, [json.dumps(row)])


def _for_them(table: str) -> Run:
    """A row of theirs under a new key."""
    return lambda w: inserted(w, table, w.row("globex", table))


def _for_nobody(table: str) -> Run:
    return lambda w: inserted(w, table, w.row("acme", table, tenant_id=None))


def _onto_theirs(table: str, action: str) -> Run:
    """An own row with their key."""
    pk = _pk(table)
    more = f" ON CONFLICT ({pk}) DO {action.format(pk=pk)}"
    return lambda w: inserted(w, table, w.row("acme", table, **{pk: w.key("globex", table)}), more)


def _merged(table: str) -> Run:
    pk = _pk(table)
    query = f"""MERGE INTO {table} t USING (SELECT * FROM jsonb_populate_record(null::{table}, %s::jsonb)) n
        ON t.{pk} = n.{pk} WHEN MATCHED THEN UPDATE SET tenant_id = n.tenant_id"""
    return lambda w: ask(query, [json.dumps(w.row("acme", table, **{pk: w.key("globex", table)}))])


def _copied_in(table: str) -> Run:
    def run(w: Ground) -> Any:
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} (tenant_id) FROM STDIN") as copy:
            copy.write_row([w.globex.pk])

    return run


def of_table(table: str) -> dict[str, Run]:
    """What is tried with each table."""
    own, their = (f"%({slug}_{table.removeprefix('testapp_')})s" for slug in ("own", "their"))
    pk = _pk(table)
    return {
        f"move an own row of {table}": sql(f"UPDATE {table} SET tenant_id = %(globex)s WHERE {pk} = {own}"),
        f"move all rows of {table}": sql(f"UPDATE {table} SET tenant_id = %(globex)s"),
        f"give an own row of {table} to nobody": sql(f"UPDATE {table} SET tenant_id = NULL WHERE {pk} = {own}"),
        f"take a row of {table}": sql(f"UPDATE {table} SET tenant_id = %(acme)s WHERE {pk} = {their}"),
        f"take all rows of {table}": sql(f"UPDATE {table} SET tenant_id = %(acme)s WHERE tenant_id = %(globex)s"),
        f"update their row of {table}": sql(f"UPDATE {table} SET tenant_id = tenant_id WHERE {pk} = {their}"),
        f"delete their row of {table}": sql(f"DELETE FROM {table} WHERE {pk} = {their}"),
        f"delete all their rows of {table}": sql(f"DELETE FROM {table} WHERE tenant_id = %(globex)s RETURNING *"),
        f"lock their row of {table}": sql(f"SELECT * FROM {table} WHERE {pk} = {their} FOR UPDATE"),
        f"lock their key of {table}": sql(f"SELECT 1 FROM {table} WHERE {pk} = {their} FOR KEY SHARE"),
        f"insert for them into {table}": _for_them(table),
        f"insert for nobody into {table}": _for_nobody(table),
        f"insert onto their key of {table}": lambda w: inserted(
            w, table, w.row("acme", table, **{pk: w.key("globex", table)})
        ),
        f"upsert onto their key of {table}": _onto_theirs(table, "UPDATE SET tenant_id = EXCLUDED.tenant_id"),
        f"upsert with their key of {table}": _onto_theirs(table, "UPDATE SET {pk} = EXCLUDED.{pk} RETURNING *"),
        f"insert or leave their key of {table}": _onto_theirs(table, "NOTHING"),
        f"merge onto their key of {table}": _merged(table),
        f"COPY into {table}": _copied_in(table),
        f"truncate {table}": sql(f"TRUNCATE {table} CASCADE"),
        f"no row security for {table}": sql(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"),
        f"no policy for {table}": sql(f"DROP POLICY tenantkit_limit ON {table}"),
        f"another policy for {table}": sql(f"CREATE POLICY mistake ON {table} USING (true)"),
        f"no triggers for {table}": sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL"),
    }


def of_reference(reference: Reference) -> dict[str, Run]:
    """What is tried with each foreign key."""
    table, column = reference[:2]
    name = f"{table}.{column}"

    def updated(w: Ground) -> Any:
        query = f"UPDATE {table} SET {column} = %s WHERE {_pk(table)} = %s"
        return ask(query, [w.free_key("globex", reference), w.key("acme", table)])

    def updated_all(w: Ground) -> Any:
        return ask(f"UPDATE {table} SET {column} = %s RETURNING 1", [w.free_key("globex", reference)])

    def referring(w: Ground) -> Any:
        return inserted(w, table, w.row("acme", table, **{column: w.free_key("globex", reference)}))

    def theirs_to_own(w: Ground) -> Any:
        return inserted(w, table, w.row("globex", table, **{column: w.free_key("acme", reference)}))

    def theirs_changed(w: Ground) -> Any:
        query = f"UPDATE {table} SET {column} = %s WHERE {_pk(table)} = %s"
        return ask(query, [w.free_key("acme", reference), w.key("globex", table)])

    return {
        f"update {name} to theirs": updated,
        f"update all {name} to theirs": updated_all,
        f"insert {name} with theirs": referring,
        f"insert for them {name} with mine": theirs_to_own,
        f"update their {name} to mine": theirs_changed,
    }


STATEMENTS = {
    "row_security off": "SET LOCAL row_security = off; SELECT name FROM testapp_customer",
    "triggers off": "SET LOCAL session_replication_role = replica",
    "as a superuser": "SET ROLE postgres",
    "no row level security for a role": "ALTER ROLE CURRENT_USER BYPASSRLS",
    "a table": "CREATE TABLE public.copied AS SELECT * FROM testapp_customer",
    "a view": "CREATE VIEW public.copied AS SELECT * FROM testapp_customer",
    "a schema": "CREATE SCHEMA copied",
    "a function instead": "CREATE OR REPLACE FUNCTION tenantkit.refuse_tenant_change() RETURNS trigger "
    "LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "a view without its option": "ALTER VIEW matrix_invoker RESET (security_invoker)",
    "a function with its owner's rights": "ALTER FUNCTION matrix_names() SECURITY DEFINER",
    "a trigger": "CREATE TRIGGER spy BEFORE UPDATE ON testapp_customer FOR EACH ROW "
    "EXECUTE FUNCTION tenantkit.refuse_tenant_change()",
    "a rule": "CREATE RULE spy AS ON UPDATE TO testapp_customer DO INSTEAD NOTHING",
    "an index": "CREATE INDEX ON testapp_customer (name)",
    "a child table": "CREATE TEMPORARY TABLE child () INHERITS (testapp_customer)",
    "another owner": "ALTER TABLE testapp_customer OWNER TO CURRENT_USER",
    "no constraint": "ALTER TABLE testapp_line DROP CONSTRAINT testapp_line_invoice_id_tenant_fk",
    "a column": "ALTER TABLE testapp_customer DROP COLUMN tenant_id",
    "a sequence set back": "SELECT setval(pg_get_serial_sequence('testapp_tag', 'id'), 1)",
    "the statistics": "SELECT * FROM pg_stats WHERE tablename = 'testapp_customer'",
    "the signing keys": "SELECT * FROM tenantkit.signing_keys",
    "the server's files": "SELECT pg_read_file('PG_VERSION')",
    "COPY to a program": "COPY testapp_customer TO PROGRAM 'cat'",
    "COPY to a file": "COPY testapp_customer TO '/tmp/customers'",
    "update in a CTE": f"WITH x AS (UPDATE {C} SET name = 'x' WHERE id = %(their_customer)s RETURNING 1) TABLE x",
    "update through a view": "UPDATE matrix_invoker SET name = 'x' WHERE id = %(their_customer)s",
    "insert through a view": "INSERT INTO matrix_invoker (id, tenant_id, name, email) "
    "VALUES (gen_random_uuid(), %(globex)s, 'x', '')",
    "move through a view": "UPDATE matrix_invoker SET tenant_id = %(globex)s",
    "insert in a CTE": f"""WITH x AS (INSERT INTO {C} (id, tenant_id, name, email)
        VALUES (gen_random_uuid(), %(globex)s, 'x', '') RETURNING 1) TABLE x""",
    "insert as a default": f"INSERT INTO {C} (id, name, email) VALUES (gen_random_uuid(), 'x', '')",
    "update by a join of keys": f"""UPDATE {C} c SET name = 'x' FROM (VALUES (%(their_customer)s::uuid)) v(k)
        WHERE c.id = v.k""",
    "delete of what refers to theirs": "DELETE FROM testapp_line WHERE invoice_id = %(their_invoice)s",
    "a through row of theirs": "INSERT INTO testapp_invoice_tags (id, tenant_id, invoice_id, tag_id) "
    "VALUES (1000, %(acme)s, %(their_invoice)s, %(their_tag)s)",
    "a through row from shared to theirs": "INSERT INTO testapp_plan_featured_tags (id, tenant_id, plan_id, tag_id) "
    "VALUES (1000, %(acme)s, %(plan)s, %(their_tag)s)",
    "a through row from theirs to shared": "INSERT INTO testapp_product_regions (id, tenant_id, product_id, region_id) "
    "VALUES (1000, %(acme)s, %(their_product)s, %(region)s)",
    "a parent of theirs": "UPDATE testapp_category SET parent_id = %(their_category)s WHERE parent_id IS NULL",
    "a child of their parent": "INSERT INTO testapp_vip (customer_ptr_id, tenant_id, discount) "
    "VALUES (%(their_customer)s, %(acme)s, 1)",
}


def _upserted(w: Ground, **options: Any) -> Any:
    tag = Tag(pk=w.parameters["their_tag"], tenant=w.acme, label="taken")
    return [t.pk for t in Tag.objects.bulk_create([tag], **options)] and Tag.objects.filter(label="taken").count()


def _updated_in_bulk(w: Ground, model: Any, field: str, **values: Any) -> Any:
    obj = model(pk=w.key("globex", model._meta.db_table), tenant=w.globex, **values)
    return model.objects.bulk_update([obj], [field])


def _granted(w: Ground) -> Any:
    """PostgreSQL warns and grants nothing."""
    ask("GRANT TRUNCATE ON testapp_customer TO PUBLIC")
    return ask("SELECT has_table_privilege('testapp_customer', 'TRUNCATE')")


#: The ORM with the other tenant named, or its keys.
ORM: dict[str, Run] = {
    "create for them": lambda w: Tag.objects.create(pk=1000, tenant=w.globex, label="x"),
    "create for them by key": lambda w: Customer.objects.create(tenant_id=w.globex.pk, name="x"),
    "create for nobody": lambda w: Customer.objects.create(name="x"),
    "save for them": lambda w: Tag(tenant=w.globex, label="x").save(),
    "save onto their key": lambda w: Tag(pk=w.parameters["their_tag"], tenant=w.acme, label="x").save(),
    "save onto their key for them": lambda w: Tag(pk=w.parameters["their_tag"], tenant=w.globex, label="x").save(),
    "save with force_update": lambda w: Tag(pk=w.parameters["their_tag"], label="x").save(force_update=True),
    "bulk_create for them": lambda w: Tag.objects.bulk_create([Tag(pk=1000, tenant=w.globex, label="x")]),
    "bulk_create for both": lambda w: Tag.objects.bulk_create(
        [Tag(pk=1000, tenant=w.acme, label="x"), Tag(pk=1001, tenant=w.globex, label="x")]
    ),
    "bulk_create for them, ignoring conflicts": lambda w: Tag.objects.bulk_create(
        [Tag(pk=1000, tenant=w.globex, label="x")], ignore_conflicts=True
    ),
    "bulk_create onto their key, ignoring": lambda w: _upserted(w, ignore_conflicts=True),
    "bulk_create onto their key, updating": lambda w: _upserted(
        w, update_conflicts=True, unique_fields=["id"], update_fields=["label"]
    ),
    "get_or_create for them": lambda w: Tag.objects.get_or_create(label="red9", tenant=w.globex),
    "update_or_create of theirs": lambda w: Tag.objects.update_or_create(
        pk=w.parameters["their_tag"], tenant=w.globex, defaults={"label": "x"}
    ),
    "create a child for them": lambda w: Vip.objects.create(tenant=w.globex, vip_tenant=w.globex, name="x"),
    "create a child across": lambda w: Vip.objects.create(tenant=w.acme, vip_tenant=w.globex, name="x"),
    "create a child of their parent": lambda w: Vip(
        customer_ptr_id=w.parameters["their_customer"], vip_tenant=w.acme
    ).save_base(raw=True),
    "create with their key": lambda w: Invoice.objects.create(
        tenant=w.acme, number="9", customer_id=w.parameters["their_customer"]
    ),
    "create a one-to-one with their key": lambda w: Profile.objects.create(
        tenant=w.acme, customer_id=w.parameters["their_customer"]
    ),
    "create in their tree": lambda w: Category.objects.create(
        tenant=w.acme, name="x", parent_id=w.parameters["their_category"]
    ),
    "update to their key": lambda w: Invoice.objects.update(customer_id=w.parameters["their_customer"]),
    "update the tenant": lambda w: Customer.objects.update(tenant=w.globex),
    "update the tenant of a child": lambda w: Vip.objects.update(vip_tenant=w.globex),
    "update the tenant in bulk": lambda w: Customer.objects.bulk_update(
        [Customer(pk=w.parameters["own_customer"], tenant=w.globex)], ["tenant"]
    ),
    "update theirs in bulk": lambda w: _updated_in_bulk(w, Customer, "name", name="x"),
    "update their amount in bulk": lambda w: _updated_in_bulk(w, Invoice, "amount", amount=0),
    "update theirs": lambda w: Customer.objects.filter(pk=w.parameters["their_customer"]).update(name="x"),
    "delete theirs": lambda w: Line.objects.filter(pk=w.parameters["their_line"]).delete(),
    "delete theirs raw": lambda w: Line.objects.filter(tenant=w.globex)._raw_delete("default"),
    "delete of a bare object": lambda w: Tag(pk=w.parameters["their_tag"]).delete(),
    "add their key": lambda w: Invoice.objects.get(number="0").tags.add(
        w.parameters["their_tag"], through_defaults={"tenant": w.acme}
    ),
    "add their key to a shared row": lambda w: w.plan.featured_tags.add(
        w.parameters["their_tag"], through_defaults={"tenant": w.acme}
    ),
    "add for them to a shared row": lambda w: w.plan.featured_tags.add(
        w.parameters["their_tag"], through_defaults={"tenant": w.globex}
    ),
    "create a through row": lambda w: Invoice.tags.through.objects.create(
        tenant=w.acme, invoice_id=w.parameters["their_invoice"], tag_id=w.parameters["their_tag"]
    ),
    "relate their category": lambda w: Category.related.through.objects.create(
        tenant=w.acme,
        from_category_id=w.parameters["own_category"],
        to_category_id=w.parameters["their_category"],
    ),
}

#: The product's own tables are shared ones: where there is no tenant they are read, and some of them written.
OWN_TABLES = {
    "their tenant's name": "SELECT slug, name FROM django_tenantkit_tenant WHERE id = %(globex)s",
    "their tenant renamed": "UPDATE django_tenantkit_tenant SET name = 'x' WHERE id = %(globex)s",
    "their tenant deleted": "DELETE FROM django_tenantkit_tenant WHERE id = %(globex)s",
    "their tenant's key": "UPDATE django_tenantkit_tenant SET id = -1 WHERE id = %(globex)s",
}
OWN_TABLES_BY_THE_ORM: dict[str, Run] = {
    "a tenant by key": lambda w: list(Tenant.objects.filter(pk=w.globex.pk).values_list("slug")),
    "members of theirs": lambda w: list(Membership.objects.filter(tenant=w.globex).values()),
    "a member for them": lambda w: Membership.objects.create(tenant=w.globex, user=w.user),
}
IN_A_TENANT = {
    **{f"cross by SQL: {name}": sql(query) for name, query in OWN_TABLES.items()},
    **{f"cross by the ORM: {name}": run for name, run in OWN_TABLES_BY_THE_ORM.items()},
}

CROSSING: dict[str, Run] = {
    **{f"cross: {name}": run for name, run in REFUSED.items()},
    **{f"cross by SQL: {name}": sql(query) for name, query in STATEMENTS.items()},
    **{f"cross by the ORM: {name}": run for name, run in ORM.items()},
    "cross by SQL: a grant": _granted,
    **{name: run for table in TENANT_TABLES for name, run in of_table(table).items()},
    **{name: run for reference in REFERENCES for name, run in of_reference(reference).items()},
}

#: What a generic reference names is text, to which PostgreSQL keeps no constraint: these write a key of globex into
#: a note of acme's. Nobody is shown anything by it, and `check_tenants` finds it.
GENERIC = {
    f"cross: {name}"
    for name in REFUSED
    if name.startswith("adding to it")
    or name
    in (
        "their generic relation, adding mine",
        "their generic relation, setting mine",
        "bulk_update of a generic reference",
    )
}
