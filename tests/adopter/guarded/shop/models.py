from django.db import models

from django_tenantkit.models import TenantModel


class Invoice(TenantModel):
    number = models.CharField(max_length=20)
