"""Everything the catalogs have about one schema, row by row, whatever columns this version of PostgreSQL has.

A row is taken as JSON with all its columns. `pg_get_catalog_foreign_keys()` says which of them are oids of what, so
that they can be told by name; parse trees and numbers of columns are told by what PostgreSQL prints of them.
"""

from __future__ import annotations

from typing import NamedTuple


class Catalog(NamedTuple):
    """One catalog: which rows belong to the schema, `x` being the row; what is printed of a row; and the columns
    left out, because they are oids, hints, counts, or told by what is printed."""

    rows: str
    prints: str = "''"
    without: tuple[str, ...] = ()


_OF_RELATIONS = "= ANY (%(relations)s::oid[])"

#: Triggers behind references are called after their oids.
_TRIGGER_NAME = "CASE WHEN x.tgisinternal THEN '' ELSE x.tgname::text END"


def _privileges(acl: str, otherwise: str = "NULL") -> str:
    """What is granted, in order; where nothing was granted or revoked, `otherwise`."""
    return (
        "ARRAY(SELECT concat_ws(' ', CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee)::text END, "
        "g.privilege_type, g.is_grantable, 'by', pg_get_userbyid(g.grantor)) "
        f"FROM aclexplode(coalesce({acl}, {otherwise})) g ORDER BY 1)::text"
    )


CATALOGS = {
    "pg_namespace": Catalog(
        "x.oid = %(oid)s", _privileges("x.nspacl", "acldefault('n', x.nspowner)"), ("nspname", "nspacl")
    ),
    "pg_class": Catalog(
        f"x.oid {_OF_RELATIONS}",
        "concat_ws(' ', pg_get_expr(x.relpartbound, x.oid), x.reltoastrelid <> 0, "
        "CASE WHEN x.relkind IN ('v', 'm') THEN pg_get_viewdef(x.oid) END, "
        + _privileges("x.relacl", "acldefault(CASE x.relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\", x.relowner)")
        + ")",
        (
            *("relfilenode", "relpages", "reltuples", "relallvisible", "relallfrozen", "relfrozenxid", "relminmxid"),
            *("reltoastrelid", "relhasindex", "relhasrules", "relhastriggers", "relhassubclass", "relnatts"),
            *("relrewrite", "relpartbound", "relacl"),
        ),
    ),
    "pg_attribute": Catalog(
        f"x.attrelid {_OF_RELATIONS} AND x.attnum > 0 AND NOT x.attisdropped",
        "concat_ws(' ', format_type(x.atttypid, x.atttypmod), (SELECT count(*) FROM pg_attribute o WHERE "
        "o.attrelid = x.attrelid AND o.attnum BETWEEN 1 AND x.attnum AND NOT o.attisdropped), "
        "ARRAY(SELECT o FROM unnest(x.attoptions) o WHERE o NOT LIKE 'pg\\_attver=%%')::text, "
        + _privileges("x.attacl")
        + ")",
        ("attnum", "attcacheoff", "attmissingval", "atthasmissing", "atttypmod", "attoptions", "attacl"),
    ),
    "pg_attrdef": Catalog(
        f"x.adrelid {_OF_RELATIONS}",
        "(SELECT attname::text FROM pg_attribute a WHERE a.attrelid = x.adrelid AND a.attnum = x.adnum) || ' ' || "
        "pg_get_expr(x.adbin, x.adrelid)",
        ("adnum", "adbin"),
    ),
    "pg_constraint": Catalog(
        "x.oid = ANY (%(constraints)s::oid[])",
        # A partition's key has the mark or not, by the order in which it and its parent's were made.
        "concat_ws(' ', pg_get_constraintdef(x.oid), CASE WHEN x.contype IN ('c', 'n') THEN x.connoinherit END)",
        ("conkey", "confkey", "conbin", "confdelsetcols", "connoinherit"),
    ),
    "pg_index": Catalog(
        f"x.indexrelid {_OF_RELATIONS}",
        "pg_get_indexdef(x.indexrelid)",
        ("indkey", "indexprs", "indpred", "indcheckxmin"),
    ),
    "pg_inherits": Catalog(f"x.inhrelid {_OF_RELATIONS}"),
    "pg_partitioned_table": Catalog(
        f"x.partrelid {_OF_RELATIONS}", "pg_get_partkeydef(x.partrelid)", ("partattrs", "partexprs")
    ),
    "pg_sequence": Catalog(f"x.seqrelid {_OF_RELATIONS}"),
    "pg_trigger": Catalog(
        "x.oid = ANY (%(triggers)s::oid[])",
        f"concat_ws(' ', {_TRIGGER_NAME}, CASE WHEN NOT x.tgisinternal THEN pg_get_triggerdef(x.oid) END, "
        "(SELECT p.tgname FROM pg_trigger p WHERE p.oid = x.tgparentid AND NOT p.tgisinternal))",
        ("tgname", "tgattr", "tgqual", "tgargs", "tgparentid"),
    ),
    "pg_policy": Catalog(
        "x.oid = ANY (%(policies)s::oid[])",
        "concat_ws(' ', 'USING', pg_get_expr(x.polqual, x.polrelid), 'CHECK', pg_get_expr(x.polwithcheck, x.polrelid))",
        ("polqual", "polwithcheck"),
    ),
    "pg_rewrite": Catalog("x.oid = ANY (%(rules)s::oid[])", "pg_get_ruledef(x.oid)", ("ev_qual", "ev_action")),
    "pg_proc": Catalog(
        "x.oid = ANY (%(functions)s::oid[])",
        "concat_ws(' ', CASE WHEN x.prokind <> 'a' THEN pg_get_functiondef(x.oid) END, "
        + _privileges("x.proacl", "acldefault('f', x.proowner)")
        + ")",
        ("proargdefaults", "prosqlbody", "proacl"),
    ),
    "pg_aggregate": Catalog("x.aggfnoid = ANY (%(functions)s::oid[])"),
    "pg_type": Catalog(
        "x.oid = ANY (%(types)s::oid[])",
        "concat_ws(' ', format_type(nullif(x.typbasetype, 0), x.typtypmod), pg_get_expr(x.typdefaultbin, 0), "
        + _privileges("x.typacl", "acldefault('T', x.typowner)")
        + ")",
        ("typdefaultbin", "typtypmod", "typacl"),
    ),
    "pg_enum": Catalog(
        "x.enumtypid = ANY (%(types)s::oid[])",
        "(SELECT count(*) FROM pg_enum o WHERE o.enumtypid = x.enumtypid AND o.enumsortorder <= x.enumsortorder)::text",
        ("enumsortorder",),
    ),
    "pg_range": Catalog("x.rngtypid = ANY (%(types)s::oid[])"),
    "pg_collation": Catalog("x.oid = ANY (%(collations)s::oid[])"),
    "pg_statistic_ext": Catalog(
        "x.oid = ANY (%(statistics)s::oid[])", "pg_get_statisticsobjdef(x.oid)", ("stxkeys", "stxexprs")
    ),
    "pg_default_acl": Catalog("x.defaclnamespace = %(oid)s", _privileges("x.defaclacl"), ("defaclacl",)),
    "pg_description": Catalog(
        "(x.classoid, x.objoid) IN (SELECT k.oid, m.oid FROM unnest(%(catalogs)s::text[], %(oids)s::oid[]) AS m "
        "(catalog, oid) JOIN pg_class k ON k.relname = m.catalog AND k.relnamespace = 'pg_catalog'::regnamespace "
        "UNION ALL SELECT 'pg_namespace'::regclass, %(oid)s)",
        "(SELECT concat_ws(' ', i.type, i.identity) FROM pg_identify_object(x.classoid, x.objoid, x.objsubid) i)",
        ("classoid", "objoid", "objsubid"),
    ),
}

#: Which columns of which catalogs are oids, or arrays of oids, of which catalog.
REFERENCES = """
SELECT k.relname::text AS catalog, f.fkcols[1] AS "column", p.relname::text AS target, f.is_array AS many
FROM pg_get_catalog_foreign_keys() f JOIN pg_class k ON k.oid = f.fktable JOIN pg_class p ON p.oid = f.pktable
WHERE array_length(f.fkcols, 1) = 1 AND k.relname = ANY (%(names)s::text[])
"""

#: All rows of one catalog.
ROWS = "SELECT row_to_json(x)::text AS row, coalesce(({prints})::text, '') AS printed FROM {catalog} x WHERE {rows}"

#: What oids are called.
NAMES = """
SELECT m.catalog, m.oid::int8 AS oid, coalesce(i.identity, '') AS name
FROM unnest(%(catalogs)s::text[], %(oids)s::oid[]) AS m (catalog, oid)
JOIN pg_class k ON k.relname = m.catalog AND k.relnamespace = 'pg_catalog'::regnamespace
CROSS JOIN LATERAL pg_identify_object(k.oid, m.oid, 0) i
"""
