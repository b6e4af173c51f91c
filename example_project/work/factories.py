"""Projects, labels and tasks for demos and tests. They are made in the current tenant."""

from datetime import date, timedelta
from typing import Any

import factory
import factory.fuzzy
from django.utils import timezone

from .models import Label, Project, Task


class ProjectFactory(factory.django.DjangoModelFactory):
    """A project that began some weeks ago."""

    class Meta:
        model = Project
        django_get_or_create = ("key",)

    key: Any = factory.Sequence(lambda number: f"P{number}")
    name: Any = factory.Faker("catch_phrase")
    description: Any = factory.Faker("paragraph")
    starts_on: Any = factory.LazyFunction(lambda: timezone.localdate() - timedelta(weeks=6))
    due_on: Any = factory.LazyFunction(lambda: timezone.localdate() + timedelta(weeks=6))


class LabelFactory(factory.django.DjangoModelFactory):
    """A label; the same one when the tenant has it already."""

    class Meta:
        model = Label
        django_get_or_create = ("name",)

    name: Any = factory.Faker("word")


def near_date() -> date:
    """From a week ago to a month from now."""
    return timezone.localdate() + timedelta(days=factory.fuzzy.FuzzyInteger(-8, 40).fuzz())


class TaskFactory(factory.django.DjangoModelFactory):
    """A task, of a new project unless one is given."""

    class Meta:
        model = Task
        skip_postgeneration_save = True

    project: Any = factory.SubFactory(ProjectFactory)
    title: Any = factory.Faker("sentence", nb_words=5)
    status: Any = factory.fuzzy.FuzzyChoice(Task.Status.values)
    priority: Any = factory.fuzzy.FuzzyChoice(Task.Priority.values)
    due_on: Any = factory.LazyFunction(
        lambda: timezone.localdate() + timedelta(days=factory.fuzzy.FuzzyInteger(-8, 40).fuzz())
    )

    @factory.post_generation
    def labels(self, create: bool, extracted: list[Label] | None, **kwargs: Any) -> None:
        if create and extracted:
            self.labels.set(extracted)  # type: ignore[attr-defined]
