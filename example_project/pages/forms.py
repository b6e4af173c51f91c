"""Forms."""

from typing import Any

from django.contrib.auth.forms import AuthenticationForm

from django_tenantkit.access import allowed
from django_tenantkit.context import require_tenant


class LoginForm(AuthenticationForm):
    """Refuses those who are no members in the words for a wrong password: they learn nothing of the tenant."""

    def confirm_login_allowed(self, user: Any) -> None:
        super().confirm_login_allowed(user)
        if not allowed(user, require_tenant()):
            raise self.get_invalid_login_error()
