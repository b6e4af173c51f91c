"""Fill a tenant with its company's data: the same data each time, dated relative to today."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

import factory.fuzzy
import factory.random
from django.utils import timezone
from rest_framework.authtoken.models import Token

from django_tenantkit.context import tenant_context
from django_tenantkit.models import AbstractTenant, Membership
from example_project.shop.factories import CustomerFactory, OrderFactory, OrderLineFactory, ProductFactory
from example_project.shop.models import Customer, Order, OrderLine, Product
from example_project.users.factories import UserFactory, hashed_password
from example_project.users.models import User
from example_project.work.factories import ProjectFactory, TaskFactory
from example_project.work.models import Label, Project, Task

from .companies import COMMON_CUSTOMER, FREELANCER, OPERATOR, Company, Plan


def add_people(tenant: AbstractTenant, company: Company) -> list[User]:
    """The company's people as members; the first of them manages it, and can log in."""
    people: list[User] = []
    for first, last in company.people:
        user = cast(User, UserFactory(first_name=first, last_name=last, email=company.email(first, last)))
        role = "admin" if not people else "member"
        Membership.objects.get_or_create(user=user, tenant_id=tenant.pk, defaults={"role": role})
        people.append(user)
    admin = people[0]
    admin.first_name, admin.last_name, admin.password = *company.people[0], hashed_password()
    admin.save()
    return people


def add_freelancer(*tenants: AbstractTenant) -> User:
    """Somebody who is a member of several tenants."""
    first, last, email = FREELANCER
    user = cast(User, UserFactory(first_name=first, last_name=last, email=email))
    for tenant in tenants:
        Membership.objects.get_or_create(user=user, tenant_id=tenant.pk)
    return user


def add_operator() -> User:
    """Somebody who runs the site, and is a member of no tenant."""
    first, last, email = OPERATOR
    return cast(User, UserFactory(first_name=first, last_name=last, email=email, is_staff=True, is_superuser=True))


def fill(tenant: AbstractTenant, company: Company) -> None:
    """Projects, tasks, products, customers and orders. Nothing below names the tenant."""
    factory.random.reseed_random(company.slug)
    people = add_people(tenant, company)
    with tenant_context(tenant):
        for number, plan in enumerate(company.projects):
            _add_project(plan, number, people)
        _add_shop(company)


def _add_project(plan: Plan, number: int, people: list[User]) -> None:
    today = timezone.localdate()
    project = cast(
        Project,
        ProjectFactory(
            key=plan.key,
            name=plan.name,
            description=plan.description,
            lead=people[number % len(people)],
            starts_on=today - timedelta(weeks=4 + 3 * number),
            due_on=today + timedelta(weeks=3 + 4 * number),
        ),
    )
    labels = list(Label.objects.all())
    done = len(plan.tasks) * (3 + number % 3) // 7
    for place, title in enumerate(plan.tasks):
        TaskFactory(
            project=project,
            title=title,
            status=_status_at(place - done),
            assignee=None if place % 7 == 6 else people[(number + place) % len(people)],
            due_on=today + timedelta(days=6 * (place - done) + number - 2),
            labels=[labels[(number + place) % len(labels)]],
        )


def _status_at(place: int) -> str:
    """Work is done in order: what comes before is done, the next is in review, and so on."""
    if place < 0:
        return Task.Status.DONE
    return {0: Task.Status.REVIEW, 1: Task.Status.DOING, 2: Task.Status.DOING}.get(place, Task.Status.TODO)


def _add_shop(company: Company) -> None:
    products = [
        cast(Product, ProductFactory(sku=sku, name=name, description=description, price=price))
        for sku, name, description, price in company.products
    ]
    for product in products:
        product.refresh_from_db()
    name, email, city, country = COMMON_CUSTOMER
    customers = [cast(Customer, CustomerFactory(name=name, email=email, city=city, country=country))]
    customers += [cast(Customer, CustomerFactory()) for _ in range(1, company.customers)]
    for number in range(company.orders):
        _add_order(number, company.orders, customers, products)


def _add_order(number: int, of: int, customers: list[Customer], products: list[Product]) -> None:
    """The oldest first. Old orders are shipped, a few cancelled; the latest are open."""
    age = (of - 1 - number) / of
    hours = factory.fuzzy.FuzzyInteger(0, 20).fuzz()
    status = Order.Status.SHIPPED
    if number % 17 == 9:
        status = Order.Status.CANCELLED
    elif age < 0.05:
        status = Order.Status.OPEN
    elif age < 0.10:
        status = Order.Status.PAID
    order = cast(
        Order,
        OrderFactory(
            number=f"A-{1001 + number}",
            customer=factory.fuzzy.FuzzyChoice(customers).fuzz(),
            status=status,
            ordered_at=timezone.now() - timedelta(days=round(175 * age**1.15), hours=hours),
        ),
    )
    count = factory.fuzzy.FuzzyInteger(1, min(4, len(products))).fuzz()
    first = factory.fuzzy.FuzzyInteger(0, len(products) - 1).fuzz()
    for step in range(count):
        product = products[(first + step * 5) % len(products)]
        if not OrderLine.objects.filter(order=order, product=product).exists():
            most = 12 if product.price < 200 else 3
            OrderLineFactory(order=order, product=product, quantity=factory.fuzzy.FuzzyInteger(1, most).fuzz())


def token_of(user: User) -> str:
    """The token that the user's API client sends."""
    return str(Token.objects.get_or_create(user=user)[0].key)
