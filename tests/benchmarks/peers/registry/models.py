"""The tenants of a peer and their domains, in the public schema, as its documentation says. In one module, of which
each peer imports what is its own: their classes are not there in the other's environment."""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("django_tenants"):
    from django_tenants.models import DomainMixin, TenantMixin

    class Tenant(TenantMixin):
        pass

    class Domain(DomainMixin):
        pass


if find_spec("django_pgschemas"):
    from django_pgschemas.models import TenantModel
    from django_pgschemas.routing.models import DomainModel

    class Tenant(TenantModel):  # type: ignore[no-redef]
        pass

    class Domain(DomainModel):  # type: ignore[no-redef]
        pass
