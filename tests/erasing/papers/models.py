"""What is hard to erase: files, a circle of references that may not be empty, shared rows about tenants."""

from __future__ import annotations

from django.db import models

from django_tenantkit.models import TenantModel, TenantReference


class Folder(TenantModel):
    name = models.CharField(max_length=100)
    cover = models.ForeignKey("papers.Paper", on_delete=models.CASCADE, related_name="covers")


class Paper(TenantModel):
    folder = models.ForeignKey(Folder, on_delete=models.CASCADE, related_name="papers")
    text = models.TextField(blank=True)
    data = models.JSONField(default=dict)
    file = models.FileField(upload_to="papers", blank=True)


class Receipt(TenantModel):
    """What the law keeps."""

    text = models.CharField(max_length=100)


class Account(models.Model):
    """Shared, about a tenant."""

    tenant = TenantReference(on_delete=models.CASCADE, related_name="accounts")
    holder = models.CharField(max_length=100)
    contract = models.FileField(upload_to="contracts", blank=True)


class Charge(models.Model):
    """Shared, about a shared row that is about a tenant."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE)
    text = models.CharField(max_length=100)
