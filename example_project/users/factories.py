"""People for demos and tests. Their password is `PASSWORD`."""

from functools import cache
from typing import Any

import factory
from django.contrib.auth.hashers import make_password

from .models import User

PASSWORD = "demo"


@cache
def hashed_password() -> str:
    """Hashing is slow on purpose, so it is done once for all of them."""
    return make_password(PASSWORD)


class UserFactory(factory.django.DjangoModelFactory):
    """A person; the same one when the address exists already."""

    class Meta:
        model = User
        django_get_or_create = ("email",)

    first_name: Any = factory.Faker("first_name")
    last_name: Any = factory.Faker("last_name")
    email: Any = factory.LazyAttribute(lambda user: f"{user.first_name}.{user.last_name}@people.example".lower())
    username: Any = factory.LazyAttribute(lambda user: user.email)
    password: Any = factory.LazyFunction(hashed_password)
