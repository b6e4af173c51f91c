"""Tenants for tests."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from ..conf import conf
from ..context import unscoped
from ..exceptions import TenantkitError
from ..lifecycle.places import take_place
from ..models import AbstractTenant, Place, PlaceState, TenantIsolation, get_tenant_model


def make_tenant(slug: str = "acme", **fields: Any) -> AbstractTenant:
    """An active tenant in the database, made without the steps of provisioning. `fields` are further
    values of the tenant model; the name is the slug with a capital letter. The isolation is the first of
    TENANTKIT_ISOLATIONS; with `"schema"` or `"database"` the tenant takes a place that is ready, or that of a tenant
    which an earlier test left and `flush` removed; raises `TenantkitError` where none is."""
    isolation, server = fields.setdefault("isolation", conf.ISOLATIONS[0]), fields.get("database", "")
    with unscoped(reason=f"tenant {slug} for tests"), transaction.atomic():
        if isolation != TenantIsolation.ROW:
            uid = take_place(isolation, server) or _left_behind(isolation, server)
            if uid is None:
                raise TenantkitError(f"No place is ready for a {isolation} tenant. Make some before the tests begin.")
            fields["uid"] = uid
        return get_tenant_model()._default_manager.create(slug=slug, **{"name": slug.capitalize(), **fields})


def _left_behind(isolation: str, server: str) -> Any:
    """The uid of a place whose tenant is no more. `flush` emptied it; outside of tests none is used twice."""
    tenants = get_tenant_model()._default_manager.values("uid")
    places = Place.objects.filter(isolation=isolation, database=server, state=PlaceState.TAKEN)
    return places.exclude(pk__in=tenants).values_list("pk", flat=True).first()
