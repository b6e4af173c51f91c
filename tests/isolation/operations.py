"""Every way in, as a table: what an application can ask, with the guarantee's own words as headings.

Each operation gets the world and runs as acme. What it returns must be the same whether or not another
tenant has rows, hold nothing of the other tenant, and leave the other tenant's rows as they were.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core import serializers
from django.db.models import (
    Avg,
    Case,
    Count,
    Exists,
    F,
    FilteredRelation,
    Max,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
    Window,
)
from django.db.models.functions import RowNumber

from tests.isolation.world import World
from tests.testapp.models import (
    Category,
    Customer,
    GoldCustomer,
    Invoice,
    Line,
    Note,
    Plan,
    Product,
    Profile,
    Region,
    Tag,
    Vip,
)

Operation = Callable[[World], Any]

#: Built while this module is imported: with no tenant, no database, and for whoever asks first.
EARLY = Invoice.objects.order_by("number")
EARLY_BY_HAND = QuerySet(Customer)
PICKLED = pickle.dumps(Invoice.objects.filter(amount=100).query)


def _unpickled() -> Any:
    queryset = Invoice.objects.all()
    queryset.query = pickle.loads(PICKLED)
    return queryset


def _combined(method: str) -> Operation:
    def run(world: World) -> Any:
        first = Customer.objects.values_list("name", flat=True).order_by()
        second = Vip.objects.values_list("name", flat=True).order_by()
        return sorted(getattr(first, method)(second))

    return run


def _deleted(queryset: Any) -> Any:
    total, by_model = queryset.delete()
    return total, by_model, _everything()


def _everything() -> Any:
    models = (Customer, Vip, Profile, Tag, Product, Invoice, Line, Note, Category)
    return [model._base_manager.count() for model in models]


def _updated(queryset: Any, **values: Any) -> Any:
    return queryset.update(**values), list(Customer.objects.order_by("pk").values("name", "email"))


def _bulk_update(world: World) -> Any:
    customers = list(Customer.objects.order_by("pk"))
    for customer in customers:
        customer.name = "changed"
    return Customer.objects.bulk_update(customers, ["name"]), list(Customer.objects.values_list("name"))


def _through_cleared(world: World) -> Any:
    tag = Tag.objects.get(label="red0")
    tag.invoices.clear()
    return Invoice.tags.through.objects.count()


def _m2m_set_from_shared(world: World) -> Any:
    world.plan.featured_tags.set(Tag.objects.filter(label="blue0"))
    return list(world.plan.featured_tags.values_list("label", flat=True))


def _region_cleared(world: World) -> Any:
    world.region.products.clear()
    return world.region.products.count()


def _saved_again(world: World) -> Any:
    invoice = Invoice.objects.get(number="0")
    invoice.amount = 5
    invoice.save()
    return Invoice.objects.get(number="0").amount


def _refreshed(world: World) -> Any:
    customer = Customer.objects.get(name="acme 0")
    customer.refresh_from_db()
    return customer


def _deferred(world: World) -> Any:
    return [(customer.name, customer.email) for customer in Customer.objects.only("name").order_by("name")]


TYPE = ContentType.objects.get_for_model

OPERATIONS: dict[str, Operation] = {
    # managers: default, base, an adopter's own, none of ours
    "all": lambda w: Customer.objects.order_by("pk"),
    "base manager": lambda w: Customer._base_manager.order_by("pk"),
    "as_manager": lambda w: Customer.objects.named("acme 0"),
    "plain manager": lambda w: Product.objects.order_by("pk"),
    "an adopter's manager": lambda w: Product.active_ones.order_by("pk"),
    "queryset by hand": lambda w: QuerySet(Customer).order_by("pk"),
    "queryset built at import": lambda w: EARLY.all(),
    "queryset by hand built at import": lambda w: EARLY_BY_HAND.order_by("pk"),
    "unpickled": lambda w: _unpickled(),
    "proxy": lambda w: GoldCustomer.objects.order_by("pk"),
    # reading
    "get": lambda w: Invoice.objects.get(number="0"),
    "first": lambda w: Tag.objects.first(),
    "last": lambda w: Tag.objects.last(),
    "latest": lambda w: Category.objects.latest("name"),
    "in_bulk": lambda w: Tag.objects.in_bulk(),
    "values": lambda w: Customer.objects.order_by("name").values("name", "plan__name"),
    "values_list": lambda w: Customer.objects.order_by("name").values_list("name", flat=True),
    "iterator": lambda w: list(Customer.objects.order_by("name").iterator(chunk_size=1)),
    "exists": lambda w: Customer.objects.filter(name__startswith="globex").exists(),
    "contains": lambda w: Tag.objects.contains(Tag.objects.get(label="red0")),
    "count": lambda w: Customer.objects.count(),
    "slice": lambda w: Customer.objects.order_by("-name")[:2],
    "distinct": lambda w: Customer.objects.values_list("plan__name").distinct().order_by("plan__name"),
    "distinct count": lambda w: Customer.objects.values("plan").distinct().count(),
    "ordering by a relation": lambda w: Line.objects.order_by("invoice__customer__name"),
    "only and deferred": _deferred,
    "refresh_from_db": _refreshed,
    "none": lambda w: Customer.objects.none().count(),
    "exclude": lambda w: Customer.objects.exclude(invoices__number="0").order_by("pk"),
    "negated or": lambda w: Customer.objects.filter(~Q(name="x") | Q(email="")).order_by("pk"),
    "extra tables": lambda w: Customer.objects.extra(tables=["testapp_tag"], where=["1=1"]).count(),
    "explain": lambda w: bool(Customer.objects.explain()),
    "dates of an empty filter": lambda w: list(Customer.objects.filter(pk__in=[])),
    # aggregates, annotations, windows, conditions
    "aggregate": lambda w: Invoice.objects.aggregate(Sum("amount"), Max("amount"), n=Count("*")),
    "aggregate over a slice": lambda w: Customer.objects.order_by("name")[:10].aggregate(n=Count("pk")),
    "aggregate of an annotation": lambda w: Customer.objects.annotate(n=Count("invoices")).aggregate(Avg("n")),
    "annotate": lambda w: Customer.objects.annotate(n=Count("invoices__lines")).order_by("pk").values("name", "n"),
    "group by": lambda w: Line.objects.values("product__sku").annotate(n=Sum("quantity")).order_by("product__sku"),
    "having": lambda w: Customer.objects.annotate(n=Count("invoices")).filter(n__gt=0).order_by("pk"),
    "window": lambda w: Customer.objects.annotate(row=Window(RowNumber(), order_by="pk")).values("name", "row"),
    "filter on a window": lambda w: list(
        Customer.objects.annotate(row=Window(RowNumber(), order_by="pk")).filter(row__lte=9).values_list("name", "row")
    ),
    "case": lambda w: Customer.objects.order_by("pk").values_list(
        Case(When(invoices__number="0", then=Value("yes")), default=Value("no"))
    ),
    "filtered relation": lambda w: (
        Customer.objects.annotate(big=FilteredRelation("invoices", condition=Q(invoices__amount__gte=1)))
        .order_by("pk")
        .values("name", "big__number")
    ),
    # joins, in both directions
    "forward join": lambda w: Line.objects.filter(invoice__customer__email="c0@example.com"),
    "reverse join": lambda w: Customer.objects.filter(invoices__lines__quantity=3),
    "left join": lambda w: Customer.objects.order_by("pk").values("name", "invoices__number"),
    "select_related": lambda w: [
        line.invoice.customer.name for line in Line.objects.select_related("invoice__customer")
    ],
    "reverse one-to-one join": lambda w: Customer.objects.filter(profile__isnull=False),
    "self join": lambda w: Category.objects.filter(parent__children__name__contains="child"),
    "m2m join": lambda w: Invoice.objects.filter(tags__label="red0"),
    "m2m to self": lambda w: Category.objects.filter(related__isnull=False).order_by("pk"),
    "generic relation join": lambda w: Customer.objects.filter(notes__text__contains=" 0"),
    # related managers and descriptors
    "reverse manager": lambda w: Customer.objects.get(name="acme 0").invoices.all(),
    "forward descriptor": lambda w: Invoice.objects.get(number="0").customer,
    "reverse one-to-one": lambda w: Customer.objects.get(name="acme 0").profile,
    "m2m manager": lambda w: Invoice.objects.get(number="0").tags.all(),
    "m2m through manager": lambda w: Invoice.tags.through.objects.values("tag__label", "invoice__number"),
    "generic relation": lambda w: Customer.objects.get(name="acme 0").notes.all(),
    "generic foreign key": lambda w: Note.objects.get().subject,
    "row.tenant": lambda w: Invoice.objects.get(number="0").tenant.slug,
    # multi-table inheritance
    "child": lambda w: Vip.objects.all(),
    "child without its parent's columns": lambda w: Vip.objects.values_list("discount", flat=True),
    "child from parent": lambda w: Customer.objects.filter(vip__discount=10),
    "child descriptor": lambda w: Customer.objects.get(name="acme 0 vip").vip,
    # prefetches
    "prefetch_related": lambda w: [
        list(c.invoices.all()) for c in Customer.objects.prefetch_related("invoices__lines")
    ],
    "prefetch m2m": lambda w: [list(i.tags.all()) for i in Invoice.objects.prefetch_related("tags")],
    "prefetch generic": lambda w: [note.subject for note in Note.objects.prefetch_related("subject")],
    "Prefetch with early queryset": lambda w: [
        list(c.invoices.all()) for c in Customer.objects.prefetch_related(Prefetch("invoices", EARLY))
    ],
    "prefetch from shared": lambda w: [
        sorted(c.name for c in p.customers.all()) for p in Plan.objects.prefetch_related("customers")
    ],
    # subqueries and unions
    "in a subquery": lambda w: Customer.objects.filter(pk__in=Invoice.objects.values("customer")),
    "subquery": lambda w: Customer.objects.order_by("pk").values_list(
        Subquery(Invoice.objects.filter(customer=OuterRef("pk")).values("number")[:1])
    ),
    "exists subquery": lambda w: Customer.objects.filter(Exists(Invoice.objects.filter(customer=OuterRef("pk")))),
    "subquery below a shared model": lambda w: Plan.objects.annotate(
        n=Subquery(Customer.objects.filter(plan=OuterRef("pk")).values("plan").annotate(n=Count("*")).values("n"))
    ).values_list("n"),
    "shared model in a tenant subquery": lambda w: Plan.objects.filter(pk__in=Customer.objects.values("plan")),
    "union": _combined("union"),
    "intersection": _combined("intersection"),
    "difference": _combined("difference"),
    # from and to shared models
    "count from shared": lambda w: Plan.objects.annotate(n=Count("customers")).values_list("name", "n"),
    "reverse manager of a shared row": lambda w: w.plan.customers.order_by("pk"),
    "m2m of a shared row": lambda w: w.plan.featured_tags.all(),
    "reverse m2m of a shared row": lambda w: w.region.products.all(),
    "filter shared by tenant rows": lambda w: Region.objects.filter(products__sku="P1"),
    "exclude shared by tenant rows": lambda w: Region.objects.exclude(products__sku="P1"),
    "shared joined to child": lambda w: Plan.objects.filter(customers__vip__discount=10).distinct(),
    "user to tenant rows": lambda w: w.user.invoices.count(),
    "content type to tenant rows": lambda w: TYPE(Customer).note_set.count(),
    # writing
    "update": lambda w: _updated(Customer.objects.filter(email="c0@example.com"), name="changed"),
    "update all": lambda w: _updated(Customer.objects.all(), email=""),
    "update by a join": lambda w: _updated(Customer.objects.filter(invoices__number="0"), name="changed"),
    "update by an expression": lambda w: _updated(Customer.objects.all(), email=F("name")),
    "update through a shared row": lambda w: _updated(w.plan.customers.all(), name="changed"),
    "update of a parent's field": lambda w: _updated(Vip.objects.filter(discount=10), name="changed"),
    "bulk_update": _bulk_update,
    "save": _saved_again,
    "m2m clear": _through_cleared,
    "m2m set on a shared row": _m2m_set_from_shared,
    "m2m clear on a shared row": _region_cleared,
    # deleting
    "delete": lambda w: _deleted(Line.objects.all()),
    "delete by a join": lambda w: _deleted(Line.objects.filter(invoice__number="0")),
    "delete with cascades": lambda w: _deleted(Invoice.objects.filter(owner=w.user)),
    "delete of a child": lambda w: _deleted(Vip.objects.all()),
    "delete of a tree": lambda w: _deleted(Category.objects.filter(parent=None)),
    "delete of an instance": lambda w: _deleted(Tag.objects.get(label="red0")),
    "delete with generic relations": lambda w: _deleted(Customer.objects.filter(invoices=None)),
    "raw delete": lambda w: Line.objects.all()._raw_delete("default"),
    "delete through a shared row": lambda w: _deleted(w.user.invoices.all()),
    # out and in again
    "serialize": lambda w: serializers.serialize("json", Customer.objects.order_by("pk")),
}

#: Operations that ask nothing of a tenant table, so that they work with no tenant too.
HARMLESS = {"none"}

#: Those that start at a shared model and look at tenants' rows: a tenant that has a database is told to ask twice.
ACROSS = frozenset(
    (
        "subquery below a shared model",
        "shared model in a tenant subquery",
        "count from shared",
        "filter shared by tenant rows",
        "exclude shared by tenant rows",
        "shared joined to child",
    )
)
