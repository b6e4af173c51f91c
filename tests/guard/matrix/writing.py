"""Ways to write to one's own rows: what plain Django does where there is no other tenant, and nothing else."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Concat

from tests.testapp.models import Category, Customer, Invoice, Line, Note, Plan, Product, Profile, Tag, Vip

from .ground import Ground
from .spots import TENANT_TABLES
from .sql import Run, ask, sql

C = "testapp_customer"
KEY = "00000000-0000-7000-8000-000000000001"

STATEMENTS = {
    "UPDATE": f"UPDATE {C} SET name = 'x'",
    "UPDATE RETURNING": f"UPDATE {C} SET name = 'x' RETURNING id, name",
    "UPDATE of all tenants' rows by name": f"UPDATE {C} SET email = '' WHERE tenant_id IN (%(acme)s, %(globex)s)",
    "UPDATE by their key": f"UPDATE {C} SET name = 'x' WHERE id IN (%(own_customer)s, %(their_customer)s)",
    "UPDATE FROM": f"UPDATE {C} c SET name = i.number FROM testapp_invoice i WHERE i.customer_id = c.id",
    "UPDATE by a shared row": f"UPDATE {C} c SET name = p.name FROM testapp_plan p WHERE p.id = c.plan_id",
    "UPDATE by a subquery": "UPDATE testapp_invoice SET amount = (SELECT count(*) FROM testapp_line)",
    "UPDATE of a shared row by theirs": f"UPDATE testapp_plan SET name = (SELECT max(name) FROM {C})",
    "UPDATE through a view": "UPDATE matrix_invoker SET name = 'x'",
    "UPDATE in a function": "SELECT matrix_rename('x')",
    "UPDATE in a CTE": f"WITH done AS (UPDATE {C} SET name = 'x' RETURNING *) SELECT count(*), max(name) FROM done",
    "UPDATE by place": f"UPDATE {C} SET name = 'x' WHERE ctid = ANY (ARRAY(SELECT ctid FROM {C}))",
    "DELETE": "DELETE FROM testapp_line",
    "DELETE RETURNING": "DELETE FROM testapp_line RETURNING quantity",
    "DELETE USING": "DELETE FROM testapp_line l USING testapp_invoice i WHERE i.id = l.invoice_id AND i.number = '0'",
    "DELETE USING a shared row": "DELETE FROM testapp_plan_featured_tags x USING testapp_plan p WHERE p.id = x.plan_id",
    "DELETE in a CTE": "WITH gone AS (DELETE FROM testapp_note RETURNING text) SELECT text FROM gone",
    "DELETE of all that nobody refers to": f"""DELETE FROM {C} c WHERE NOT EXISTS (
        SELECT FROM testapp_invoice WHERE customer_id = c.id) AND name LIKE '%%idle'""",
    "DELETE of what somebody refers to": "DELETE FROM testapp_tag",
    "DELETE of everything": "; ".join(f"DELETE FROM {table}" for table in TENANT_TABLES),
    "INSERT": f"INSERT INTO {C} (id, tenant_id, name, email) VALUES ('{KEY}', %(acme)s, 'new', '')",
    "INSERT RETURNING": f"""INSERT INTO {C} (id, tenant_id, name, email) VALUES ('{KEY}', %(acme)s, 'new', '')
        RETURNING id, name""",
    "INSERT SELECT": "INSERT INTO testapp_tag (id, tenant_id, label) "
    "SELECT 1000 + count(*), %(acme)s, 'n' FROM testapp_tag",
    "INSERT SELECT of all": "INSERT INTO testapp_tag (id, tenant_id, label) SELECT 1000 + id, tenant_id, label || '!' "
    "FROM testapp_tag",
    "INSERT of their texts": f"""INSERT INTO testapp_tag (id, tenant_id, label)
        SELECT 1000, %(acme)s, string_agg(name, ',' ORDER BY name) FROM {C}""",
    "INSERT of what they have too": f"""INSERT INTO {C} (id, tenant_id, name, email)
        VALUES ('{KEY}', %(acme)s, 'new', 'c1@example.com')""",
    "INSERT of what one has oneself": f"""INSERT INTO {C} (id, tenant_id, name, email)
        VALUES ('{KEY}', %(acme)s, 'new', 'c0@example.com')""",
    "INSERT of a through row": "INSERT INTO testapp_invoice_tags (id, tenant_id, invoice_id, tag_id) "
    "SELECT 1000, %(acme)s, %(own_invoice)s, id FROM testapp_tag WHERE label = 'blue0'",
    "INSERT of a through row of a shared one": "INSERT INTO testapp_plan_featured_tags "
    "(id, tenant_id, plan_id, tag_id) SELECT 1000, %(acme)s, %(plan)s, id FROM testapp_tag WHERE label = 'blue0'",
    "an upsert of one's own": "INSERT INTO testapp_tag (id, tenant_id, label) VALUES (1000, %(acme)s, 'red0') "
    "ON CONFLICT (tenant_id, label) DO UPDATE SET label = 'changed'",
    "an upsert of what they have too": "INSERT INTO testapp_tag (id, tenant_id, label) VALUES (1000, %(acme)s, 'red1') "
    "ON CONFLICT (tenant_id, label) DO UPDATE SET label = 'changed'",
    "an upsert that does nothing": "INSERT INTO testapp_tag (id, tenant_id, label) VALUES (1000, %(acme)s, 'red0') "
    "ON CONFLICT DO NOTHING",
    "MERGE": f"""MERGE INTO {C} c USING (VALUES ('c0@example.com'), ('c1@example.com')) v(email)
        ON c.email = v.email WHEN MATCHED THEN UPDATE SET name = 'merged'
        WHEN NOT MATCHED THEN INSERT (id, tenant_id, name, email) VALUES ('{KEY}', %(acme)s, 'new', v.email)""",
    "MERGE that deletes": """MERGE INTO testapp_line l USING testapp_invoice i ON l.invoice_id = i.id
        WHEN MATCHED THEN DELETE""",
}


def _executed_many(ground: Ground) -> Any:
    """The keys of all tenants, as a list that was kept too long has them."""
    keys = [[row["id"]] for slug in ("acme", "globex") for row in ground.keys_by_table[C][slug]]
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {C} SET name = 'x' WHERE id = %s", keys)
        return cursor.rowcount


def _prepared(ground: Ground) -> Any:
    ask(f"PREPARE rename AS UPDATE {C} SET name = $1")
    ask("EXECUTE rename ('x')")
    return ask("DEALLOCATE rename")


def _updated_at_a_cursor(ground: Ground) -> Any:
    ask("DECLARE lines CURSOR FOR SELECT * FROM testapp_line FOR UPDATE")
    ask("MOVE 1 FROM lines")
    return ask("UPDATE testapp_line SET quantity = 7 WHERE CURRENT OF lines"), ask("CLOSE lines")


def _in_a_block(ground: Ground) -> Any:
    return ask(
        f"DO $$ DECLARE r record; BEGIN FOR r IN SELECT id FROM {C} LOOP "
        f"UPDATE {C} SET name = 'x' WHERE id = r.id; END LOOP; END $$"
    )


def _category(w: Ground) -> Any:
    parent = Category.objects.get(parent=None)
    return Category.objects.create(pk=KEY, tenant=w.acme, name="n", parent=parent).parent.name


def _line(w: Ground, **values: Any) -> Any:
    invoice, product = Invoice.objects.get(number="0"), Product.objects.get(sku="P0")
    return Line.objects.create(pk=1000, tenant=w.acme, invoice=invoice, product=product, **values).quantity


def _through(w: Ground) -> Any:
    through = Invoice.tags.through
    tag, invoice = Tag.objects.get(label="blue0"), Invoice.objects.get(number="0")
    through.objects.create(pk=1000, tenant=w.acme, invoice=invoice, tag=tag)
    return invoice.tags.count()


#: Django's INSERT does not know the tenant, so it is named.
ORM: dict[str, Run] = {
    "create": lambda w: Customer.objects.create(pk=KEY, tenant=w.acme, name="new"),
    "create by key": lambda w: Customer.objects.create(pk=KEY, tenant_id=w.acme.pk, name="new"),
    "save": lambda w: Tag(pk=1000, tenant=w.acme, label="new").save(),
    "create through a manager": lambda w: w.plan.customers.create(pk=KEY, tenant=w.acme, name="new"),
    "create through a reverse manager": lambda w: Customer.objects.get(name="acme 0").invoices.create(
        pk=KEY, tenant=w.acme, number="9"
    ),
    "create with a reference": _line,
    "create in a tree": _category,
    "create a through row": _through,
    "create a child": lambda w: Vip.objects.create(id=KEY, tenant=w.acme, vip_tenant=w.acme, name="new"),
    "create a one-to-one": lambda w: Profile.objects.create(
        pk=KEY, tenant=w.acme, customer=Customer.objects.get(name="acme 0 idle")
    ),
    "create a generic reference": lambda w: (
        Note.objects.create(pk=KEY, tenant=w.acme, subject=Customer.objects.get(name="acme 0"), text="new").text
    ),
    "bulk_create": lambda w: len(
        Tag.objects.bulk_create([Tag(pk=1000 + n, tenant=w.acme, label=f"new{n}") for n in range(5)])
    ),
    "bulk_create, ignoring conflicts": lambda w: len(
        Tag.objects.bulk_create(
            [Tag(pk=1000 + n, tenant=w.acme, label=f"red{n}") for n in range(3)], ignore_conflicts=True
        )
    ),
    "bulk_create, updating by key": lambda w: len(
        Tag.objects.bulk_create(
            [Tag(pk=w.parameters["own_tag"], tenant=w.acme, label="changed"), Tag(pk=1000, tenant=w.acme, label="new")],
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["label"],
        )
    ),
    "get_or_create": lambda w: Tag.objects.get_or_create(label="red1", defaults={"pk": 1000, "tenant": w.acme})[1],
    "get_or_create, got": lambda w: Tag.objects.get_or_create(label="red0", defaults={"tenant": w.acme})[1],
    "update_or_create": lambda w: Tag.objects.update_or_create(
        label="red1", defaults={"label": "changed"}, create_defaults={"pk": 1000, "tenant": w.acme, "label": "new"}
    )[1],
    "update_or_create, updated": lambda w: Tag.objects.update_or_create(label="red0", defaults={"label": "changed"})[1],
    "update of everything": lambda w: [
        Customer.objects.update(name="x"),
        Invoice.objects.update(amount=F("amount") + 1),
        Line.objects.update(quantity=0),
    ],
    "update by another tenant": lambda w: Customer.objects.filter(tenant=w.globex).update(name="x"),
    "update by all keys": lambda w: Customer.objects.filter(
        pk__in=[row["id"] for rows in w.keys_by_table[C].values() for row in rows]
    ).update(name=Concat(F("name"), Value("!"))),
    "update a shared row": lambda w: Plan.objects.update(name="changed"),
    "delete by another tenant": lambda w: Line.objects.filter(tenant=w.globex).delete(),
    "delete of everything": lambda w: [
        Line.objects.all().delete(),
        Invoice.objects.all().delete(),
        Customer.objects.all().delete(),
    ],
    "delete a shared row": lambda w: Plan.objects.all().delete()[0] > 0,
    "remove": lambda w: Invoice.objects.get(number="0").tags.remove(*Tag.objects.all()),
    "remove from a shared row": lambda w: w.plan.featured_tags.remove(*Tag.objects.all()),
    "clear to a shared row": lambda w: [tag.plans.clear() for tag in Tag.objects.all()],
}

WRITING: dict[str, Run] = {
    **{f"write: {name}": sql(query) for name, query in STATEMENTS.items()},
    **{f"write by the ORM: {name}": run for name, run in ORM.items()},
    **{f"UPDATE all of {table}": sql(f"UPDATE {table} SET tenant_id = tenant_id") for table in TENANT_TABLES},
    **{f"DELETE all of {table}": sql(f"DELETE FROM {table}") for table in TENANT_TABLES},
    "write: executemany": _executed_many,
    "write: PREPARE": _prepared,
    "write: WHERE CURRENT OF": _updated_at_a_cursor,
    "write: DO": _in_a_block,
}
