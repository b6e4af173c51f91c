"""The look-ups that cross the line between tenants, each one function: which tenant a name leads to, which tenants
a user belongs to, and the state of the migrations in a tenant's home. Everything else that the application asks
stays inside its tenant."""

from __future__ import annotations

FIND_TENANT = """
CREATE OR REPLACE FUNCTION tenantkit.find_tenant(kind text, value text) RETURNS SETOF {tenant}
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
SELECT tenant.* FROM {tenant} AS tenant WHERE kind = 'slug' AND tenant.slug = value
UNION ALL
SELECT tenant.* FROM {tenant} AS tenant WHERE kind = 'uid' AND tenant.uid = (CASE kind WHEN 'uid' THEN value END)::uuid
UNION ALL
SELECT tenant.* FROM {tenant} AS tenant JOIN {domain} AS domain ON domain.tenant_id = tenant.{key}
WHERE kind = 'domain' AND domain.domain = value AND domain.verified_at IS NOT NULL
$$
"""

MY_TENANTS = """
CREATE OR REPLACE FUNCTION tenantkit.my_tenants(who {user_type}) RETURNS SETOF {tenant}
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
SELECT tenant.* FROM {tenant} AS tenant JOIN {membership} AS membership ON membership.tenant_id = tenant.{key}
WHERE membership.user_id = who ORDER BY tenant.slug
$$
"""

HOME_STATE = """
CREATE OR REPLACE FUNCTION tenantkit.home_state(who uuid) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS
$$
SELECT migrations FROM {place} WHERE uid = who
$$
"""
