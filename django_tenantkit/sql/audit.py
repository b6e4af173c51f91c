"""What the audit asks the catalog. One statement for each kind of thing, whatever the number of tables.

All run with `search_path = pg_catalog`: names come out qualified, and nobody's function takes the place of
PostgreSQL's. `%(tables)s` are oids of tenant tables, `%(roles)s` names of roles.
"""

from __future__ import annotations

#: Which tables the models mean: by quoted name the oid and the name with its schema, NULL where there is none.
#: Runs before the search path is replaced, so what it uses is qualified.
RESOLVE = """
SELECT wanted AS name, c.oid::pg_catalog.int8 AS oid, pg_catalog.format('%%I.%%I', n.nspname, c.relname) AS path
FROM pg_catalog.unnest(%(names)s::pg_catalog.text[]) AS wanted
JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(wanted)::pg_catalog.oid
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
"""

#: From here to the end of the transaction PostgreSQL refuses whatever would write. And how names are found.
READ_ONLY = """
SELECT pg_catalog.set_config('transaction_read_only', 'on', true) AS read_only,
       pg_catalog.current_setting('search_path') AS path
"""

#: How names are found from here on.
PATH = "SELECT pg_catalog.set_config('search_path', %(path)s, true) AS path"

#: How names are found and printed for the rest of the transaction.
PINNED = """
SELECT set_config('search_path', 'pg_catalog', true) AS path,
       set_config('quote_all_identifiers', 'off', true) AS quotes
"""

#: The server, the database, and who asks.
SERVER = """
SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS release,
       current_database()::text AS database, current_user::text AS "user", session_user::text AS login
"""

#: Tables with their guard and their owner.
TABLES = """
SELECT c.oid::int8 AS oid, c.oid::regclass::text AS name, c.relkind::text AS kind,
       c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced, pg_get_userbyid(c.relowner)::text AS owner,
       row_security_active(c.oid) AS active
FROM pg_class c WHERE c.oid = ANY (%(tables)s::oid[])
"""

#: The tenant's column of each table.
COLUMNS = """
SELECT a.attrelid::int8 AS "table", a.attname::text AS name, a.attnotnull AS filled,
       format_type(a.atttypid, NULL) AS type, quote_ident(a.attname) AS quoted
FROM unnest(%(tables)s::oid[], %(columns)s::text[]) AS wanted (oid, name)
JOIN pg_attribute a ON a.attrelid = wanted.oid AND a.attname = wanted.name AND NOT a.attisdropped
"""

#: Policies, with their expressions as this server prints them and the functions that these call.
POLICIES = """
SELECT p.polrelid::int8 AS "table", p.polname::text AS name, p.polpermissive AS permissive,
       p.polcmd::text AS command, pg_get_expr(p.polqual, p.polrelid) AS condition,
       pg_get_expr(p.polwithcheck, p.polrelid) AS "check",
       ARRAY(SELECT CASE WHEN r = 0 THEN 'public' ELSE pg_get_userbyid(r)::text END
             FROM unnest(p.polroles) AS r ORDER BY 1) AS roles,
       ARRAY(SELECT f.proname::text FROM pg_depend d JOIN pg_proc f ON f.oid = d.refobjid
             WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid
             AND d.refclassid = 'pg_proc'::regclass) AS functions,
       EXISTS (SELECT FROM unnest(p.polroles) AS r
               WHERE r = 0 OR pg_has_role(current_user, r, 'USAGE')) AS applies
FROM pg_policy p WHERE p.polrelid = ANY (%(tables)s::oid[])
"""

#: Primary keys, unique constraints and references. `conenforced` is new in PostgreSQL 18.
CONSTRAINTS = """
SELECT c.conrelid::int8 AS "table", c.conname::text AS name, c.contype::text AS kind, c.convalidated AS valid,
       coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true) AS enforced, c.confrelid::int8 AS target,
       ARRAY(SELECT a.attname::text FROM unnest(c.conkey) WITH ORDINALITY AS k (number, place)
             JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.number ORDER BY k.place) AS columns,
       ARRAY(SELECT a.attname::text FROM unnest(c.confkey) WITH ORDINALITY AS k (number, place)
             JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.number
             ORDER BY k.place) AS target_columns
FROM pg_constraint c WHERE c.conrelid = ANY (%(tables)s::oid[]) AND c.contype IN ('p', 'u', 'f')
"""

#: Indexes with their key columns in order, NULL for an expression; exclusion constraints with their operators.
INDEXES = """
SELECT i.indrelid::int8 AS "table", i.indexrelid::regclass::text AS name, i.indisunique AS "unique",
       i.indisprimary AS "primary", i.indisexclusion AS exclusion, i.indisvalid AS valid, m.amname::text AS method,
       c.conname::text AS "constraint", i.indnullsnotdistinct AS nulls_alike,
       ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
             LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number AND k.number > 0
             WHERE k.place <= i.indnkeyatts ORDER BY k.place) AS columns,
       ARRAY(SELECT o.oprname::text FROM unnest(c.conexclop) WITH ORDINALITY AS k (operator, place)
             JOIN pg_operator o ON o.oid = k.operator ORDER BY k.place) AS operators
FROM pg_index i JOIN pg_class r ON r.oid = i.indexrelid JOIN pg_am m ON m.oid = r.relam
LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x')
WHERE i.indrelid = ANY (%(tables)s::oid[])
"""

#: Triggers that somebody made, and those behind references and deferred constraints where they are disabled.
TRIGGERS = """
SELECT t.tgrelid::int8 AS "table", t.tgname::text AS name, t.tgisinternal AS internal,
       t.tgenabled NOT IN ('O', 'A') AS disabled, f.oid::regproc::text AS function, f.prosecdef AS definer,
       pg_get_triggerdef(t.oid) AS definition, c.conname::text AS "constraint"
FROM pg_trigger t JOIN pg_proc f ON f.oid = t.tgfoid LEFT JOIN pg_constraint c ON c.oid = t.tgconstraint
WHERE t.tgrelid = ANY (%(tables)s::oid[]) AND (NOT t.tgisinternal OR t.tgenabled NOT IN ('O', 'A'))
"""

#: Rules, which rewrite statements and act as the table's owner.
RULES = """
SELECT r.ev_class::int8 AS "table", quote_ident(r.rulename) AS name
FROM pg_rewrite r WHERE r.ev_class = ANY (%(tables)s::oid[]) AND r.rulename <> '_RETURN'
"""

#: Partitions and children of the tables, however deep.
CHILDREN = """
WITH RECURSIVE child ("table", oid) AS (
    SELECT inhparent, inhrelid FROM pg_inherits WHERE inhparent = ANY (%(tables)s::oid[])
    UNION SELECT child."table", i.inhrelid FROM child JOIN pg_inherits i ON i.inhparent = child.oid
)
SELECT child."table"::int8 AS "table", c.oid::int8 AS oid, c.oid::regclass::text AS name,
       c.relrowsecurity AS enabled
FROM child JOIN pg_class c ON c.oid = child.oid
"""

#: Views and materialized views that read the tables, directly or through others.
VIEWS = """
WITH RECURSIVE reader (base, view) AS (
    SELECT d.refobjid, r.ev_class FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
    AND d.refobjid = ANY (%(tables)s::oid[]) AND r.rulename = '_RETURN'
    UNION
    SELECT reader.base, r.ev_class FROM reader
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = reader.view
    JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    WHERE r.ev_class <> reader.view AND r.rulename = '_RETURN'
)
SELECT c.oid::int8 AS oid, c.oid::regclass::text AS name, c.relkind::text AS kind,
       coalesce((SELECT option_value::boolean FROM pg_options_to_table(c.reloptions)
                 WHERE option_name = 'security_invoker'), false) AS invoker,
       array_agg(DISTINCT reader.base::regclass::text ORDER BY reader.base::regclass::text) AS bases
FROM reader JOIN pg_class c ON c.oid = reader.view GROUP BY c.oid
"""

#: Functions that act as somebody else, or that PostgreSQL trusts with rows that a policy hides; those of
#: extensions are left out. With the roles that may call them.
FUNCTIONS = """
SELECT p.oid::regprocedure::text AS name, format('%%I.%%I', n.nspname, p.proname) AS path,
       pg_get_userbyid(p.proowner)::text AS owner, p.prosecdef AS definer, p.proleakproof AS leakproof,
       p.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype) AS trigger,
       ARRAY(SELECT CASE WHEN g.grantee = 0 THEN 'public' ELSE pg_get_userbyid(g.grantee)::text END
             FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
             WHERE g.privilege_type = 'EXECUTE') AS callers
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE (p.prosecdef OR p.proleakproof) AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'
AND NOT EXISTS (SELECT FROM pg_depend d
                WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
"""

#: The functions of our own schema.
OWN_FUNCTIONS = """
SELECT p.proname::text AS name, p.oid::regprocedure::text AS signature, p.prosrc AS body, p.prosecdef AS definer,
       pg_get_userbyid(p.proowner)::text AS owner
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = %(schema)s
"""

#: Each role with the roles it can act as, itself among them, and what these may do.
REACH = """
WITH RECURSIVE reach (start, role) AS (
    SELECT oid, oid FROM pg_roles WHERE rolname = ANY (%(roles)s::text[])
    UNION SELECT reach.start, m.roleid FROM reach JOIN pg_auth_members m ON m.member = reach.role
)
SELECT pg_get_userbyid(reach.start)::text AS start, r.rolname::text AS role, r.rolcanlogin AS login,
       r.rolsuper AS superuser, r.rolbypassrls AS bypassrls, r.rolcreaterole AS createrole,
       r.rolcreatedb AS createdb, r.rolreplication AS replication
FROM reach JOIN pg_roles r ON r.oid = reach.role
"""

#: What roles own in this database, and of what all databases share. Temporary objects come and go.
OWNED = """
SELECT pg_get_userbyid(d.refobjid)::text AS role, pg_describe_object(d.classid, d.objid, 0) AS object
FROM pg_shdepend d
WHERE d.refclassid = 'pg_authid'::regclass AND d.deptype = 'o' AND d.objsubid = 0
AND d.refobjid IN (SELECT oid FROM pg_roles WHERE rolname = ANY (%(roles)s::text[]))
AND (d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
     OR d.dbid = 0 AND (d.classid <> 'pg_database'::regclass
                        OR d.objid = (SELECT oid FROM pg_database WHERE datname = current_database())))
AND d.classid <> 'pg_largeobject'::regclass
AND NOT EXISTS (SELECT FROM pg_class c WHERE d.classid = 'pg_class'::regclass AND c.oid = d.objid
                AND c.relpersistence = 't')
AND NOT EXISTS (SELECT FROM pg_type t JOIN pg_class c ON c.oid = t.typrelid
                WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid AND c.relpersistence = 't')
ORDER BY 1, 2
"""

#: What roles, or everybody, may do with relations, on the whole or on single columns.
GRANTS = """
SELECT x.relation::int8 AS relation, x."column", x.grantee, array_agg(x.privilege ORDER BY x.privilege) AS privileges
FROM (
    SELECT c.oid AS relation, NULL AS "column", g.privilege_type AS privilege,
           CASE WHEN g.grantee = 0 THEN 'public' ELSE pg_get_userbyid(g.grantee)::text END AS grantee
    FROM pg_class c, aclexplode(c.relacl) g WHERE c.oid = ANY (%(relations)s::oid[])
    UNION ALL
    SELECT a.attrelid, quote_ident(a.attname), g.privilege_type,
           CASE WHEN g.grantee = 0 THEN 'public' ELSE pg_get_userbyid(g.grantee)::text END
    FROM pg_attribute a, aclexplode(a.attacl) g
    WHERE a.attrelid = ANY (%(relations)s::oid[]) AND a.attacl IS NOT NULL
) x
WHERE x.grantee = 'public' OR x.grantee = ANY (%(roles)s::text[])
GROUP BY 1, 2, 3
"""

#: Which of the privileges that they need the application and the operator lack, on tables and schemas.
LACKING = """
SELECT r.rolname::text AS role, 'TABLE' AS kind, t.oid::regclass::text AS object,
       array_agg(needed ORDER BY needed) AS privileges
FROM pg_roles r, unnest(%(tables)s::oid[]) AS t (oid),
     unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS needed
WHERE r.rolname = ANY (%(roles)s::text[]) AND NOT has_table_privilege(r.oid, t.oid, needed)
GROUP BY r.rolname, t.oid
UNION ALL
SELECT r.rolname::text, 'SCHEMA', quote_ident(n.nspname), ARRAY['USAGE']
FROM pg_roles r, pg_namespace n
WHERE r.rolname = ANY (%(roles)s::text[]) AND NOT has_schema_privilege(r.oid, n.oid, 'USAGE')
AND (n.nspname = %(schema)s
     OR n.oid IN (SELECT relnamespace FROM pg_class WHERE oid = ANY (%(tables)s::oid[])))
"""

#: Who may make objects in a schema, or schemas in the database.
CREATORS = """
SELECT x.kind, x.object, CASE WHEN x.grantee = 0 THEN 'public' ELSE pg_get_userbyid(x.grantee)::text END AS grantee
FROM (
    SELECT 'SCHEMA' AS kind, quote_ident(n.nspname) AS object, g.grantee, g.privilege_type
    FROM pg_namespace n, aclexplode(n.nspacl) g
    WHERE n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'
    UNION ALL
    SELECT 'DATABASE', quote_ident(d.datname), g.grantee, g.privilege_type
    FROM pg_database d, aclexplode(d.datacl) g WHERE d.datname = current_database()
) x WHERE x.privilege_type = 'CREATE'
"""

#: What the owner grants on tables that it makes from now on.
DEFAULTS = """
SELECT coalesce(quote_ident(n.nspname), '') AS schema,
       CASE WHEN g.grantee = 0 THEN 'public' ELSE pg_get_userbyid(g.grantee)::text END AS grantee,
       array_agg(g.privilege_type ORDER BY g.privilege_type) AS privileges
FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) g
WHERE d.defaclobjtype = 'r' AND pg_get_userbyid(d.defaclrole) = %(owner)s
GROUP BY 1, 2
"""

#: Sequences of the tables' columns, with who may set them and who lacks what inserting needs.
SEQUENCES = """
SELECT s.oid::regclass::text AS name, s.oid::int8 AS oid,
       ARRAY(SELECT r.rolname::text FROM pg_roles r WHERE r.rolname = ANY (%(roles)s::text[])
             AND NOT has_sequence_privilege(r.oid, s.oid, 'USAGE')) AS lacking
FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
AND d.refobjid = ANY (%(tables)s::oid[])
"""

#: Settings that a role, a database or the server's files give to sessions from their start.
SETTINGS = """
SELECT r.rolname::text AS role, d.datname::text AS database, split_part(entry, '=', 1) AS name,
       substr(entry, strpos(entry, '=') + 1) AS value
FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase,
     unnest(s.setconfig) AS entry
WHERE (s.setdatabase = 0 OR d.datname = current_database())
AND (s.setrole = 0 OR r.rolname = ANY (%(roles)s::text[]))
UNION ALL
SELECT NULL, NULL, name, setting FROM pg_settings
WHERE name = ANY (%(names)s::text[]) AND source IN ('configuration file', 'command line', 'environment variable')
"""

#: Triggers on events.
EVENT_TRIGGERS = """
SELECT quote_ident(t.evtname) AS name, t.evtevent::text AS event, t.evtfoid::regproc::text AS function
FROM pg_event_trigger t
WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_event_trigger'::regclass AND d.objid = t.oid
                  AND d.deptype = 'e')
"""

#: Publications that send all rows of a table.
PUBLICATIONS = """
SELECT quote_ident(p.pubname) AS name, array_agg(c.oid::regclass::text ORDER BY c.oid::regclass::text) AS tables
FROM pg_publication_tables p JOIN pg_namespace n ON n.nspname = p.schemaname
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename
WHERE c.oid = ANY (%(tables)s::oid[]) AND p.rowfilter IS NULL
GROUP BY p.pubname
"""

#: Tables of no model that have a tenant's column, or refer to the tenants.
UNKNOWN = """
SELECT c.oid::int8 AS oid, c.oid::regclass::text AS name, c.relkind::text AS kind, c.relrowsecurity AS enabled
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND NOT c.oid = ANY (%(known)s::oid[])
AND n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema' AND n.nspname !~ '^(t|left)_[0-9a-f]{32}$'
AND c.oid IN (SELECT attrelid FROM pg_attribute
              WHERE attname = ANY (%(columns)s::text[]) AND attnum > 0 AND NOT attisdropped
              UNION ALL SELECT conrelid FROM pg_constraint
              WHERE contype = 'f' AND confrelid = ANY (%(tenants)s::oid[]))
"""

#: How many large objects there are, up to a thousand.
LARGE_OBJECTS = "SELECT count(*) AS number FROM (SELECT FROM pg_largeobject_metadata LIMIT 1000) AS found"

#: Rows that refer to another tenant's row: some, and how many there are. Names come in quoted.
CROSSING = """
SELECT child.{key}::text AS "row", child.{tenant}::text AS tenant, parent.{target_key}::text AS target,
       parent.{target_tenant}::text AS target_tenant, count(*) OVER () AS number
FROM {table} AS child JOIN {target} AS parent ON {condition}
WHERE parent.{target_tenant} <> child.{tenant} ORDER BY 1, 3 LIMIT 10
"""

#: How a column refers to a row, and how a generic foreign key does, which holds a key as text.
BY_KEY = "parent.{target_column} = child.{column}"
BY_TYPE = "child.{type_column} = {type} AND parent.{target_key}::text = child.{id_column}::text"

#: The content types that a generic foreign key names.
TYPES = """
SELECT t.id::int8 AS id, t.app_label::text AS app, t.model::text AS model
FROM {types} AS t WHERE t.id IN (SELECT {type_column} FROM {table})
"""

#: Tenants that rows name and that do not exist: some, how many rows each has, and how many such tenants there are.
ORPHANED = """
SELECT child.{tenant}::text AS tenant, count(*) AS rows, count(*) OVER () AS number
FROM {table} AS child
WHERE NOT EXISTS (SELECT FROM {target} AS t WHERE t.{target_column} = child.{tenant})
AND NOT (child.{tenant} IS NULL AND {may_be_empty})
GROUP BY child.{tenant} ORDER BY 1 LIMIT 10
"""
