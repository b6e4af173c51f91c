"""An ordinary API, as an adopter writes it: nothing in it knows of tenants."""

from __future__ import annotations

import django_filters
from django.urls import path
from rest_framework import filters, pagination, routers, serializers, viewsets
from rest_framework.decorators import api_view
from rest_framework.validators import UniqueTogetherValidator

from tests.testapp.models import Category, Customer, Invoice, Line, Note, Plan, Product, Profile, Tag, Vip


def serializer_for(of, **meta):
    """`fields = "__all__"`, if nothing else is said."""
    inner = type("Meta", (), {"model": of, "fields": "__all__", **meta})
    return type(f"{of.__name__}Serializer", (serializers.ModelSerializer,), {"Meta": inner})


class LineSerializer(serializers.ModelSerializer):
    class Meta:
        model = Line
        fields = ["id", "product", "quantity"]


class NestedInvoiceSerializer(serializers.ModelSerializer):
    """Writes its lines with it, and shows its customer as an object."""

    lines = LineSerializer(many=True)
    paid_by = serializer_for(Customer)(source="customer", read_only=True)

    class Meta:
        model = Invoice
        fields = "__all__"

    def create(self, validated_data):
        lines = validated_data.pop("lines")
        tags = validated_data.pop("tags", [])
        invoice = Invoice.objects.create(**validated_data)
        invoice.tags.set(tags)
        for line in lines:
            invoice.lines.create(**line)
        return invoice


class DeepInvoiceSerializer(serializers.ModelSerializer):
    class Meta:
        model = Invoice
        fields = ["id", "number", "customer", "tags", "lines"]
        depth = 2


class HyperlinkedTagSerializer(serializers.HyperlinkedModelSerializer):
    class Meta:
        model = Line
        fields = ["url", "invoice", "product", "quantity"]
        extra_kwargs = {"url": {"view_name": "linked-detail"}}


class BySlugSerializer(serializers.ModelSerializer):
    """Names its tags by their labels, which are unique within a tenant."""

    tags = serializers.SlugRelatedField(slug_field="label", many=True, queryset=Tag.objects.all())

    class Meta:
        model = Invoice
        fields = ["id", "number", "customer", "tags"]


class PairSerializer(serializers.ModelSerializer):
    class Meta:
        model = Category
        fields = ["id", "name", "parent"]
        validators = [UniqueTogetherValidator(queryset=Category.objects.all(), fields=["name", "parent"])]


class InvoiceFilter(django_filters.FilterSet):
    class Meta:
        model = Invoice
        fields = {"number": ["exact", "in"], "customer": ["exact"], "customer__name": ["exact"], "tags": ["exact"]}


class Pages(pagination.PageNumberPagination):
    page_size = 2


class Cursors(pagination.CursorPagination):
    page_size = 2
    ordering = "number"


BACKENDS = [django_filters.rest_framework.DjangoFilterBackend, filters.SearchFilter, filters.OrderingFilter]


def viewset_for(serializer, **options):
    """An ordinary ModelViewSet; its queryset is built when this module is imported."""
    of = serializer.Meta.model
    attributes = {"queryset": of.objects.order_by("pk"), "serializer_class": serializer, **options}
    return type(f"{of.__name__}ViewSet", (viewsets.ModelViewSet,), attributes)


class InvoiceViewSet(viewsets.ModelViewSet):
    queryset = Invoice.objects.order_by("number")
    serializer_class = serializer_for(Invoice)
    pagination_class = Pages
    filter_backends = BACKENDS
    filterset_class = InvoiceFilter
    search_fields = ["number", "customer__name"]


router = routers.DefaultRouter()
router.register("invoices", InvoiceViewSet)
router.register("cursors", viewset_for(serializer_for(Invoice), pagination_class=Cursors), "cursor")
router.register("nested", viewset_for(NestedInvoiceSerializer), "nested")
router.register("deep", viewset_for(DeepInvoiceSerializer), "deep")
router.register("by-slug", viewset_for(BySlugSerializer), "by-slug")
router.register("pairs", viewset_for(PairSerializer), "pair")
router.register("linked", viewset_for(HyperlinkedTagSerializer), "linked")
for model in (Customer, Vip, Profile, Tag, Product, Line, Note, Category, Plan):
    name = model._meta.model_name
    simple = viewset_for(serializer_for(model), filter_backends=BACKENDS, filterset_fields=["id"])
    router.register(f"{name}s", simple, name)


@api_view(["POST"])
def broken(request):
    """Writes two rows with one key."""
    Tag.objects.bulk_create([Tag(pk=1, label="a"), Tag(pk=1, label="b")])


urlpatterns = [*router.urls, path("broken/", broken)]
