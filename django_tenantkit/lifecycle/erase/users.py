"""Users who were members of one tenant alone. They are kept, unless they are to be made nobody: a user is not deleted
as a row, because rows of other tenants may refer to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models

from ...models import Membership
from ...registry import users_live_at_home

#: What is emptied beside the name to log in with and the address, where the user model has it.
PERSONAL = ("first_name", "last_name", "full_name", "name", "short_name")


def only_here(tenant: Any) -> Iterator[Any]:
    """The members who are in no other tenant and do not run the site."""
    if users_live_at_home():
        return
    here = Membership.objects.filter(tenant=tenant).values("user")
    elsewhere = Membership.objects.exclude(tenant=tenant).values("user")
    manager: Any = get_user_model()._base_manager
    for user in manager.filter(pk__in=here).exclude(pk__in=elsewhere).iterator():
        if not (getattr(user, "is_staff", False) or getattr(user, "is_superuser", False)):
            yield user


def make_nobody(tenant: Any) -> int:
    """Take those users their names, addresses and passwords, and return how many. Fields of a user model of the
    project's own are its store's business, see `lifecycle/stores.py`."""
    number = 0
    for user in list(only_here(tenant)):
        model = type(user)
        nobody = f"erased-{user.pk}"
        field: models.Field[Any, Any] = model._meta.get_field(model.USERNAME_FIELD)
        setattr(user, field.name, f"{nobody}@erased.invalid" if isinstance(field, models.EmailField) else nobody)
        for name in {*PERSONAL, model.get_email_field_name()} - {field.name}:
            if hasattr(user, name):
                setattr(user, name, "")
        user.is_active = False
        user.set_unusable_password()
        user.save()
        number += 1
    return number
