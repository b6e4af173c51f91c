"""Ways to read with SQL. None names the tenant, so plain Django would show the rows of all."""

from __future__ import annotations

import json
from typing import Any

from django.db import connection, models
from django.db.models import Count, Exists, F, Func, OuterRef
from django.db.models.expressions import RawSQL

from tests.testapp.models import Category, Customer, Invoice, Line, Plan, Product, Region, Tag

from .ground import Ground
from .spots import TENANT_TABLES
from .sql import Run, ask, sql

C = "testapp_customer"

QUERIES = {
    "everything": f"SELECT * FROM {C}",
    "TABLE": f"TABLE {C}",
    "ONLY": f"SELECT name FROM ONLY {C}",
    "whole rows": f"SELECT c FROM {C} c",
    "rows as JSON": f"SELECT to_jsonb(c) FROM {C} c",
    "rows as one JSON": f"SELECT json_agg(c ORDER BY c.name) FROM {C} c",
    "count": f"SELECT count(*) FROM {C}",
    "another tenant by name": f"SELECT * FROM {C} WHERE tenant_id = %(globex)s",
    "all but the own tenant": f"SELECT * FROM {C} WHERE tenant_id <> %(acme)s",
    "OR true": f"SELECT name FROM {C} WHERE tenant_id = %(acme)s OR true",
    "OR of names": f"SELECT name FROM {C} WHERE name LIKE 'acme%%' OR name LIKE 'globex%%'",
    "another tenant's key": f"SELECT * FROM {C} WHERE id = %(their_customer)s",
    "another tenant's key, referred to": "SELECT * FROM testapp_line WHERE invoice_id = %(their_invoice)s",
    "places in the table": f"""SELECT name FROM {C} WHERE ctid = ANY (ARRAY(
        SELECT format('(%%s,%%s)', page, place)::tid FROM generate_series(0, 3) page, generate_series(1, 60) place))""",
    "a sample": f"SELECT name FROM {C} TABLESAMPLE SYSTEM (100)",
    "a sample of rows": f"SELECT name FROM {C} TABLESAMPLE BERNOULLI (100)",
    "JOIN": f"SELECT c.name, i.number FROM {C} c JOIN testapp_invoice i ON i.customer_id = c.id",
    "LEFT JOIN": f"SELECT c.name, i.number FROM {C} c LEFT JOIN testapp_invoice i ON i.customer_id = c.id",
    "RIGHT JOIN": f"SELECT c.name, p.name FROM {C} c RIGHT JOIN testapp_plan p ON c.plan_id = p.id",
    "FULL JOIN": f"SELECT c.name, i.number FROM {C} c FULL JOIN testapp_invoice i ON i.number = '1'",
    "FULL JOIN on nothing": f"SELECT c.name, t.label FROM {C} c FULL JOIN testapp_tag t ON c.name = t.label",
    "CROSS JOIN": f"SELECT count(*) FROM {C} CROSS JOIN testapp_tag",
    "NATURAL JOIN": f"SELECT count(*) FROM {C} a NATURAL JOIN {C} b",
    "LATERAL": f"SELECT p.name, c.n FROM testapp_plan p, LATERAL (SELECT count(*) n FROM {C} WHERE plan_id = p.id) c",
    "self join": "SELECT a.name, b.name FROM testapp_category a JOIN testapp_category b ON a.parent_id = b.id",
    "join by number": "SELECT a.number, b.amount FROM testapp_invoice a JOIN testapp_invoice b USING (number)",
    "through rows": "SELECT t.label, i.number FROM testapp_invoice_tags x JOIN testapp_tag t ON t.id = x.tag_id "
    "JOIN testapp_invoice i ON i.id = x.invoice_id",
    "child and parent": f"SELECT c.name, v.discount FROM testapp_vip v JOIN {C} c ON c.id = v.customer_ptr_id",
    "shared with their rows": f"SELECT p.name, (SELECT count(*) FROM {C} c WHERE c.plan_id = p.id) FROM testapp_plan p",
    "users with their rows": "SELECT u.username, count(i.id) FROM auth_user u LEFT JOIN testapp_invoice i "
    "ON i.owner_id = u.id GROUP BY 1",
    "IN a subquery": f"SELECT name FROM {C} WHERE id IN (SELECT customer_id FROM testapp_invoice)",
    "NOT IN a subquery": f"SELECT name FROM {C} WHERE id NOT IN (SELECT customer_id FROM testapp_invoice)",
    "EXISTS": f"SELECT p.name FROM testapp_plan p WHERE EXISTS (SELECT FROM {C} WHERE name LIKE 'globex%%')",
    "NOT EXISTS": f"SELECT name FROM {C} c WHERE NOT EXISTS (SELECT FROM testapp_invoice i WHERE i.customer_id = c.id)",
    "ARRAY of a subquery": f"SELECT ARRAY(SELECT name FROM {C} ORDER BY name)",
    "ALL of a subquery": f"SELECT name FROM {C} WHERE name >= ALL (SELECT name FROM {C})",
    "UNION ALL": f"SELECT name FROM {C} UNION ALL SELECT label FROM testapp_tag",
    "INTERSECT": f"SELECT name FROM {C} INTERSECT SELECT bio FROM testapp_profile",
    "EXCEPT": f"SELECT name FROM {C} EXCEPT SELECT bio FROM testapp_profile",
    "CTE": f"WITH c AS (SELECT * FROM {C}) SELECT name FROM c",
    "materialized CTE": f"WITH c AS MATERIALIZED (SELECT * FROM {C}) SELECT name FROM c",
    "recursive CTE": """WITH RECURSIVE tree AS (
        SELECT id, name, 1 AS depth FROM testapp_category WHERE parent_id IS NULL
        UNION ALL SELECT c.id, c.name, depth + 1 FROM testapp_category c JOIN tree ON c.parent_id = tree.id)
        SELECT name, depth FROM tree""",
    "sum": "SELECT sum(amount), avg(amount), max(number) FROM testapp_invoice",
    "the greatest by an index": "SELECT max(id) FROM testapp_tag",
    "GROUP BY": f"SELECT plan_id, count(*) FROM {C} GROUP BY 1",
    "HAVING": "SELECT number, count(*) FROM testapp_invoice GROUP BY 1 HAVING count(*) >= 1",
    "ROLLUP": f"SELECT plan_id, count(*) FROM {C} GROUP BY ROLLUP (plan_id)",
    "CUBE": f"SELECT plan_id, tenant_id, count(*) FROM {C} GROUP BY CUBE (plan_id, tenant_id)",
    "GROUPING SETS": f"SELECT tenant_id, count(*) FROM {C} GROUP BY GROUPING SETS ((tenant_id), ())",
    "FILTER": f"SELECT count(*) FILTER (WHERE name LIKE 'globex%%'), count(*) FROM {C}",
    "string_agg": f"SELECT string_agg(name, ',' ORDER BY name) FROM {C}",
    "mode": "SELECT mode() WITHIN GROUP (ORDER BY label DESC) FROM testapp_tag",
    "DISTINCT ON": f"SELECT DISTINCT ON (tenant_id) tenant_id, name FROM {C} ORDER BY tenant_id, name",
    "a window": f"SELECT name, row_number() OVER (ORDER BY name), count(*) OVER () FROM {C}",
    "a window's neighbours": f"SELECT name, lag(name) OVER w, lead(name) OVER w FROM {C} "
    "WINDOW w AS (ORDER BY name DESC)",
    "the last page": f"SELECT name FROM {C} ORDER BY name DESC LIMIT 1 OFFSET 1",
    "WITH TIES": f"SELECT name FROM {C} ORDER BY plan_id FETCH FIRST 1 ROWS WITH TIES",
    "VALUES": f"SELECT c.name FROM (VALUES (%(their_customer)s), (%(own_customer)s)) v(k) JOIN {C} c ON c.id = k::uuid",
    "FOR UPDATE": f"SELECT name FROM {C} FOR UPDATE",
    "FOR NO KEY UPDATE": f"SELECT name FROM {C} FOR NO KEY UPDATE",
    "FOR SHARE": f"SELECT name FROM {C} FOR SHARE",
    "FOR KEY SHARE": f"SELECT name FROM {C} FOR KEY SHARE",
    "SKIP LOCKED": f"SELECT name FROM {C} FOR UPDATE SKIP LOCKED",
    "NOWAIT": f"SELECT name FROM {C} FOR UPDATE NOWAIT",
    "their row FOR UPDATE": f"SELECT name FROM {C} WHERE id = %(their_customer)s FOR UPDATE",
    "a view of the asker's": "SELECT name FROM matrix_invoker",
    "a view of the asker's, counted": "SELECT count(*) FROM matrix_invoker WHERE name LIKE 'globex%%'",
    "a view with a barrier": "SELECT name FROM matrix_barrier",
    "a function": "SELECT matrix_names()",
    "a function in FROM": "SELECT n FROM matrix_names() n WHERE n LIKE 'globex%%'",
    "a function for each row": "SELECT p.name, (SELECT count(*) FROM matrix_names()) FROM testapp_plan p",
    "an error that depends on a row": f"SELECT 1 / (CASE WHEN name LIKE 'globex%%' THEN 0 ELSE 1 END) FROM {C}",
    "an error that tells a value": f"SELECT name FROM {C} WHERE name LIKE 'globex%%' AND name::int = 1",
    "a key that is guessed at": "SELECT id, label FROM testapp_tag WHERE id BETWEEN 0 AND 1000000",
}

SEVERAL = {
    "PREPARE": [f"PREPARE names AS SELECT name FROM {C}", "EXECUTE names", "DEALLOCATE names"],
    "PREPARE, one plan for all": [
        "SET LOCAL plan_cache_mode = force_generic_plan",
        f"PREPARE names AS SELECT name FROM {C} WHERE name LIKE $1",
        "EXECUTE names ('%%')",
        "EXECUTE names ('globex%%')",
        "DEALLOCATE names",
    ],
    "DECLARE": [f"DECLARE names CURSOR FOR SELECT name FROM {C}", "FETCH ALL FROM names", "CLOSE names"],
    "DECLARE, backwards": [
        f"DECLARE names SCROLL CURSOR FOR SELECT name FROM {C} ORDER BY name DESC",
        "FETCH LAST FROM names",
        "FETCH BACKWARD ALL FROM names",
        "CLOSE names",
    ],
    "a temporary view": [
        f"CREATE TEMPORARY VIEW names AS SELECT name FROM {C}",
        "SELECT * FROM names",
        "DROP VIEW names",
    ],
    "a temporary table": [
        f"CREATE TEMPORARY TABLE names ON COMMIT DROP AS SELECT name FROM {C}",
        "SELECT * FROM names",
        "DROP TABLE names",
    ],
    "SELECT INTO": [f"SELECT name INTO TEMPORARY names FROM {C}", "SELECT * FROM names", "DROP TABLE names"],
    "a temporary function": [
        f"CREATE FUNCTION pg_temp.names() RETURNS SETOF text LANGUAGE plpgsql AS "
        f"'BEGIN RETURN QUERY SELECT name::text FROM {C}; END'",
        "SELECT pg_temp.names()",
        "DROP FUNCTION pg_temp.names()",
    ],
    "a temporary function with its definer's rights": [
        f"CREATE FUNCTION pg_temp.names() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS 'SELECT name FROM {C}'",
        "SELECT pg_temp.names()",
        "DROP FUNCTION pg_temp.names()",
    ],
    "dynamic SQL": [
        "CREATE TEMPORARY TABLE names (name text) ON COMMIT DROP",
        f"DO $$ BEGIN EXECUTE 'INSERT INTO names SELECT name FROM {C}'; END $$",
        "SELECT name FROM names",
        "DROP TABLE names",
    ],
    "by an index": ["SET LOCAL enable_seqscan = off", f"SELECT name FROM {C} WHERE id >= '{'0' * 32}'::uuid"],
    "by a scan": ["SET LOCAL enable_indexscan = off", "SET LOCAL enable_bitmapscan = off", f"SELECT name FROM {C}"],
    "by a hash": [
        "SET LOCAL enable_nestloop = off",
        "SET LOCAL enable_mergejoin = off",
        f"SELECT c.name FROM {C} c JOIN testapp_invoice i ON i.customer_id = c.id",
    ],
    "after a lock of the table": [f"LOCK TABLE {C} IN SHARE MODE", f"SELECT count(*) FROM {C}"],
}


def _explained(ground: Ground) -> Any:
    (found,) = ask(f"EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF, FORMAT JSON) SELECT * FROM {C}")
    plan = found[0] if isinstance(found[0], list) else json.loads(found[0])
    return plan[0]["Plan"]["Actual Rows"]


def _copied(query: str) -> Run:
    def run(ground: Ground) -> Any:
        with connection.cursor() as cursor, cursor.copy(query) as copy:
            return sorted(copy.rows())

    return run


def _noticed(ground: Ground) -> Any:
    """A cheap function that tells whatever row it is given, in front of the policy's condition if it could."""
    heard: list[str] = []
    listen = lambda notice: heard.append(notice.message_primary)  # noqa: E731 - to be removed again
    ask(
        "CREATE FUNCTION pg_temp.tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS "
        "'BEGIN RAISE NOTICE ''%'', $1; RETURN true; END'"
    )
    connection.connection.add_notice_handler(listen)
    try:
        ask(f"SELECT name FROM {C} WHERE pg_temp.tell(name)")
    finally:
        connection.connection.remove_notice_handler(listen)
    ask("DROP FUNCTION pg_temp.tell(text)")
    return sorted(heard)


def _chunked(ground: Ground) -> Any:
    with connection.chunked_cursor() as cursor:
        cursor.execute(f"SELECT name FROM {C}")
        return sorted(cursor.fetchmany(2) + cursor.fetchall())


def _executed_many(ground: Ground) -> Any:
    with connection.cursor() as cursor:
        many = [[key] for key in _keys(ground)]
        cursor.cursor.executemany(f"SELECT name FROM {C} WHERE id = %s", many, returning=True)
        found = cursor.fetchall()
        while cursor.nextset():
            found += cursor.fetchall()
        return found


def _keys(ground: Ground) -> list[Any]:
    return [row["id"] for slug in ("acme", "globex") for row in ground.keys_by_table[C][slug]]


def _called(ground: Ground) -> Any:
    with connection.cursor() as cursor:
        cursor.callproc("matrix_names")
        return sorted(cursor.fetchall())


def _streamed(ground: Ground) -> Any:
    with connection.cursor() as cursor:
        return sorted(cursor.stream(f"SELECT name FROM {C}"))


def _pipelined(ground: Ground) -> Any:
    with connection.cursor() as cursor, connection.connection.pipeline():
        cursor.execute(f"SELECT name FROM {C}")
        return sorted(cursor.fetchall())


def _psycopgs(ground: Ground) -> Any:
    with connection.connection.cursor() as cursor:
        return sorted(cursor.execute(f"SELECT name FROM {C}").fetchall())


#: A class beside the models: declared as an adopter's, on the same table.
class CarelessQuerySet(models.QuerySet[Any]):
    """Asks the database itself, and forgets the tenant."""

    def names(self) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT name FROM {self.model._meta.db_table} ORDER BY name")
            return [name for (name,) in cursor.fetchall()]


ORM: dict[str, Run] = {
    "raw": lambda w: list(Customer.objects.raw(f"SELECT * FROM {C} ORDER BY name")),
    "raw with their key": lambda w: list(
        Customer.objects.raw(f"SELECT * FROM {C} WHERE id = %s", [w.parameters["their_customer"]])
    ),
    "raw and deferred": lambda w: [c.email for c in Customer.objects.raw(f"SELECT id, name FROM {C} ORDER BY name")],
    "raw with prefetches": lambda w: [
        [invoice.number for invoice in c.invoices.all()]
        for c in Customer.objects.raw(f"SELECT * FROM {C} ORDER BY name").prefetch_related("invoices")
    ],
    "raw of a child": lambda w: [
        row.name
        for row in Customer.objects.raw(f"SELECT c.* FROM {C} c JOIN testapp_vip v ON v.customer_ptr_id = c.id")
    ],
    "raw of a shared model": lambda w: [
        row.n for row in Plan.objects.raw(f"SELECT p.*, (SELECT count(*) FROM {C}) AS n FROM testapp_plan p")
    ],
    "raw as an iterator": lambda w: [t.label for t in Tag.objects.raw("SELECT * FROM testapp_tag").iterator()],
    "RawSQL as an annotation": lambda w: Plan.objects.annotate(n=RawSQL(f"SELECT count(*) FROM {C}", [])).values("n"),
    "RawSQL in a filter": lambda w: Region.objects.filter(
        pk__in=RawSQL("SELECT region_id FROM testapp_product_regions", [])
    ),
    "RawSQL of names": lambda w: Plan.objects.annotate(
        all_names=RawSQL(f"SELECT string_agg(name, ',' ORDER BY name) FROM {C}", [])
    ).values_list("all_names"),
    "Func with a query": lambda w: Plan.objects.annotate(
        n=Func(template=f"(SELECT max(name) FROM {C})", output_field=models.TextField())
    ).values_list("n"),
    "extra select": lambda w: Plan.objects.extra(select={"n": f"SELECT count(*) FROM {C}"}).values("n"),
    "extra where": lambda w: Customer.objects.extra(where=["1 = 1 OR tenant_id = %s"], params=[w.globex.pk]).order_by(
        "pk"
    ),
    "extra where another tenant": lambda w: Customer.objects.extra(where=["tenant_id = %s"], params=[w.globex.pk]),
    "extra tables": lambda w: Plan.objects.extra(
        tables=["testapp_tag"], select={"label": "testapp_tag.label"}, order_by=["label"]
    ).values("label"),
    "extra order_by": lambda w: Customer.objects.extra(order_by=["-name"]).values("name"),
    "a careless queryset": lambda w: CarelessQuerySet(Customer).names(),
    "a careless manager": lambda w: list(
        models.Manager.from_queryset(CarelessQuerySet)._queryset_class(Customer).names()
    ),
    "the compiled SQL": lambda w: ask(str(Customer.objects.order_by("pk").query)),
    "select_for_update": lambda w: Customer.objects.select_for_update().order_by("pk"),
    "select_for_update, skipping": lambda w: Line.objects.select_for_update(skip_locked=True, of=("self",)).order_by(
        "pk"
    ),
    "explain analyze": lambda w: bool(Customer.objects.explain(analyze=True)),
    "filter by another tenant": lambda w: Customer.objects.filter(tenant=w.globex),
    "filter by another tenant's key": lambda w: Customer.objects.filter(tenant_id=w.globex.pk).count(),
    "exclude the own tenant": lambda w: Customer.objects.exclude(tenant=w.acme),
    "get by another tenant's key": lambda w: Customer.objects.get(pk=w.parameters["their_customer"]),
    "in_bulk of their keys": lambda w: Customer.objects.in_bulk([w.parameters["their_customer"]]),
    "related by their key": lambda w: Line.objects.filter(invoice=w.parameters["their_invoice"]),
    "related by their text": lambda w: Line.objects.filter(invoice__customer__name__startswith="globex"),
    "keys of tenants": lambda w: Customer.objects.order_by("tenant").values_list("tenant", flat=True).distinct(),
    "counts by tenant": lambda w: list(Customer.objects.values("tenant").annotate(n=Count("*")).order_by("tenant")),
    "a condition between columns": lambda w: Customer.objects.exclude(tenant=F("vip__vip_tenant")).order_by("pk"),
    "an outer reference without the tenant": lambda w: Product.objects.filter(
        Exists(Line.objects.filter(product__sku=OuterRef("sku")))
    ),
    "a tree": lambda w: list(Category.objects.order_by("name").values_list("name", "parent__name", "children__name")),
    "dates": lambda w: list(Invoice.objects.order_by("number").values_list("number", "owner__username")),
}

READING: dict[str, Run] = {
    **{f"read: {name}": sql(query) for name, query in QUERIES.items()},
    **{f"read: {name}": sql(*queries) for name, queries in SEVERAL.items()},
    **{f"read by the ORM: {name}": run for name, run in ORM.items()},
    **{f"read all of {table}": sql(f"SELECT * FROM {table}") for table in TENANT_TABLES},
    **{f"COPY {table} TO": _copied(f"COPY {table} TO STDOUT") for table in TENANT_TABLES},
    "read: COPY of a query": _copied(f"COPY (SELECT name FROM {C}) TO STDOUT"),
    "read: COPY of columns": _copied(f"COPY {C} (name, tenant_id) TO STDOUT"),
    "read: COPY as CSV": _copied(f"COPY {C} (name) TO STDOUT (FORMAT csv, HEADER)"),
    "read: EXPLAIN ANALYZE": _explained,
    "read: notices": _noticed,
    "read: a server-side cursor": _chunked,
    "read: executemany": _executed_many,
    "read: callproc": _called,
    "read: stream": _streamed,
    "read: a pipeline": _pipelined,
    "read: psycopg's own cursor": _psycopgs,
}
