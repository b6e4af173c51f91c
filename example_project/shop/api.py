"""The API of customers, products and orders. Nothing here mentions tenants."""

from typing import Any

from django.db import transaction
from rest_framework import serializers, viewsets

from .models import Customer, Order, OrderLine, Product


class CustomerSerializer(serializers.ModelSerializer):
    class Meta:
        model = Customer
        fields = ("id", "name", "email", "city", "country", "since")


class CustomerViewSet(viewsets.ModelViewSet):
    """Customers."""

    queryset = Customer.objects.all()
    serializer_class = CustomerSerializer
    filterset_fields = ("city", "country")
    search_fields = ("name", "email")


class ProductSerializer(serializers.ModelSerializer):
    class Meta:
        model = Product
        fields = ("id", "sku", "name", "description", "price", "stock", "active")


class ProductViewSet(viewsets.ModelViewSet):
    """Products."""

    queryset = Product.objects.all()
    serializer_class = ProductSerializer
    filterset_fields = ("active",)
    search_fields = ("sku", "name")


class OrderLineSerializer(serializers.ModelSerializer):
    """A line. Its price is the product's on the day of the order."""

    class Meta:
        model = OrderLine
        fields = ("product", "quantity", "unit_price")
        read_only_fields = ("unit_price",)


class OrderSerializer(serializers.ModelSerializer):
    """An order with its lines, which are replaced as a whole."""

    lines = OrderLineSerializer(many=True)
    total = serializers.DecimalField(max_digits=12, decimal_places=2, read_only=True)

    class Meta:
        model = Order
        fields = ("id", "number", "customer", "status", "ordered_at", "lines", "total")

    def validate_lines(self, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
        products = [line["product"] for line in lines]
        if len(set(products)) < len(products):
            raise serializers.ValidationError("A product stands in one line only.")
        return lines

    @transaction.atomic
    def create(self, validated_data: dict[str, Any]) -> Order:
        lines = validated_data.pop("lines")
        return self._with_lines(super().create(validated_data), lines)

    @transaction.atomic
    def update(self, instance: Order, validated_data: dict[str, Any]) -> Order:
        lines = validated_data.pop("lines", None)
        order: Order = super().update(instance, validated_data)
        if lines is None:
            return order
        order.lines.all().delete()
        return self._with_lines(order, lines)

    def _with_lines(self, order: Order, lines: list[dict[str, Any]]) -> Order:
        OrderLine.objects.bulk_create(
            OrderLine(order=order, unit_price=line["product"].price, **line) for line in lines
        )
        return Order.objects.with_total().get(pk=order.pk)


class OrderViewSet(viewsets.ModelViewSet):
    """Orders, the latest first."""

    queryset = Order.objects.with_total().prefetch_related("lines").order_by("-ordered_at")
    serializer_class = OrderSerializer
    filterset_fields = ("status", "customer")
    search_fields = ("number", "customer__name")
    ordering_fields = ("ordered_at", "total")
