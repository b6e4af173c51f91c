"""The people of the current tenant, and the field for referring to one of them."""

from typing import Any

from django.db.models import F, QuerySet
from rest_framework import serializers, viewsets

from .models import User


class MemberField(serializers.PrimaryKeyRelatedField):
    """A member of the current tenant. Users are shared by all tenants, so a plain related field would take,
    and list, everybody's."""

    def get_queryset(self) -> QuerySet[User]:
        return User.objects.members()


class MemberSerializer(serializers.ModelSerializer):
    """A member, with the role here."""

    name = serializers.CharField(source="__str__", read_only=True)
    role = serializers.CharField(read_only=True)

    class Meta:
        model = User
        fields = ("id", "name", "email", "role")


class MemberViewSet(viewsets.ReadOnlyModelViewSet):
    """The members of the current tenant."""

    serializer_class = MemberSerializer
    search_fields = ("first_name", "last_name", "email")

    def get_queryset(self) -> QuerySet[Any]:
        return User.objects.members().annotate(role=F("tenant_memberships__role"))
