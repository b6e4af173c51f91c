"""The views. Every queryset here is the current tenant's, and none says so."""

from datetime import date, timedelta
from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import ValidationError
from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import TruncMonth
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.generic import DetailView, ListView, TemplateView

from django_tenantkit.names import validate_slug
from example_project.shop.models import AMOUNT, Customer, Order, Product
from example_project.work.models import Project, Task

MONTHS = 6
AMOUNT_OF_LINES = Sum(F("lines__quantity") * F("lines__unit_price"), output_field=AMOUNT)


class Dashboard(LoginRequiredMixin, TemplateView):
    """What happens in the organisation."""

    template_name = "pages/dashboard.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        today = timezone.localdate()
        unfinished = Task.objects.exclude(status=Task.Status.DONE)
        months = revenue_by_month(today)
        return super().get_context_data(**kwargs) | {
            "months": months,
            "revenue": months[-1],
            "revenue_before": months[-2],
            "orders_open": Order.objects.filter(status=Order.Status.OPEN).count(),
            "orders_unpaid": Order.objects.filter(status=Order.Status.OPEN).aggregate(sum=AMOUNT_OF_LINES)["sum"],
            "tasks_open": unfinished.count(),
            "tasks_overdue": unfinished.filter(due_on__lt=today).count(),
            "customers": Customer.objects.count(),
            "customers_new": Customer.objects.filter(since__gt=today - timedelta(days=90)).count(),
            "projects": projects_with_progress().exclude(status=Project.Status.DONE),
            "tasks": unfinished.select_related("project", "assignee").order_by("due_on")[:7],
            "orders": Order.objects.with_total().select_related("customer").order_by("-ordered_at")[:7],
            "best_customers": best_customers(5),
            "today": today,
        }


def revenue_by_month(today: date) -> list[dict[str, Any]]:
    """Month, amount sold and its share of the best month in per cent, for the last months, this one last."""
    first = today.replace(day=1)
    months = [first]
    while len(months) < MONTHS:
        months.insert(0, (months[0] - timedelta(days=1)).replace(day=1))
    sold = dict(
        Order.objects.sold()
        .filter(ordered_at__date__gte=months[0])
        .annotate(month=TruncMonth("ordered_at"))
        .order_by("month")
        .values_list("month")
        .annotate(amount=AMOUNT_OF_LINES)
    )
    amounts = {month.date(): float(amount or 0) for month, amount in sold.items()}
    best = max(amounts.values(), default=0) or 1
    return [
        {"month": month, "amount": amounts.get(month, 0), "share": round(100 * amounts.get(month, 0) / best)}
        for month in months
    ]


def projects_with_progress() -> QuerySet[Any]:
    """Projects with the numbers of their tasks and of those that are done."""
    done = Q(tasks__status=Task.Status.DONE)
    return (
        Project.objects.select_related("lead")
        .annotate(task_count=Count("tasks"), done_count=Count("tasks", filter=done))
        .order_by("due_on")
    )


def best_customers(number: int) -> QuerySet[Any]:
    """Those who bought most, with the amount."""
    sold = Q(orders__status__in=[Order.Status.PAID, Order.Status.SHIPPED])
    amount = Sum(F("orders__lines__quantity") * F("orders__lines__unit_price"), filter=sold, output_field=AMOUNT)
    return Customer.objects.annotate(amount=amount).filter(amount__gt=0).order_by("-amount")[:number]


class ProjectBoard(LoginRequiredMixin, DetailView):
    """The tasks of a project in columns. Another tenant's project is a 404, as it does not exist here."""

    queryset = projects_with_progress()
    template_name = "pages/project.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        tasks = list(self.object.tasks.select_related("assignee").prefetch_related("labels"))
        columns = [
            {"title": title, "tasks": [task for task in tasks if task.status == status]}
            for status, title in Task.Status.choices
        ]
        return super().get_context_data(**kwargs) | {"columns": columns, "today": timezone.localdate()}


class CustomerList(LoginRequiredMixin, ListView):
    """Customers with what they ordered."""

    queryset = Customer.objects.annotate(order_count=Count("orders")).order_by("name")
    template_name = "pages/customers.html"
    paginate_by = 20


class OrderList(LoginRequiredMixin, ListView):
    """Orders, the latest first."""

    queryset = Order.objects.with_total().select_related("customer").order_by("-ordered_at")
    template_name = "pages/orders.html"
    paginate_by = 20


class Catalogue(ListView):
    """What the organisation sells, for everybody: its address named it, so no login is needed."""

    queryset = Product.objects.filter(active=True).order_by("name")
    template_name = "pages/catalogue.html"


class Landing(TemplateView):
    """The page of the product itself, on the base domain."""

    template_name = "pages/landing.html"


def open_workspace(request: HttpRequest) -> HttpResponse:
    """Send people to their organisation's address. Whether there is one of that name is not said here."""
    slug = request.GET.get("name", "").strip().lower()
    try:
        validate_slug(slug)
    except ValidationError:
        return redirect("landing")
    return redirect(f"{request.scheme}://{slug}.{request.get_host()}/")


def healthz(request: HttpRequest) -> HttpResponse:
    """For load balancers, on every host and with no tenant."""
    return HttpResponse("ok", content_type="text/plain")
