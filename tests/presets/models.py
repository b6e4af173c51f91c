from django.db import models

from django_tenantkit.constraints import GlobalRows
from django_tenantkit.fields import TenantField
from django_tenantkit.models import TenantModel


class Rate(TenantModel):
    """A tax rate: some are everybody's, and tenants add their own."""

    tenant = TenantField(null=True)
    name = models.CharField(max_length=20)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="children")

    class Meta:
        constraints = [GlobalRows()]


class Sale(TenantModel):
    rate = models.ForeignKey(Rate, on_delete=models.CASCADE, related_name="sales")
    others = models.ManyToManyField(Rate, related_name="+")
