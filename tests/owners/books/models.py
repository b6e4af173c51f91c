"""What knows nothing of tenants: a book, and notes on whatever there is."""

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models


class Book(models.Model):
    title = models.CharField(max_length=100, unique=True)
    readers = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="books")


class Note(models.Model):
    text = models.CharField(max_length=100)
    writer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    content_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)
    object_id = models.BigIntegerField()
    about = GenericForeignKey()
