"""What a copy of a schema asks the catalog. One statement for each kind of object, whatever their number.

All run with the schema alone in `search_path`, so that PostgreSQL prints the names of its objects without it, and
those of all others with theirs. Names come out quoted. `%(relations)s` and its like are oids of the schema's objects.
"""

from __future__ import annotations

#: The schema, who owns it, the server that it is on, and what somebody said of it.
SCHEMA = """
SELECT n.oid::int8 AS oid, quote_ident(n.nspname) AS name, quote_ident(pg_get_userbyid(n.nspowner)) AS owner,
       current_setting('server_version_num')::int AS version,
       obj_description(n.oid, 'pg_namespace') AS comment
FROM pg_catalog.pg_namespace n WHERE n.nspname = %(schema)s
"""

#: How values are printed while a schema is read; and what names it finds.
SETTINGS = """
SELECT set_config('search_path', %(path)s, true), set_config('quote_all_identifiers', 'off', true),
       set_config('standard_conforming_strings', 'on', true), set_config('DateStyle', 'ISO, YMD', true),
       set_config('IntervalStyle', 'iso_8601', true), set_config('TimeZone', 'UTC', true),
       set_config('bytea_output', 'hex', true), set_config('extra_float_digits', '1', true)
"""

#: Whether that is still so: without a transaction it ended with its statement.
PATH = "SELECT current_setting('search_path')"

#: What they were before.
SETTINGS_BEFORE = """
SELECT current_setting('search_path'), current_setting('quote_all_identifiers'),
       current_setting('standard_conforming_strings'), current_setting('DateStyle'),
       current_setting('IntervalStyle'), current_setting('TimeZone'),
       current_setting('bytea_output'), current_setting('extra_float_digits')
"""

#: Sets them back, in the same order.
RESTORE = """
SELECT set_config('search_path', %s, true), set_config('quote_all_identifiers', %s, true),
       set_config('standard_conforming_strings', %s, true), set_config('DateStyle', %s, true),
       set_config('IntervalStyle', %s, true), set_config('TimeZone', %s, true),
       set_config('bytea_output', %s, true), set_config('extra_float_digits', %s, true)
"""

#: All that is in the schema, or depends on something in it, wherever that is. What they are called, whose they are,
#: and in which schema. TOAST tables go with theirs.
MEMBERS = """
WITH RECURSIVE member (classid, objid) AS (
    SELECT classid, objid FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND refobjid = %(oid)s
    UNION
    SELECT d.classid, d.objid FROM member m JOIN pg_depend d ON d.refclassid = m.classid AND d.refobjid = m.objid
)
SELECT k.relname::text AS catalog, m.objid::int8 AS oid, i.type, i.identity, c.relkind::text AS kind,
       coalesce(c.relnamespace, p.pronamespace, t.typnamespace, s.stxnamespace, l.collnamespace,
                x.relnamespace)::int8 AS namespace,
       quote_ident(pg_get_userbyid(coalesce(c.relowner, p.proowner, t.typowner, s.stxowner, l.collowner))) AS owner,
       pg_describe_object(m.classid, m.objid, 0) AS description
FROM member m JOIN pg_class k ON k.oid = m.classid
CROSS JOIN LATERAL pg_identify_object(m.classid, m.objid, 0) i
LEFT JOIN pg_class c ON k.relname = 'pg_class' AND c.oid = m.objid
LEFT JOIN pg_proc p ON k.relname = 'pg_proc' AND p.oid = m.objid
LEFT JOIN pg_type t ON k.relname = 'pg_type' AND t.oid = m.objid
LEFT JOIN pg_statistic_ext s ON k.relname = 'pg_statistic_ext' AND s.oid = m.objid
LEFT JOIN pg_collation l ON k.relname = 'pg_collation' AND l.oid = m.objid
LEFT JOIN pg_constraint n ON k.relname = 'pg_constraint' AND n.oid = m.objid
LEFT JOIN pg_trigger g ON k.relname = 'pg_trigger' AND g.oid = m.objid
LEFT JOIN pg_rewrite r ON k.relname = 'pg_rewrite' AND r.oid = m.objid
LEFT JOIN pg_policy y ON k.relname = 'pg_policy' AND y.oid = m.objid
LEFT JOIN pg_attrdef a ON k.relname = 'pg_attrdef' AND a.oid = m.objid
LEFT JOIN pg_class x ON x.oid = coalesce(nullif(n.conrelid, 0), g.tgrelid, r.ev_class, y.polrelid, a.adrelid)
WHERE c.relnamespace IS DISTINCT FROM 'pg_toast'::regnamespace
ORDER BY k.relname, i.identity
"""

#: On what each of them depends, and how.
DEPENDENCIES = """
SELECT k.relname::text AS catalog, d.objid::int8 AS oid, rk.relname::text AS on_catalog, d.refobjid::int8 AS on_oid,
       d.deptype::text AS how
FROM unnest(%(catalogs)s::text[], %(oids)s::oid[]) AS m (catalog, oid)
JOIN pg_class k ON k.relname = m.catalog AND k.relnamespace = 'pg_catalog'::regnamespace
JOIN pg_depend d ON d.classid = k.oid AND d.objid = m.oid
JOIN pg_class rk ON rk.oid = d.refclassid
"""

#: Labels of security modules, which no copy would carry.
LABELS = "SELECT pg_describe_object(classoid, objoid, objsubid) FROM pg_seclabel WHERE objoid = ANY (%(oids)s::oid[])"

#: Tables, views and materialized views.
RELATIONS = """
SELECT c.oid::int8 AS oid, quote_ident(c.relname) AS name, c.relkind::text AS kind,
       c.relpersistence::text AS persistence, quote_ident(m.amname) AS method, quote_ident(s.spcname) AS tablespace,
       c.reloptions AS options, toast.reloptions AS toast_options, pg_get_partkeydef(c.oid) AS partitioned,
       c.relispartition AS is_partition, pg_get_expr(c.relpartbound, c.oid) AS bound, c.relrowsecurity AS guarded,
       c.relforcerowsecurity AS forced, c.relreplident::text AS identity, c.relispopulated AS populated,
       c.reloftype <> 0 AS typed, CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END AS definition,
       ARRAY(SELECT i.inhparent::int8 FROM pg_inherits i WHERE i.inhrelid = c.oid ORDER BY i.inhseqno) AS parents
FROM pg_class c LEFT JOIN pg_am m ON m.oid = c.relam LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
LEFT JOIN pg_class toast ON toast.oid = c.reltoastrelid
WHERE c.oid = ANY (%(relations)s::oid[]) AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY c.relname
"""

#: Columns of tables, views and composite types. The target of statistics is NULL where nobody set one, -1 up to 16;
#: the options of 15 can have an entry of its own.
COLUMNS = """
SELECT a.attrelid::int8 AS relation, a.attnum AS number, quote_ident(a.attname) AS name,
       format_type(a.atttypid, a.atttypmod) || repeat('[]', greatest(a.attndims - 1, 0)) AS type,
       CASE WHEN a.attcollation NOT IN (0, t.typcollation) THEN a.attcollation::regcollation::text END AS collation,
       pg_get_expr(d.adbin, d.adrelid) AS "default", a.attgenerated::text AS generated, a.attidentity::text AS identity,
       a.attnotnull AS filled, a.attstorage::text AS real_storage, t.typstorage::text AS usual_storage,
       a.attcompression::text AS compression,
       nullif(a.attstattarget, -1) AS target, a.attislocal AS own,
       ARRAY(SELECT o FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg\\_attver=%%') AS options
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = ANY (%(relations)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
AND c.relkind IN ('r', 'p', 'v', 'm', 'c') ORDER BY a.attrelid, a.attnum
"""

#: Sequences with the column that owns them ("a") or whose identity they are ("i").
SEQUENCES = """
SELECT s.seqrelid::int8 AS oid, quote_ident(c.relname) AS name, c.relpersistence::text AS persistence,
       format_type(s.seqtypid, NULL) AS type, s.seqstart AS start, s.seqincrement AS increment, s.seqmin AS least,
       s.seqmax AS greatest, s.seqcache AS cache, s.seqcycle AS cycle, d.deptype::text AS how,
       d.refobjid::int8 AS "table", quote_ident(a.attname) AS "column"
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = s.seqrelid AND d.deptype IN ('a', 'i')
    AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE s.seqrelid = ANY (%(relations)s::oid[]) ORDER BY c.relname
"""

#: Constraints of tables and domains.
CONSTRAINTS = """
SELECT c.oid::int8 AS oid, quote_ident(c.conname) AS name, c.contype::text AS kind, c.conrelid::int8 AS relation,
       c.contypid::int8 AS domain, c.conindid::int8 AS index, pg_get_constraintdef(c.oid) AS definition,
       c.conislocal AS own, c.convalidated AS valid, c.conparentid::int8 AS parent, c.confrelid::int8 AS target
FROM pg_constraint c WHERE c.oid = ANY (%(constraints)s::oid[])
ORDER BY array_position('{p,u,x,c,n}', c.contype::text), c.conname
"""

#: Indexes with the constraint that each belongs to and the targets of statistics of its expressions.
INDEXES = """
SELECT i.indexrelid::int8 AS oid, quote_ident(r.relname) AS name, i.indrelid::int8 AS relation,
       pg_get_indexdef(i.indexrelid) AS definition, c.oid::int8 AS "constraint", h.inhparent::int8 AS parent,
       i.indisclustered AS clustered, i.indisreplident AS replicates, i.indisvalid AND i.indisready AS valid,
       quote_ident(s.spcname) AS tablespace, r.reloptions AS options,
       ARRAY(SELECT a.attnum || ' SET STATISTICS ' || a.attstattarget FROM pg_attribute a
             WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0 ORDER BY a.attnum) AS targets
FROM pg_index i JOIN pg_class r ON r.oid = i.indexrelid LEFT JOIN pg_tablespace s ON s.oid = r.reltablespace
LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x')
LEFT JOIN pg_inherits h ON h.inhrelid = i.indexrelid
WHERE i.indexrelid = ANY (%(relations)s::oid[]) ORDER BY r.relname
"""

#: Functions, procedures and window functions; the functions that PostgreSQL made for a range type are left out.
FUNCTIONS = """
SELECT p.oid::int8 AS oid, p.prokind::text AS kind, quote_ident(p.proname) AS name,
       CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END AS definition,
       pg_get_function_arguments(p.oid) AS arguments, CASE WHEN p.prokind = 'a' THEN json_build_object(
           'SFUNC', a.aggtransfn::regproc::text, 'STYPE', format_type(a.aggtranstype, NULL),
           'SSPACE', nullif(a.aggtransspace, 0), 'FINALFUNC', nullif(a.aggfinalfn::oid, 0)::regproc::text,
           'FINALFUNC_MODIFY', a.aggfinalmodify, 'COMBINEFUNC', nullif(a.aggcombinefn::oid, 0)::regproc::text,
           'SERIALFUNC', nullif(a.aggserialfn::oid, 0)::regproc::text,
           'DESERIALFUNC', nullif(a.aggdeserialfn::oid, 0)::regproc::text,
           'INITCOND', quote_literal(a.agginitval),
           'MSFUNC', nullif(a.aggmtransfn::oid, 0)::regproc::text,
           'MINVFUNC', nullif(a.aggminvtransfn::oid, 0)::regproc::text,
           'MSTYPE', format_type(nullif(a.aggmtranstype, 0), NULL), 'MSSPACE', nullif(a.aggmtransspace, 0),
           'MFINALFUNC', nullif(a.aggmfinalfn::oid, 0)::regproc::text,
           'MFINALFUNC_MODIFY', a.aggmfinalmodify, 'MINITCOND', quote_literal(a.aggminitval),
           'SORTOP', (SELECT format('OPERATOR(%%I.%%s)', n.nspname, o.oprname) FROM pg_operator o
                      JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE o.oid = a.aggsortop),
           'PARALLEL', p.proparallel, 'FINALFUNC_EXTRA', a.aggfinalextra, 'MFINALFUNC_EXTRA', a.aggmfinalextra,
           'HYPOTHETICAL', a.aggkind = 'h')::text END AS parts
FROM pg_proc p LEFT JOIN pg_aggregate a ON a.aggfnoid = p.oid
WHERE p.oid = ANY (%(functions)s::oid[]) AND NOT EXISTS (
    SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i'
    AND d.refclassid = 'pg_type'::regclass)
ORDER BY p.proname, p.oid
"""

#: Types that stand by themselves: not those of a table's rows, nor arrays, nor multiranges.
TYPES = """
SELECT t.oid::int8 AS oid, quote_ident(t.typname) AS name, t.typtype::text AS kind, t.typrelid::int8 AS relation,
       t.typnotnull AS filled, t.typdefault AS "default", pg_get_expr(t.typdefaultbin, 0) AS expression,
       format_type(t.typbasetype, t.typtypmod) || repeat('[]', greatest(t.typndims - 1, 0)) AS base,
       CASE WHEN t.typcollation NOT IN (0, b.typcollation) THEN t.typcollation::regcollation::text END AS collation,
       ARRAY(SELECT quote_literal(e.enumlabel) FROM pg_enum e WHERE e.enumtypid = t.oid
             ORDER BY e.enumsortorder) AS labels,
       format_type(r.rngsubtype, NULL) AS subtype, r.rngcanonical <> 0 AS canonical,
       quote_ident(mt.typname) AS multirange, nullif(r.rngsubdiff::oid, 0)::regproc::text AS difference,
       CASE WHEN r.rngcollation <> 0 THEN r.rngcollation::regcollation::text END AS range_collation,
       quote_ident(n.nspname) || '.' || quote_ident(o.opcname) AS operators
FROM pg_type t LEFT JOIN pg_type b ON b.oid = t.typbasetype LEFT JOIN pg_class c ON c.oid = t.typrelid
LEFT JOIN pg_range r ON r.rngtypid = t.oid LEFT JOIN pg_type mt ON mt.oid = r.rngmultitypid
LEFT JOIN pg_opclass o ON o.oid = r.rngsubopc LEFT JOIN pg_namespace n ON n.oid = o.opcnamespace
WHERE t.oid = ANY (%(types)s::oid[]) AND (c.relkind = 'c' OR t.typtype IN ('d', 'e', 'r')) ORDER BY t.typname
"""

#: Collations.
COLLATIONS = """
SELECT c.oid::int8 AS oid, quote_ident(c.collname) AS name, row_to_json(c)::text AS row
FROM pg_collation c WHERE c.oid = ANY (%(collations)s::oid[]) ORDER BY c.collname
"""

#: Extended statistics, with the target that somebody set.
STATISTICS = """
SELECT s.oid::int8 AS oid, quote_ident(s.stxname) AS name, pg_get_statisticsobjdef(s.oid) AS definition,
       nullif(s.stxstattarget, -1) AS target
FROM pg_statistic_ext s WHERE s.oid = ANY (%(statistics)s::oid[]) ORDER BY s.stxname
"""

#: Rules, without those that make a view.
RULES = """
SELECT r.oid::int8 AS oid, quote_ident(r.rulename) AS name, r.ev_class::int8 AS relation,
       pg_get_ruledef(r.oid) AS definition, r.ev_enabled::text AS enabled
FROM pg_rewrite r WHERE r.oid = ANY (%(rules)s::oid[]) AND r.rulename <> '_RETURN' ORDER BY r.rulename
"""

#: Triggers. Those of partitions are made with their parent's.
TRIGGERS = """
SELECT t.oid::int8 AS oid, quote_ident(t.tgname) AS name, t.tgrelid::int8 AS relation,
       pg_get_triggerdef(t.oid) AS definition, t.tgenabled::text AS enabled, t.tgisinternal AS internal,
       t.tgparentid::int8 AS parent, p.tgenabled::text AS parent_enabled
FROM pg_trigger t LEFT JOIN pg_trigger p ON p.oid = t.tgparentid
WHERE t.oid = ANY (%(triggers)s::oid[]) ORDER BY t.tgname
"""

#: Policies.
POLICIES = """
SELECT p.oid::int8 AS oid, quote_ident(p.polname) AS name, p.polrelid::int8 AS relation, p.polpermissive AS permissive,
       CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
       ELSE 'ALL' END AS command, pg_get_expr(p.polqual, p.polrelid) AS condition,
       pg_get_expr(p.polwithcheck, p.polrelid) AS "check",
       ARRAY(SELECT CASE WHEN r = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r)) END
             FROM unnest(p.polroles) WITH ORDINALITY AS u (r, place) ORDER BY place) AS roles
FROM pg_policy p WHERE p.oid = ANY (%(policies)s::oid[]) ORDER BY p.polname
"""

#: Comments, with what they are on as COMMENT ON wants it.
COMMENTS = """
SELECT i.type, i.identity, d.description
FROM unnest(%(catalogs)s::text[], %(oids)s::oid[]) AS m (catalog, oid)
JOIN pg_class k ON k.relname = m.catalog AND k.relnamespace = 'pg_catalog'::regnamespace
JOIN pg_description d ON d.classoid = k.oid AND d.objoid = m.oid
CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) i ORDER BY 1, 2
"""

#: Tables from which policies may hide rows of whoever asks, unless one opens all of them and none restricts.
HIDDEN = """
SELECT c.oid::regclass::text FROM pg_class c
WHERE c.oid = ANY (%(relations)s::oid[]) AND c.relkind = 'r' AND row_security_active(c.oid) AND NOT (
    EXISTS (SELECT FROM pg_policy p, unnest(p.polroles) r WHERE p.polrelid = c.oid AND p.polpermissive
            AND p.polcmd IN ('*', 'r') AND pg_get_expr(p.polqual, p.polrelid) = 'true'
            AND (r = 0 OR pg_has_role(current_user, r, 'USAGE')))
    AND NOT EXISTS (SELECT FROM pg_policy p, unnest(p.polroles) r WHERE p.polrelid = c.oid AND NOT p.polpermissive
                    AND p.polcmd IN ('*', 'r') AND (r = 0 OR pg_has_role(current_user, r, 'USAGE'))))
"""

#: Whether a table has rows of its own, and the position of a sequence: one branch for each, with its place.
HAS_ROWS = "SELECT {place} AS place WHERE EXISTS (SELECT FROM ONLY {table})"
POSITION = "SELECT {place} AS place, last_value AS value, is_called AS called FROM {sequence}"

#: The rows of a table as texts, in the order in which they are stored.
ROWS = "SELECT {columns} FROM ONLY {table} ORDER BY ctid"
