"""What is sold to whom. Ordinary Django: nothing here says which tenant."""

from django.db import models
from django.db.models import F, Sum
from django.utils import timezone

from django_tenantkit.constraints import TenantUniqueConstraint
from django_tenantkit.models import TenantModel

AMOUNT = models.DecimalField(max_digits=12, decimal_places=2)


class Customer(TenantModel):
    """Who buys."""

    name = models.CharField(max_length=200)
    email = models.EmailField()
    city = models.CharField(max_length=100, blank=True)
    country = models.CharField(max_length=100, blank=True)
    since = models.DateField(default=timezone.localdate)

    class Meta:
        ordering = ("name",)
        constraints = (TenantUniqueConstraint(fields=["email"], name="unique_customer_email"),)

    def __str__(self) -> str:
        return self.name


class Product(TenantModel):
    """What can be bought."""

    sku = models.CharField("SKU", max_length=20)
    name = models.CharField(max_length=200)
    description = models.CharField(max_length=300, blank=True)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    stock = models.PositiveIntegerField(default=0)
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ("sku",)
        constraints = (TenantUniqueConstraint(fields=["sku"], name="unique_product_sku"),)

    def __str__(self) -> str:
        return self.name


class OrderQuerySet(models.QuerySet["Order"]):
    """Questions about orders."""

    def with_total(self) -> "OrderQuerySet":
        """Each order with its `total`."""
        return self.annotate(total=Sum(F("lines__quantity") * F("lines__unit_price"), output_field=AMOUNT))

    def sold(self) -> "OrderQuerySet":
        """Those that are neither open nor cancelled."""
        return self.filter(status__in=[Order.Status.PAID, Order.Status.SHIPPED])


class Order(TenantModel):
    """A customer's order, with its lines."""

    class Status(models.TextChoices):
        OPEN = "open"
        PAID = "paid"
        SHIPPED = "shipped"
        CANCELLED = "cancelled"

    number = models.CharField(max_length=20)
    customer = models.ForeignKey(Customer, on_delete=models.RESTRICT, related_name="orders")
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    ordered_at = models.DateTimeField(default=timezone.now)

    objects = OrderQuerySet.as_manager()

    class Meta:
        ordering = ("-ordered_at",)
        constraints = (TenantUniqueConstraint(fields=["number"], name="unique_order_number"),)
        indexes = (models.Index(fields=["tenant", "-ordered_at"], name="order_by_date"),)

    def __str__(self) -> str:
        return self.number


class OrderLine(TenantModel):
    """So many of a product, at the price of that day."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.RESTRICT, related_name="lines")
    quantity = models.PositiveIntegerField(default=1)
    unit_price = models.DecimalField(max_digits=10, decimal_places=2)

    class Meta:
        ordering = ("product__sku",)
        constraints = (TenantUniqueConstraint(fields=["order", "product"], name="unique_product_in_order"),)

    def __str__(self) -> str:
        return f"{self.quantity} x {self.product}"
