"""Models of every shape that a tenant model can have. Ordinary Django, as an adopter writes it."""

from __future__ import annotations

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models

from django_tenantkit.constraints import TenantUniqueConstraint
from django_tenantkit.models import TenantModel


class Region(models.Model):
    """Shared."""

    name = models.CharField(max_length=50)


class Plan(models.Model):
    """Shared, and refers to tenants' rows."""

    name = models.CharField(max_length=50)
    featured_tags = models.ManyToManyField("Tag", related_name="plans")


class CustomerQuerySet(models.QuerySet):
    def named(self, name):
        return self.filter(name=name)


class Customer(TenantModel):
    name = models.CharField(max_length=100)
    email = models.EmailField(blank=True)
    plan = models.ForeignKey(Plan, null=True, blank=True, on_delete=models.SET_NULL, related_name="customers")
    notes = GenericRelation("Note")

    objects = CustomerQuerySet.as_manager()

    class Meta:
        constraints = [
            TenantUniqueConstraint(fields=["email"], name="unique_email", condition=~models.Q(email="")),
        ]

    def __str__(self):
        return self.name


class Vip(Customer):
    """A child in multi-table inheritance."""

    discount = models.IntegerField(default=0)


class GoldCustomer(Customer):
    class Meta:
        proxy = True


class Profile(TenantModel):
    customer = models.OneToOneField(Customer, on_delete=models.CASCADE, related_name="profile")
    bio = models.CharField(max_length=100, blank=True)


class Tag(TenantModel):
    id = models.BigAutoField(primary_key=True)
    label = models.CharField(max_length=50)

    class Meta:
        constraints = [TenantUniqueConstraint(fields=["label"], name="unique_label")]


class ActiveManager(models.Manager):
    """A manager that an adopter wrote without thinking of tenants."""

    def get_queryset(self):
        return models.QuerySet(self.model, using=self._db).filter(active=True)


class Product(TenantModel):
    id = models.BigAutoField(primary_key=True)
    sku = models.CharField(max_length=20)
    active = models.BooleanField(default=True)
    regions = models.ManyToManyField(Region, related_name="products")

    objects = models.Manager()
    active_ones = ActiveManager()

    class Meta:
        constraints = [TenantUniqueConstraint(models.functions.Lower("sku"), name="unique_sku")]


class Invoice(TenantModel):
    customer = models.ForeignKey(Customer, on_delete=models.RESTRICT, related_name="invoices")
    number = models.CharField(max_length=20)
    amount = models.DecimalField(max_digits=10, decimal_places=2, default=0)
    tags = models.ManyToManyField(Tag, related_name="invoices", blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="invoices"
    )

    class Meta:
        constraints = [TenantUniqueConstraint(fields=["number"], name="unique_invoice_number")]
        ordering = ["number"]


class Line(TenantModel):
    id = models.BigAutoField(primary_key=True)
    invoice = models.ForeignKey(Invoice, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.RESTRICT, related_name="lines")
    quantity = models.IntegerField(default=1)


class Note(TenantModel):
    content_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)
    object_id = models.CharField(max_length=40)
    subject = GenericForeignKey()
    text = models.CharField(max_length=100)


class Category(TenantModel):
    """Refers to itself."""

    name = models.CharField(max_length=50)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="children")
    related = models.ManyToManyField("self", blank=True)
