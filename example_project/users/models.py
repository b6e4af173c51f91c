"""People."""

from typing import ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models

from django_tenantkit.context import require_tenant


class MemberManager(UserManager["User"]):
    """Django's manager, and the members of the current tenant."""

    def members(self) -> models.QuerySet["User"]:
        """The people of the current tenant, by name. Users are shared, so this must be asked for: a list of
        all users would show one customer who the other customers are."""
        return self.filter(tenant_memberships__tenant=require_tenant().pk).order_by("first_name", "last_name")


class User(AbstractUser):
    """A person, who may be a member of several tenants."""

    email = models.EmailField("e-mail address", unique=True)

    objects: ClassVar[MemberManager] = MemberManager()

    def __str__(self) -> str:
        return self.get_full_name() or self.username

    @property
    def initials(self) -> str:
        """Two letters for a small round picture."""
        return (self.first_name[:1] + self.last_name[:1]).upper() or self.username[:2].upper()
