from django.db import models

from django_tenantkit.constraints import TenantUniqueConstraint
from django_tenantkit.models import AbstractDomain, AbstractTenant, TenantModel, uuid7


class Company(AbstractTenant):
    uid = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    vat_number = models.CharField(max_length=20)


class CompanyDomain(AbstractDomain):
    pass


class Label(TenantModel):
    name = models.CharField(max_length=20)


class Item(TenantModel):
    code = models.CharField(max_length=20)
    labels = models.ManyToManyField(Label)

    class Meta:
        constraints = [TenantUniqueConstraint(fields=["code"], name="unique_code", opclasses=["varchar_pattern_ops"])]


class SpecialItem(Item):
    extra = models.CharField(max_length=20)
