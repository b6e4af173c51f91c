"""An app whose migrations a test writes: these are its models at first."""

from django.db import models

from django_tenantkit.models import TenantModel


class Group(TenantModel):
    name = models.CharField(max_length=50)


class Thing(TenantModel):
    name = models.CharField(max_length=50)
    group = models.ForeignKey(Group, models.RESTRICT, null=True)


class Kind(models.Model):
    """Shared by all tenants."""

    name = models.CharField(max_length=50)
