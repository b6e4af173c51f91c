"""The SQL functions in the schema `tenantkit`: for policies and triggers, ours and an adopter's.

`tenantkit.current_tenant()`, `tenantkit.current_user_id()` and `tenantkit.has_role('owner', 'admin')` say who
acts, as the session protocol told; with no tenant and nobody the first two are NULL and the last is false.
"""

from __future__ import annotations

from . import fence, noting
from .roles import Roles
from .session import HOME, ROLES, SIGNATURE, TENANT, USER

SCHEMA = "CREATE SCHEMA IF NOT EXISTS tenantkit"

CURRENT_TENANT = f"""
CREATE OR REPLACE FUNCTION tenantkit.current_tenant() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT nullif(pg_catalog.current_setting('{TENANT}', true), '') $$
"""

CURRENT_USER = f"""
CREATE OR REPLACE FUNCTION tenantkit.current_user_id() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT nullif(pg_catalog.current_setting('{USER}', true), '') $$
"""

HAS_ROLE = f"""
CREATE OR REPLACE FUNCTION tenantkit.has_role(VARIADIC wanted text[]) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT coalesce(pg_catalog.string_to_array(
    pg_catalog.current_setting('{ROLES}', true), ',') OPERATOR(pg_catalog.&&) wanted, false) $$
"""

#: No row's tenant ever changes, by operators and migrations either: see `sql/policies.py`.
REFUSE_TENANT_CHANGE = """
CREATE OR REPLACE FUNCTION tenantkit.refuse_tenant_change() RETURNS trigger
LANGUAGE plpgsql AS
$$
BEGIN
    RAISE EXCEPTION 'The tenant of a row of % never changes.', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation', HINT = 'Make a new row in the other tenant.';
END
$$
"""

#: A reference from or to rows that all tenants share, see `keys.py`: the row as it is when the trigger fires refers
#: to a shared one or to its own tenant's. As the owner, since a policy could hide the other row.
CHECK_REFERENCE = """
CREATE OR REPLACE FUNCTION tenantkit.check_reference() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS
$$
DECLARE
    target regclass;
    target_key name;
    crosses boolean;
BEGIN
    SELECT reference.confrelid, other.attname INTO target, target_key
    FROM pg_constraint AS reference
    JOIN pg_attribute AS own ON own.attrelid = reference.conrelid AND own.attname = TG_ARGV[0]
    JOIN pg_attribute AS other ON other.attrelid = reference.confrelid AND other.attnum = reference.confkey[1]
    WHERE reference.conrelid = TG_RELID AND reference.contype = 'f' AND reference.conkey = ARRAY[own.attnum];
    EXECUTE format(
        'SELECT EXISTS (SELECT FROM %1$s AS own JOIN %2$s AS other ON other.%3$I = own.%4$I '
        'WHERE own.%5$I = ($1).%5$I AND other.%6$I IS NOT NULL AND other.%6$I IS DISTINCT FROM own.%7$I)',
        TG_RELID::regclass, target, target_key, TG_ARGV[0], TG_ARGV[1], TG_ARGV[3], TG_ARGV[2]
    ) INTO crosses USING NEW;
    IF crosses THEN
        RAISE EXCEPTION 'A row of % refers to a row of another tenant.', TG_TABLE_NAME
            USING ERRCODE = 'foreign_key_violation', COLUMN = TG_ARGV[0], TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END
$$
"""

#: Keys that were given by hand move a sequence on, never back: the caller may see one tenant's rows only.
ADVANCE_SEQUENCE = """
CREATE OR REPLACE FUNCTION tenantkit.advance_sequence(sequence text, reached bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS
$$
DECLARE
    relation regclass := sequence::regclass;
    last bigint;
    called boolean;
BEGIN
    EXECUTE format('SELECT last_value, is_called FROM %s', relation) INTO last, called;
    IF reached > last OR (reached = last AND NOT called) THEN
        PERFORM setval(relation, reached);
        RETURN reached;
    END IF;
    RETURN last;
END
$$
"""

#: What digests are made with (RFC 2104): the key, filled up to a block and mixed with the two pads. Only the
#: owner can read it.
SIGNING_KEYS = """
CREATE TABLE IF NOT EXISTS tenantkit.signing_keys (
    inner_key bytea PRIMARY KEY,
    outer_key bytea NOT NULL,
    added_at timestamptz NOT NULL DEFAULT now()
)
"""

#: HMAC-SHA256 of the context, as `sql/signature.py` makes it; several keys count while they are changed.
CONTEXT_IS_SIGNED = f"""
CREATE OR REPLACE FUNCTION tenantkit.context_is_signed() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
SELECT EXISTS (
    SELECT FROM tenantkit.signing_keys
    WHERE encode(sha256(outer_key || sha256(inner_key || convert_to((
        SELECT string_agg(format('%s=%s:%s', name, length(value), value), E'\\n' ORDER BY place)
        FROM (
            SELECT name, place, coalesce(current_setting(name, true), '') AS value
            FROM unnest(ARRAY['{TENANT}', '{USER}', '{ROLES}', 'role', '{HOME}'])
                WITH ORDINALITY AS setting(name, place)
        ) AS context
    ), 'UTF8'))), 'hex') = current_setting('{SIGNATURE}', true)
)
$$
"""

FUNCTIONS = (
    CURRENT_TENANT,
    CURRENT_USER,
    HAS_ROLE,
    REFUSE_TENANT_CHANGE,
    CHECK_REFERENCE,
    ADVANCE_SEQUENCE,
    CONTEXT_IS_SIGNED,
    *fence.FUNCTIONS,
    *noting.FUNCTIONS,
)

#: All of it, in order.
STATEMENTS = (SCHEMA, SIGNING_KEYS, noting.TABLE, *FUNCTIONS)


def privileges(roles: Roles, quote: str = '"') -> list[str]:
    """Who may call the functions: the application and the operator, and nobody else; fences are the operator's."""
    application, operator = (
        quote + name.replace(quote, quote * 2) + quote for name in (roles.application, roles.operator)
    )
    names = f"{application}, {operator}"
    return [
        "REVOKE ALL ON SCHEMA tenantkit FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA tenantkit TO {names}",
        f"REVOKE ALL ON tenantkit.signing_keys FROM PUBLIC, {names}",
        *fence.privileges(operator),
        *noting.privileges(names, operator),
    ]
