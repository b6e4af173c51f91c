"""Tenants for tests."""

from __future__ import annotations

from typing import Any

from ..conf import conf
from ..context import unscoped
from ..exceptions import TenantkitError
from ..lifecycle.places import take_place
from ..models import AbstractTenant, TenantIsolation, get_tenant_model


def make_tenant(slug: str = "acme", **fields: Any) -> AbstractTenant:
    """An active tenant in the database, made without the steps of provisioning. `fields` are further
    values of the tenant model; the name is the slug with a capital letter. The isolation is the first of
    TENANTKIT_ISOLATIONS; with `"schema"` or `"database"` the tenant takes a place that is ready, that of `uid` if it is
    given (`flush` makes those of earlier tests so), and raises `TenantkitError` where none is."""
    isolation, server = fields.setdefault("isolation", conf.ISOLATIONS[0]), fields.get("database", "")
    with unscoped(reason=f"tenant {slug} for tests"):
        if isolation != TenantIsolation.ROW:
            if (uid := take_place(isolation, server, fields.get("uid"))) is None:
                raise TenantkitError(f"No place is ready for a {isolation} tenant. Make some before the tests begin.")
            fields["uid"] = uid
        return get_tenant_model()._default_manager.create(slug=slug, **{"name": slug.capitalize(), **fields})
