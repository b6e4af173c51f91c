"""What the audit asks of the homes of schema tenants: a statement for all of them together, wherever that can be.

All run with `search_path = pg_catalog`, like those in `sql/audit.py`. Names come in quoted.
"""

from __future__ import annotations

#: Places and schema tenants on a server, put together by the name of the schema: what is missing is NULL. Asked of
#: the main database.
HOMES = """
SELECT schema, place.state, tenant.key, tenant.slug
FROM (SELECT 't_' || replace(uid::text, '-', '') AS schema, state FROM {place}
      WHERE isolation = 'schema' AND database = %(server)s AND state <> 'gone') AS place
FULL JOIN (SELECT 't_' || replace(uid::text, '-', '') AS schema, {key}::text AS key, slug FROM {tenant}
           WHERE isolation = 'schema' AND database = %(server)s AND erased_at IS NULL) AS tenant USING (schema)
"""

#: The schemas of a database that are named like homes. `open`: everybody may use the schema; `usable`: the application
#: may.
SCHEMAS = """
SELECT nspname::text AS schema, EXISTS (SELECT FROM aclexplode(nspacl) AS acl WHERE acl.grantee = 0) AS open,
    has_schema_privilege(%(application)s, oid, 'USAGE') AS usable
FROM pg_namespace WHERE nspname ~ '^t_[0-9a-f]{32}$'
"""

#: The relations of the schema of row tenants and of all homes: digests of their columns, guard, constraints, indexes,
#: triggers (but those of the main tables only) and privileges, without the name of the schema, so that they are alike
#: where homes are. References to shared tables are left out: a home has none. With `whole`, those of the database
#: instead, its shared tables and all references among them.
RELATIONS = """
SELECT n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind,
    (SELECT md5(string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull), ',' ORDER BY attname))
     FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) AS columns,
    md5(concat_ws(' ', c.relrowsecurity, c.relforcerowsecurity, pg_get_userbyid(c.relowner),
        (SELECT replace(replace(string_agg(concat_ws(' ', polname, polpermissive, polcmd,
             (SELECT string_agg(pg_get_userbyid(role), ',' ORDER BY role) FROM unnest(polroles) AS role),
             pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)), ';' ORDER BY polname),
             quote_literal(n.nspname), 'HOME'), quote_ident(n.nspname) || '.', '')
         FROM pg_policy WHERE polrelid = c.oid AND NOT starts_with(polname, 'tenantkit_fence_')))) AS guard,
    (SELECT md5(replace(string_agg(concat_ws(' ', conname, pg_get_constraintdef(oid), convalidated), ';'
         ORDER BY conname), quote_ident(n.nspname) || '.', ''))
     FROM pg_constraint WHERE conrelid = c.oid AND contype <> 'n'
         AND (contype <> 'f' OR %(whole)s OR confrelid IN (SELECT oid FROM pg_class WHERE relnamespace = n.oid))
    ) AS constraints,
    (SELECT md5(replace(string_agg(concat_ws(' ', pg_get_indexdef(indexrelid), indisvalid), ';'
         ORDER BY pg_get_indexdef(indexrelid)), quote_ident(n.nspname) || '.', ''))
     FROM pg_index WHERE indrelid = c.oid) AS indexes,
    (SELECT md5(replace(string_agg(concat_ws(' ', pg_get_triggerdef(oid), tgenabled), ';' ORDER BY tgname),
         quote_ident(n.nspname) || '.', ''))
     FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal
         AND NOT tgname ~ '^tenantkit_(fence_|noting_|common)') AS triggers,
    (SELECT md5(string_agg(acl::text, ',' ORDER BY acl::text))
     FROM unnest(coalesce(c.relacl, acldefault('r', c.relowner))) AS acl) AS privileges
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND CASE WHEN %(whole)s THEN n.nspname IN (%(rows)s, 'public')
        ELSE n.nspname = %(rows)s OR n.nspname ~ '^t_[0-9a-f]{32}$' END
    AND c.relname <> 'django_migrations'
ORDER BY 1, 2
"""

#: Relations of `public` that have one of these names.
IN_PUBLIC = """
SELECT relname::text AS name FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f') AND relname = ANY (%(names)s)
ORDER BY 1
"""

#: Whether a table has a row of anybody but one tenant; of anybody, where there is none. Rows of nobody are for all.
FOREIGN = """
SELECT {label} AS name WHERE EXISTS (
    SELECT FROM {table} WHERE {tenant}::text IS DISTINCT FROM {key} AND {tenant} IS NOT NULL)
"""

#: Whether a home has other rows of nobody than the table where they are written.
OTHER_COMMON = """
SELECT {label} AS name WHERE EXISTS (
    (SELECT to_jsonb(t) FROM {source} AS t WHERE {tenant} IS NULL EXCEPT SELECT to_jsonb(t) FROM {table} AS t WHERE
        {tenant} IS NULL)
    UNION ALL
    (SELECT to_jsonb(t) FROM {table} AS t WHERE {tenant} IS NULL EXCEPT SELECT to_jsonb(t) FROM {source} AS t WHERE
        {tenant} IS NULL))
"""

#: Whether a table that row tenants share has a row of a tenant that lives elsewhere, and is neither leaving nor on its
#: way: `{jobs}` is a condition on `tenant`.
LEFT_BEHIND = """
SELECT {label} AS name WHERE EXISTS (
    SELECT FROM {table} WHERE {tenant} IN (
        SELECT {key} FROM {tenants} AS tenant WHERE (isolation <> 'row' OR database <> '') AND NOT EXISTS (
            SELECT FROM {place} AS place WHERE place.left_by = tenant.uid AND place.isolation = 'row'
                AND place.database = '' AND place.state = 'leaving') AND NOT {jobs}))
"""

#: The keys of tenants that are fenced for a reason: by their status, by a job that is not done, by rows that they left.
#: `{jobs}` and `{places}` are conditions on `tenant`, or "false" where there is no such table.
FENCED_FOR_A_REASON = """
SELECT {key}::text AS key FROM {tenant} AS tenant
WHERE to_jsonb(tenant) ->> 'status' IN ('suspended', 'maintenance', 'erasing') OR {jobs} OR {places}
"""

#: Jobs on a tenant that are not done; and places that it left.
OPEN_JOBS = "EXISTS (SELECT FROM {table} WHERE tenant_id = tenant.{key} AND state NOT IN ('done', 'given up'))"
LEFT_PLACES = "EXISTS (SELECT FROM {table} WHERE left_by::text = to_jsonb(tenant) ->> 'uid' AND state = 'leaving')"

#: The same for databases on all servers, put together by the uid in hexadecimal; shards too, which no tenant has.
DATABASES = """
SELECT uid, place.state, place.migrations, tenant.key, tenant.slug, coalesce(place.server, tenant.server) AS server,
    coalesce(place.isolation, 'database') = 'shard' AS is_shard
FROM (SELECT replace(uid::text, '-', '') AS uid, state, migrations, database AS server, isolation
      FROM {place} WHERE isolation IN ('database', 'shard')) AS place
FULL JOIN (SELECT replace(uid::text, '-', '') AS uid, {key}::text AS key, slug, database AS server FROM {tenant}
           WHERE isolation = 'database' AND erased_at IS NULL) AS tenant USING (uid)
ORDER BY uid
"""

#: The databases of a server whose names begin so.
NAMED = "SELECT datname::text AS name FROM pg_database WHERE starts_with(datname, %(prefix)s) ORDER BY 1"

#: Who but its owner may do more than read given tables, by name; what is in `hidden` nobody else reads either.
WRITERS = """
SELECT format('%%I.%%I', n.nspname, c.relname) AS name,
    CASE WHEN g.grantee = 0 THEN 'public' ELSE pg_get_userbyid(g.grantee)::text END AS grantee,
    array_agg(DISTINCT g.privilege_type ORDER BY g.privilege_type) AS privileges
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
    LATERAL (SELECT (aclexplode(coalesce(c.relacl, acldefault('r', c.relowner)))).* UNION ALL
             SELECT (aclexplode(attacl)).* FROM pg_attribute WHERE attrelid = c.oid AND attacl IS NOT NULL) AS g
WHERE c.relkind IN ('r', 'p') AND g.grantee <> c.relowner
    AND (n.nspname = 'public' AND c.relname = ANY (%(copies)s)
         OR n.nspname = 'tenantkit' AND c.relname IN ('home', 'copied', 'copies', 'changes'))
    AND (g.privilege_type <> 'SELECT' OR n.nspname = 'tenantkit' AND c.relname <> 'home')
GROUP BY 1, 2 ORDER BY 1, 2
"""

#: Of a table with copies the keys and digests of rows: of all, or of some.
COPIES = """
SELECT {label} AS name, {key}::text AS key, md5(to_jsonb(t)::text) AS digest
FROM {table} AS t WHERE {condition} AND (%(keys)s::text[] IS NULL OR {key}::text = ANY (%(keys)s))
"""
