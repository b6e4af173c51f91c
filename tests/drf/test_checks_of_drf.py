"""Serializers, filter sets and views that show the tenant."""

from __future__ import annotations

import gc

import django_filters
import pytest
from rest_framework import serializers, viewsets

from django_tenantkit.checks.drf import check_drf
from tests.testapp.models import Customer, Invoice, Product, Region, Vip

pytestmark = pytest.mark.usefixtures("forgotten")


def serializer(of=Invoice, meta=None, **fields):
    inner = type("Meta", (), {"model": of, **(meta or {"fields": "__all__"})})
    return type("Planted", (serializers.ModelSerializer,), {"Meta": inner, "__module__": __name__, **fields})


def filterset(of=Invoice, meta=None, **filters):
    inner = type("Meta", (), {"model": of, **(meta or {"fields": "__all__"})})
    return type("Planted", (django_filters.FilterSet,), {"Meta": inner, "__module__": __name__, **filters})


def view(**options):
    options = {"queryset": Invoice.objects.all(), **options}
    return type("Planted", (viewsets.ModelViewSet,), {"__module__": __name__, **options})


def shown(**options):
    return serializers.PrimaryKeyRelatedField(read_only=True, **options)


FAULTS = {
    "E501 field": lambda: serializer(meta={"fields": ["id", "tenant"]}),
    "E501 key": lambda: serializer(meta={"fields": ["id", "tenant_id"]}),
    "E501 child": lambda: serializer(Vip, {"fields": ["id", "vip_tenant"]}),
    "E501 declared": lambda: serializer(tenant=shown()),
    "E501 source": lambda: serializer(organisation=shown(source="tenant")),
    "E502": lambda: serializer(meta={"exclude": ["tenant"]}),
    "E503 all": filterset,
    "E503 but some": lambda: filterset(meta={"exclude": ["id"]}),
    "E503 lookup": lambda: filterset(meta={"fields": {"tenant__slug": ["exact"]}}),
    "E503 declared": lambda: filterset(meta={"fields": ["number"]}, who=django_filters.CharFilter("tenant__slug")),
    "E503 view": lambda: view(filterset_fields="__all__"),
    "E503 list": lambda: view(filterset_fields=["number", "tenant"]),
    "E503 mapping": lambda: view(filterset_fields={"tenant__slug": ["exact"]}),
    "W504": lambda: view(ordering_fields="__all__"),
    "W504 list": lambda: view(ordering_fields=["number", "tenant__name"]),
}

FINE = {
    "all fields": lambda: serializer(),
    "some fields": lambda: serializer(meta={"fields": ["id", "number"]}),
    "a name of the tenant": lambda: serializer(by=serializers.CharField(source="tenant.name", read_only=True)),
    "excluded field": lambda: serializer(meta={"exclude": ["owner"]}),
    "shared model": lambda: serializer(Region),
    "without a model": lambda: type("Plain", (serializers.Serializer,), {}),
    "filters by name": lambda: filterset(meta={"fields": ["number", "customer__name"]}),
    "filters without the tenant": lambda: filterset(meta={"exclude": ["tenant"]}),
    "filters of a shared model": lambda: filterset(Region),
    "filters without a model": lambda: type("Plain", (django_filters.FilterSet,), {}),
    "view": lambda: view(filterset_fields=["number"], ordering_fields=["number"]),
    "view of a shared model": lambda: view(queryset=Region.objects.all(), ordering_fields="__all__"),
    "view without queryset": lambda: view(queryset=None, ordering_fields="__all__"),
    "constraint with a validator": lambda: serializer(Customer),
    "constraint without one": lambda: serializer(Product),
}


def found():
    gc.collect()
    return [message.id.removeprefix("tenantkit.") for message in check_drf()]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault):
    planted = FAULTS[fault]()
    assert found() == [fault.split()[0]]
    assert planted is not None


@pytest.mark.parametrize("shape", FINE)
def test_what_is_no_fault_is_not_reported(shape):
    planted = FINE[shape]()
    assert found() == []
    assert planted is not None


def test_versions_and_tenants_cannot_both_be_in_the_host(settings):
    settings.REST_FRAMEWORK = {"DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.HostNameVersioning"}
    assert found() == ["E505"]
    settings.TENANTKIT_RESOLVERS = ["django_tenantkit.resolvers.HeaderResolver"]
    assert found() == []


def test_a_message_names_the_class_and_has_a_hint():
    planted = serializer(meta={"exclude": ["tenant"]})
    (message,) = check_drf()
    assert message.msg.startswith("Planted excludes tenant")
    assert message.hint
    assert message.obj is planted


def test_nothing_is_checked_without_the_framework(settings):
    planted = filterset()
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "rest_framework"]
    assert found() == []
    assert planted is not None
