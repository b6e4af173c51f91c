"""The first user of a new tenant, known by an e-mail address."""

from __future__ import annotations

import unicodedata
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from ..exceptions import ProvisioningRefused
from ..registry import users_live_at_home


def clean_email(email: str) -> str:
    """The address without the space around it. Raises `ProvisioningRefused` for what is none, and for one
    by which no user can be found or made. A tenant with users of its own has none yet."""
    email = email.strip()
    try:
        validate_email(email)
        if users_live_at_home() or find_user(email) is None:
            _new_user(email).clean_fields(exclude=_not_ours())
    except ValidationError as error:
        raise ProvisioningRefused(
            f"{email!r} cannot be the admin's e-mail address: {' '.join(error.messages)}"
        ) from error
    return email


def find_user(email: str) -> Any:
    """The user with this address, in whatever case, or None. Raises `ProvisioningRefused` when there are
    several, and when somebody with another address uses this one as a user name: neither is surely the
    person meant."""
    model: Any = get_user_model()
    field = model.get_email_field_name()
    alike = model._default_manager.filter(**{f"{field}__iexact": email})
    users = [user for user in alike if _folded(getattr(user, field)) == _folded(email)]
    if len(users) == 1:
        return users[0]
    if users or model._default_manager.filter(**{model.USERNAME_FIELD: email}).exists():
        raise ProvisioningRefused(
            f"{email!r} could mean several users, by e-mail address or user name. Give the admin's user an address "
            "of its own, or leave the admin out and add a Membership."
        )
    return None


def find_or_make_admin(email: str) -> Any:
    """The user with this address; made if unknown, named by it, without a usable password. Where the tenant has
    users of its own, the new one may do everything there."""
    model: Any = get_user_model()
    user = find_user(email)
    if user is None:
        rest: dict[str, Any] = {model.get_email_field_name(): email, "password": make_password(None)}
        if users_live_at_home():
            rest |= {name: True for name in ("is_staff", "is_superuser") if name in _fields(model)}
        user, _ = model._default_manager.get_or_create(**{model.USERNAME_FIELD: email}, defaults=rest)
    return user


def _folded(email: str) -> str:
    """Databases compare without case so generously that a dotless i is an i, which are different people's
    addresses (CVE-2019-19844)."""
    return unicodedata.normalize("NFKC", email).casefold()


def _new_user(email: str) -> Any:
    model: Any = get_user_model()
    return model(**{model.get_email_field_name(): email, model.USERNAME_FIELD: email})


def _fields(model: Any) -> set[str]:
    return {field.name for field in model._meta.fields}


def _not_ours() -> set[str]:
    """The fields of a user that are not filled in here, and so not validated."""
    model: Any = get_user_model()
    return _fields(model) - {model.get_email_field_name(), model.USERNAME_FIELD}
