-- The roles of a database of django_tenantkit: what they are for stands in docs/howto/roles.md.
--
-- Looks at the database that it runs in, returns the statements that are missing, in order, and with `really`
-- runs each. Run again it returns nothing. It lives in pg_temp: nothing of it stays. PostgreSQL 15 and newer.
-- Logins that the settings do not name are ''. With `owners_part_only` it leaves out what the owner cannot do by
-- itself. With `for_superuser` it returns what a superuser would run, whoever asks.
CREATE OR REPLACE FUNCTION pg_temp.tenantkit_set_up_roles(
    owner_role text,
    application_role text,
    operator_role text,
    system_role text,
    web_login text,
    system_login text,
    operator_login text,
    web_may_operate boolean,
    may_create_databases boolean,
    former_owners text[],
    owners_part_only boolean,
    for_superuser boolean,
    really boolean
) RETURNS SETOF text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    -- Since 16 a membership says by itself whether it is inherited and whether SET ROLE may use it.
    memberships_have_options constant boolean := current_setting('server_version_num')::int >= 160000;
    role_before constant text := current_setting('role');
    runner constant text := CASE WHEN for_superuser THEN '' ELSE current_user END;
    runner_may_bypass boolean := true;
    runner_makes_roles boolean := true;
    step record;
BEGIN
    IF NOT for_superuser THEN
        SELECT rolsuper OR rolbypassrls AND memberships_have_options, rolcreaterole AND NOT rolsuper
            INTO runner_may_bypass, runner_makes_roles
            FROM pg_roles WHERE rolname = runner;
    END IF;
    IF really THEN
        PERFORM pg_advisory_xact_lock(hashtext('tenantkit.roles'));
    END IF;
    FOR step IN
        WITH
        named(name, attributes, rank) AS (
            VALUES
                (owner_role, 'NOLOGIN' || CASE WHEN runner_may_bypass THEN ' BYPASSRLS' ELSE '' END
                    || CASE WHEN may_create_databases THEN ' CREATEDB' ELSE '' END, 1),
                (application_role, 'LOGIN NOINHERIT', 2),
                (operator_role, 'NOLOGIN NOINHERIT', 3),
                (system_role, 'LOGIN' || CASE WHEN may_create_databases THEN ' CREATEDB' ELSE '' END, 4),
                (web_login, 'LOGIN NOINHERIT', 5),
                (system_login, 'LOGIN', 6),
                (operator_login, 'LOGIN NOINHERIT', 7)
        ),
        missing_roles AS (
            SELECT DISTINCT ON (name) name, attributes, rank
            FROM named
            WHERE name <> '' AND NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
            ORDER BY name, rank
        ),
        wrong_attributes AS (
            SELECT rolname, concat_ws(' ',
                CASE WHEN rolsuper THEN 'NOSUPERUSER' END,
                CASE WHEN rolcreaterole THEN 'NOCREATEROLE' END,
                CASE WHEN rolreplication THEN 'NOREPLICATION' END,
                CASE WHEN rolcanlogin AND rolname IN (owner_role, operator_role) THEN 'NOLOGIN' END,
                CASE WHEN rolinherit AND rolname = application_role THEN 'NOINHERIT' END,
                CASE WHEN rolbypassrls AND rolname <> owner_role THEN 'NOBYPASSRLS' END,
                CASE WHEN NOT rolbypassrls AND rolname = owner_role AND runner_may_bypass AND NOT for_superuser
                    THEN 'BYPASSRLS' END,
                CASE WHEN rolcreatedb AND rolname IN (application_role, operator_role) THEN 'NOCREATEDB' END,
                CASE WHEN NOT rolcreatedb AND rolname IN (owner_role, system_role) AND may_create_databases
                    THEN 'CREATEDB' END
            ) AS attributes
            FROM pg_roles
            WHERE rolname IN (owner_role, application_role, operator_role, system_role)
        ),
        members AS (
            SELECT role.rolname AS role, member.rolname AS member, grantor.rolname AS grantor,
                coalesce((to_jsonb(entry) ->> 'set_option')::boolean, true) AS may_set,
                coalesce((to_jsonb(entry) ->> 'inherit_option')::boolean, true) AS inherits
            FROM pg_auth_members AS entry
            JOIN pg_roles AS role ON role.oid = entry.roleid
            JOIN pg_roles AS member ON member.oid = entry.member
            LEFT JOIN pg_roles AS grantor ON grantor.oid = entry.grantor
        ),
        wanted_members(role, member, inherits) AS (
            VALUES
                (owner_role, system_role, true),
                (owner_role, system_login, true),
                (application_role, web_login, false),
                (operator_role, CASE WHEN web_may_operate THEN web_login ELSE '' END, false),
                (operator_role, CASE WHEN web_may_operate THEN application_role ELSE '' END, false),
                (operator_role, operator_login, false),
                -- Who operates also works inside tenants, in the same transaction.
                (application_role, operator_login, false),
                (operator_role, system_role, false),
                (operator_role, system_login, false),
                (application_role, system_role, false),
                (application_role, system_login, false)
        ),
        missing_members AS (
            SELECT DISTINCT role, member, inherits
            FROM wanted_members AS wanted
            WHERE member <> '' AND member <> role
                AND NOT EXISTS (SELECT FROM pg_roles WHERE rolname = member AND rolsuper)
                AND NOT EXISTS (
                    SELECT FROM members AS found
                    WHERE found.role = wanted.role AND found.member = wanted.member
                        AND found.may_set AND found.inherits >= wanted.inherits
                )
        ),
        unwanted_members AS (
            SELECT role, member, grantor
            FROM members AS found
            WHERE role IN (owner_role, operator_role, system_role, system_login)
                AND member IN (application_role, operator_role, web_login, operator_login)
                AND member <> runner
                AND NOT EXISTS (
                    SELECT FROM wanted_members AS wanted
                    WHERE wanted.role = found.role AND wanted.member = found.member
                )
        ),
        this_database AS (SELECT * FROM pg_database WHERE datname = current_database()),
        database_grants AS (
            SELECT grant_.grantee, coalesce(role.rolname, '') AS name, privilege_type AS privilege
            FROM this_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) AS grant_
            LEFT JOIN pg_roles AS role ON role.oid = grant_.grantee
            WHERE grant_.grantee <> datdba
        ),
        -- What belongs to the application's logins will belong to the owner.
        giving(oid) AS (
            SELECT oid FROM pg_roles
            WHERE rolname <> owner_role AND (
                rolname IN (application_role, operator_role, system_role, web_login, system_login, operator_login)
                OR rolname = ANY (former_owners)
            )
        ),
        owning(oid) AS (SELECT oid FROM pg_roles WHERE rolname = owner_role),
        extension_members AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
        schemas AS (
            SELECT oid, nspname AS name, nspowner AS owner, quote_ident(nspname) AS quoted,
                nspowner IN (TABLE giving) OR nspname = 'tenantkit' AND nspowner NOT IN (TABLE owning) AS moves,
                coalesce(nspacl, acldefault('n', nspowner)) AS acl
            FROM pg_namespace
            WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
                AND ('pg_namespace'::regclass, oid) NOT IN (TABLE extension_members)
        ),
        schema_grants AS (
            SELECT schemas.oid, schemas.name AS schema, coalesce(role.rolname, '') AS name,
                privilege_type AS privilege
            FROM schemas, aclexplode(acl) AS grant_
            LEFT JOIN pg_roles AS role ON role.oid = grant_.grantee
            WHERE grant_.grantee <> schemas.owner OR grant_.grantee IN (TABLE owning)
        ),
        relations AS (
            SELECT class.oid, schemas.name AS schema, relname AS name, relkind AS kind, relispartition AS is_partition,
                class.reloptions, relowner AS owner, relowner IN (TABLE giving) AS moves,
                format('%I.%I', schemas.name, relname) AS quoted,
                coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)) AS acl,
                relkind = 'S' AND EXISTS (
                    SELECT FROM pg_depend
                    WHERE classid = 'pg_class'::regclass AND objid = class.oid AND deptype IN ('a', 'i')
                        AND refclassid = 'pg_class'::regclass AND refobjsubid > 0
                ) AS follows_its_table
            FROM pg_class AS class JOIN schemas ON schemas.oid = relnamespace
            WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
                AND (relowner IN (TABLE giving) OR relowner IN (TABLE owning))
                AND ('pg_class'::regclass, class.oid) NOT IN (TABLE extension_members)
        ),
        relation_grants AS (
            SELECT relations.oid, kind, quoted, coalesce(role.rolname, '') AS name, privilege_type AS privilege
            FROM relations, aclexplode(acl) AS grant_
            LEFT JOIN pg_roles AS role ON role.oid = grant_.grantee
            WHERE grant_.grantee <> relations.owner
        ),
        -- Two roles that may do the same with the owner's tables and sequences, and what neither may.
        users(name) AS (VALUES (application_role), (operator_role)),
        restricted(name) AS (
            -- The name of PUBLIC is the empty one.
            SELECT unnest(ARRAY['', application_role, operator_role, web_login, operator_login])
            EXCEPT SELECT unnest(ARRAY[owner_role, system_role, nullif(system_login, '')])
        ),
        allowed(kind, privilege) AS (
            VALUES ('r', 'SELECT'), ('r', 'INSERT'), ('r', 'UPDATE'), ('r', 'DELETE'), ('S', 'USAGE'), ('S', 'SELECT')
        ),
        -- For each relation and role once: looked up grant by grant, a thousand schemas would take hours.
        granted AS (
            SELECT oid, name, array_agg(privilege) AS privileges FROM relation_grants GROUP BY oid, name
        ),
        ungranted AS (
            SELECT users.name AS role, relations.schema, relations.kind = 'S' AS is_sequence, relations.quoted
            FROM relations CROSS JOIN users
            LEFT JOIN granted ON granted.oid = relations.oid AND granted.name = users.name
            -- A partition is reached by its table, and by itself would be out of reach of its table's policies;
            -- so is what a materialized view has copied.
            WHERE NOT is_partition AND kind <> 'm' AND schema <> 'tenantkit'
                AND (moves OR NOT coalesce(granted.privileges, '{}') @> (
                    SELECT array_agg(privilege) FROM allowed
                    WHERE allowed.kind = CASE relations.kind WHEN 'S' THEN 'S' ELSE 'r' END
                ))
        ),
        overgranted AS (
            SELECT found.name, kind = 'S' AS is_sequence, privilege, quoted
            FROM relation_grants AS found
            WHERE found.name IN (TABLE restricted)
                AND (CASE kind WHEN 'S' THEN 'S' ELSE 'r' END, privilege) NOT IN (TABLE allowed)
        ),
        defaults AS (
            SELECT defaclobjtype AS kind, role.rolname AS name, privilege_type AS privilege
            FROM pg_default_acl, aclexplode(defaclacl) AS grant_
            JOIN pg_roles AS role ON role.oid = grant_.grantee
            WHERE defaclrole IN (TABLE owning) AND defaclnamespace = 0
        ),
        steps(phase, as_owner, statement) AS (
            SELECT 10 + rank, false, format('CREATE ROLE %I %s', name, attributes) FROM missing_roles
            UNION ALL
            SELECT 20, false, format('ALTER ROLE %I %s', rolname, attributes) FROM wrong_attributes
            WHERE attributes <> ''
            UNION ALL
            SELECT 30, false, format('GRANT %I TO %I', role, member)
                || CASE WHEN memberships_have_options THEN format(' WITH INHERIT %s, SET true', inherits::text) ELSE '' END
            FROM missing_members
            UNION ALL
            -- First, as no role can be a member of its own member.
            SELECT 29, false, format('REVOKE %I FROM %I', role, member)
                || CASE WHEN memberships_have_options THEN format(' GRANTED BY %I', grantor) ELSE '' END
            FROM unwanted_members
            UNION ALL
            SELECT 40, false, format('GRANT CREATE ON DATABASE %I TO %I', datname, owner_role) FROM this_database
            WHERE datdba NOT IN (TABLE owning)
                AND (owner_role, 'CREATE') NOT IN (SELECT name, privilege FROM database_grants)
            UNION ALL
            SELECT 41, false, format('GRANT CONNECT ON DATABASE %I TO %I', datname, logins.name)
            FROM this_database, (
                SELECT unnest(ARRAY[application_role, system_role, web_login, system_login, operator_login])
                EXCEPT SELECT ''
            ) AS logins(name)
            WHERE ('', 'CONNECT') NOT IN (SELECT name, privilege FROM database_grants)
                AND (logins.name, 'CONNECT') NOT IN (SELECT name, privilege FROM database_grants)
                AND datdba NOT IN (SELECT oid FROM pg_roles WHERE rolname = logins.name)
            UNION ALL
            SELECT 42, false, format('REVOKE CREATE ON DATABASE %I FROM %s', datname,
                CASE name WHEN '' THEN 'PUBLIC' ELSE quote_ident(name) END)
            FROM this_database, database_grants
            WHERE privilege = 'CREATE' AND name IN (TABLE restricted) AND name <> runner
            UNION ALL
            -- Said also where the owner may do it as the owner of the database: copies of it belong to others.
            SELECT 43, datdba IN (TABLE owning) AND schemas.owner = 'pg_database_owner'::regrole,
                format('GRANT CREATE, USAGE ON SCHEMA public TO %I', owner_role)
            FROM schemas, this_database
            WHERE name = 'public' AND owner NOT IN (TABLE owning) AND NOT EXISTS (
                SELECT FROM schema_grants WHERE schema = 'public' AND schema_grants.name = owner_role
                AND privilege = 'CREATE'
            )
            UNION ALL
            SELECT 44, false, format('GRANT USAGE ON SCHEMA public TO %I', users.name)
            FROM schemas, users WHERE schemas.name = 'public' AND NOT moves AND NOT owner IN (TABLE owning)
                AND NOT EXISTS (
                    SELECT FROM schema_grants WHERE schema = 'public' AND privilege = 'USAGE'
                    AND schema_grants.name IN ('', users.name)
                )
            UNION ALL
            SELECT 45, false, format('REVOKE CREATE ON SCHEMA %I FROM %s', schema,
                CASE name WHEN '' THEN 'PUBLIC' ELSE quote_ident(name) END)
            FROM schema_grants
            WHERE privilege = 'CREATE' AND name IN (TABLE restricted)
                AND (schema = 'public' OR schema IN (SELECT schemas.name FROM schemas WHERE owner IN (TABLE owning)))
            UNION ALL
            SELECT 49, false, format('ALTER DATABASE %I OWNER TO %I', datname, owner_role) FROM this_database
            WHERE datdba IN (TABLE giving) AND pg_get_userbyid(datdba) NOT IN (runner, system_role, system_login)
            UNION ALL
            SELECT 50, false, format('ALTER SCHEMA %I OWNER TO %I', name, owner_role) FROM schemas WHERE moves
            UNION ALL
            SELECT 51, false, format('ALTER %s %s OWNER TO %I', CASE kind
                WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE'
                WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, quoted, owner_role)
            FROM relations WHERE moves AND NOT follows_its_table
            UNION ALL
            SELECT 52, false, format('ALTER TYPE %I.%I OWNER TO %I', schemas.name, typname, owner_role)
            FROM pg_type JOIN schemas ON schemas.oid = typnamespace
            WHERE typowner IN (TABLE giving) AND ('pg_type'::regclass, pg_type.oid) NOT IN (TABLE extension_members)
                AND (typtype IN ('d', 'e', 'r') OR typrelid IN (SELECT oid FROM pg_class WHERE relkind = 'c'))
            UNION ALL
            -- A function that runs as its owner would run as one whom no policy binds.
            SELECT 53, false, format('ALTER ROUTINE %I.%I(%s) OWNER TO %I', schemas.name, proname,
                pg_get_function_identity_arguments(pg_proc.oid), owner_role)
            FROM pg_proc JOIN schemas ON schemas.oid = pronamespace
            WHERE proowner IN (TABLE giving) AND NOT prosecdef
                AND ('pg_proc'::regclass, pg_proc.oid) NOT IN (TABLE extension_members)
            UNION ALL
            SELECT 60, true, format('CREATE SCHEMA tenantkit AUTHORIZATION %I', owner_role)
            WHERE NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'tenantkit')
            UNION ALL
            SELECT 61, true, format('GRANT USAGE ON SCHEMA %I TO %s', of_owner.name,
                string_agg(quote_ident(users.name), ', ' ORDER BY users.name = operator_role))
            FROM users, (
                SELECT name FROM schemas WHERE moves OR owner IN (TABLE owning)
                UNION SELECT 'tenantkit'
            ) AS of_owner
            WHERE NOT EXISTS (
                SELECT FROM schema_grants JOIN schemas USING (oid)
                WHERE schema_grants.schema = of_owner.name AND schema_grants.name = users.name
                    AND privilege = 'USAGE' AND NOT moves
            )
            GROUP BY of_owner.name
            UNION ALL
            -- A view that reads as its owner would show the rows of all tenants.
            SELECT 62, true, format('ALTER VIEW %s SET (security_invoker = true)', quoted)
            FROM relations
            WHERE kind = 'v' AND NOT EXISTS (
                SELECT FROM pg_options_to_table(reloptions) WHERE option_name = 'security_invoker'
            )
            UNION ALL
            SELECT 63, true, format('REVOKE %s ON %s %s FROM %s', privileges,
                CASE WHEN is_sequence THEN 'SEQUENCE' ELSE 'TABLE' END, string_agg(quoted, ', ' ORDER BY quoted),
                CASE name WHEN '' THEN 'PUBLIC' ELSE quote_ident(name) END)
            FROM (
                SELECT name, is_sequence, quoted, string_agg(privilege, ', ' ORDER BY privilege) AS privileges
                FROM overgranted GROUP BY name, is_sequence, quoted
            ) AS of_relation
            GROUP BY name, is_sequence, privileges
            UNION ALL
            SELECT 64, true, format('GRANT %s %s TO %s',
                CASE WHEN is_sequence THEN 'USAGE, SELECT ON SEQUENCE' ELSE 'SELECT, INSERT, UPDATE, DELETE ON TABLE' END,
                string_agg(quoted, ', ' ORDER BY quoted), roles)
            FROM (
                SELECT schema, is_sequence, quoted,
                    string_agg(quote_ident(role), ', ' ORDER BY role = operator_role) AS roles
                FROM ungranted GROUP BY schema, is_sequence, quoted
            ) AS of_relation
            GROUP BY schema, is_sequence, roles
            UNION ALL
            SELECT 65, true, format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT %s TO %s', owner_role,
                CASE wanted.kind WHEN 'S' THEN 'USAGE, SELECT ON SEQUENCES'
                    ELSE 'SELECT, INSERT, UPDATE, DELETE ON TABLES' END,
                string_agg(quote_ident(users.name), ', ' ORDER BY users.name = operator_role))
            FROM users, (VALUES ('r'), ('S')) AS wanted(kind)
            WHERE EXISTS (
                SELECT FROM allowed WHERE allowed.kind = wanted.kind
                    AND (wanted.kind, users.name, privilege) NOT IN (SELECT defaults.kind, name, defaults.privilege FROM defaults)
            )
            GROUP BY wanted.kind
        ),
        -- Whoever may make roles, and is no superuser, has to be a member of the owner's to act as the owner.
        runner_joins(does) AS (
            SELECT runner_makes_roles AND runner NOT IN (owner_role, '') AND EXISTS (SELECT FROM steps WHERE phase >= 50)
                AND NOT EXISTS (
                    SELECT FROM members WHERE role = owner_role AND member = runner AND may_set AND inherits
                )
        )
        SELECT as_owner, statement FROM (
            TABLE steps
            UNION ALL
            SELECT 32, false, format('GRANT %I TO %I', owner_role, runner)
                || CASE WHEN memberships_have_options THEN ' WITH INHERIT true, SET true' ELSE '' END
            FROM runner_joins
            WHERE does AND (owner_role, runner) NOT IN (SELECT role, member FROM missing_members)
            UNION ALL
            SELECT 90, false, format('REVOKE %I FROM %I', owner_role, runner) FROM runner_joins
            WHERE does AND (owner_role, runner) NOT IN (SELECT role, member FROM missing_members)
        ) AS all_steps
        WHERE as_owner OR NOT owners_part_only
        ORDER BY phase, statement
    LOOP
        IF really THEN
            PERFORM set_config('role', CASE WHEN step.as_owner THEN owner_role ELSE role_before END, true);
            EXECUTE step.statement;
        END IF;
        RETURN NEXT step.statement;
    END LOOP;
    IF really THEN
        PERFORM set_config('role', role_before, true);
    END IF;
END
$function$;
