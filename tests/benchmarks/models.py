"""Twins: four tenant models, and the same four tables as plain Django with a foreign key to the tenant."""

from __future__ import annotations

from django.db import models

from django_tenantkit.models import TenantModel, uuid7


class PlainModel(models.Model):
    """What `TenantModel` declares, by hand."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    tenant = models.ForeignKey("django_tenantkit.Tenant", on_delete=models.DO_NOTHING, related_name="+")

    class Meta:
        abstract = True


class CustomerColumns(models.Model):
    name = models.CharField(max_length=100)
    email = models.EmailField(blank=True)
    city = models.CharField(max_length=50, blank=True)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class InvoiceColumns(models.Model):
    number = models.CharField(max_length=20)
    amount = models.DecimalField(max_digits=10, decimal_places=2, default=0)
    due = models.DateField(null=True)

    class Meta:
        abstract = True


class LineColumns(models.Model):
    text = models.CharField(max_length=50)
    quantity = models.IntegerField(default=1)

    class Meta:
        abstract = True


class EntryColumns(models.Model):
    amount = models.DecimalField(max_digits=10, decimal_places=2)

    class Meta:
        abstract = True


class Customer(CustomerColumns, TenantModel):
    pass


class Invoice(InvoiceColumns, TenantModel):
    customer = models.ForeignKey(Customer, on_delete=models.RESTRICT, related_name="+")


class Line(LineColumns, TenantModel):
    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="+")


class Entry(EntryColumns, TenantModel):
    """Of a large table."""


class PlainCustomer(CustomerColumns, PlainModel):
    pass


class PlainInvoice(InvoiceColumns, PlainModel):
    customer = models.ForeignKey(PlainCustomer, on_delete=models.RESTRICT, related_name="+")


class PlainLine(LineColumns, PlainModel):
    invoice = models.ForeignKey(PlainInvoice, on_delete=models.CASCADE, related_name="+")


class PlainEntry(EntryColumns, PlainModel):
    pass
