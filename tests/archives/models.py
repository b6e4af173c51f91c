"""A model with columns of every type that JSON might lose something of. Not in INSTALLED_APPS: see `test_values.py`."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField, DateTimeRangeField
from django.db import models

from django_tenantkit.models import TenantModel


class Oddity(TenantModel):
    text = models.TextField(default="")
    big = models.BigIntegerField(null=True)
    exact = models.DecimalField(max_digits=40, decimal_places=15, null=True)
    real = models.FloatField(null=True)
    data = models.BinaryField(null=True)
    json = models.JSONField(null=True)
    at = models.DateTimeField(null=True)
    day = models.DateField(null=True)
    time = models.TimeField(null=True)
    span = models.DurationField(null=True)
    address = models.GenericIPAddressField(null=True)
    words = ArrayField(models.TextField(null=True), null=True)
    squares = ArrayField(ArrayField(models.IntegerField()), null=True)
    during = DateTimeRangeField(null=True)
    flag = models.BooleanField(null=True)
    odd_name = models.TextField(db_column="odd 'name' \\", default="")
    doubled = models.GeneratedField(expression=models.F("big"), output_field=models.BigIntegerField(), db_persist=True)
