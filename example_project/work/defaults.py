"""What a new tenant starts with. Called while it is provisioned, inside it: see TENANTKIT_DEFAULT_DATA."""

from django_tenantkit.models import AbstractTenant

from .models import Label

LABELS = ("customer", "legal", "purchasing", "urgent", "website")


def add_labels(tenant: AbstractTenant) -> None:
    """The labels that everybody needs. May run again."""
    for name in LABELS:
        Label.objects.get_or_create(name=name)
