"""Ten models of a shop, which know nothing of tenants: the same for all contenders."""

from __future__ import annotations

from django.db import models


class Category(models.Model):
    name = models.CharField(max_length=100, unique=True)
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True)


class Supplier(models.Model):
    name = models.CharField(max_length=100)
    email = models.EmailField(blank=True)


class Product(models.Model):
    sku = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=200)
    price = models.DecimalField(max_digits=10, decimal_places=2)
    category = models.ForeignKey(Category, on_delete=models.PROTECT)
    supplier = models.ForeignKey(Supplier, on_delete=models.SET_NULL, null=True)


class Stock(models.Model):
    product = models.OneToOneField(Product, on_delete=models.CASCADE)
    pieces = models.PositiveIntegerField(default=0)


class Customer(models.Model):
    name = models.CharField(max_length=200)
    email = models.EmailField(db_index=True)
    since = models.DateTimeField(auto_now_add=True)


class Address(models.Model):
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE)
    street = models.CharField(max_length=200)
    city = models.CharField(max_length=100)


class Order(models.Model):
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT)
    number = models.CharField(max_length=20, unique=True)
    placed_at = models.DateTimeField(auto_now_add=True, db_index=True)
    total = models.DecimalField(max_digits=10, decimal_places=2)


class Line(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE)
    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    pieces = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["order", "product"], name="shop_one_line_per_product")]


class Payment(models.Model):
    order = models.ForeignKey(Order, on_delete=models.PROTECT)
    amount = models.DecimalField(max_digits=10, decimal_places=2)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(amount__gt=0), name="shop_payment_of_something")]


class Visit(models.Model):
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE)
    page = models.CharField(max_length=200)
    at = models.DateTimeField(auto_now_add=True)
