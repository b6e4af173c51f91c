"""Who may do what with the objects of a schema, as the catalog has it. See `catalog.py` for how they are asked."""

from __future__ import annotations

#: What is granted on the schema, its relations, functions and types, on the whole or on a column. Where nothing was
#: granted or revoked, what PostgreSQL grants by itself.
GRANTS = """
SELECT x.catalog, x.oid::int8 AS oid, x.kind, x."column", x.owner,
       ARRAY(SELECT json_build_array(CASE WHEN g.grantee = 0 THEN 'PUBLIC'
                                          ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
                                     g.privilege_type, g.is_grantable)::text
             FROM aclexplode(x.acl) g) AS grants,
       ARRAY(SELECT pg_get_userbyid(g.grantor)::text FROM aclexplode(x.acl) g WHERE g.grantor <> x.owner_oid) AS others
FROM (
    SELECT 'pg_namespace' AS catalog, n.oid, 'n' AS kind, '' AS "column",
           quote_ident(pg_get_userbyid(n.nspowner)) AS owner, n.nspowner AS owner_oid,
           coalesce(n.nspacl, acldefault('n', n.nspowner)) AS acl
    FROM pg_namespace n WHERE n.oid = %(oid)s
    UNION ALL
    SELECT 'pg_class', c.oid, CASE c.relkind WHEN 'S' THEN 'S' ELSE 'r' END, '',
           quote_ident(pg_get_userbyid(c.relowner)), c.relowner,
           coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", c.relowner))
    FROM pg_class c WHERE c.oid = ANY (%(relations)s::oid[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
    UNION ALL
    SELECT 'pg_class', c.oid, '', quote_ident(a.attname), quote_ident(pg_get_userbyid(c.relowner)), c.relowner, a.attacl
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.oid = ANY (%(relations)s::oid[]) AND a.attacl IS NOT NULL AND NOT a.attisdropped
    UNION ALL
    SELECT 'pg_proc', p.oid, 'f', '', quote_ident(pg_get_userbyid(p.proowner)), p.proowner,
           coalesce(p.proacl, acldefault('f', p.proowner))
    FROM pg_proc p WHERE p.oid = ANY (%(functions)s::oid[])
    UNION ALL
    SELECT 'pg_type', t.oid, 'T', '', quote_ident(pg_get_userbyid(t.typowner)), t.typowner,
           coalesce(t.typacl, acldefault('T', t.typowner))
    FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.oid = ANY (%(types)s::oid[]) AND (c.relkind = 'c' OR t.typtype IN ('d', 'e', 'r'))
) x ORDER BY x.catalog DESC, x.oid, x."column"
"""

#: What an object that the schema's owner makes in it is born with, for each kind: by PostgreSQL, or by the owner's
#: default privileges in all schemas.
BORN_WITH = """
SELECT k.kind, json_build_array(CASE WHEN g.grantee = 0 THEN 'PUBLIC'
                                     ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
                                g.privilege_type, g.is_grantable)::text AS "grant"
FROM pg_roles o, unnest(ARRAY['n', 'r', 'S', 'f', 'T']) AS k (kind),
     aclexplode(coalesce((SELECT d.defaclacl FROM pg_default_acl d WHERE d.defaclrole = o.oid
                          AND d.defaclnamespace = 0 AND d.defaclobjtype::text = k.kind),
                         acldefault(replace(k.kind, 'S', 's')::"char", o.oid))) g
WHERE quote_ident(o.rolname) = %(owner)s
"""

#: Default privileges in the schema.
DEFAULTS = """
SELECT d.oid::int8 AS oid, quote_ident(pg_get_userbyid(d.defaclrole)) AS role,
       d.defaclobjtype::text AS kind,
       CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
       WHEN 'T' THEN 'TYPES' END AS objects,
       ARRAY(SELECT json_build_array(CASE WHEN g.grantee = 0 THEN 'PUBLIC'
                                          ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
                                     g.privilege_type, g.is_grantable)::text
             FROM aclexplode(d.defaclacl) g) AS grants
FROM pg_default_acl d WHERE d.defaclnamespace = %(oid)s ORDER BY 2, 3
"""
