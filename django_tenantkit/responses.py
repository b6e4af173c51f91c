"""What a client sees when it is not let through. Every such answer of this package is made here."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.template import TemplateDoesNotExist
from django.template.loader import select_template
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext, gettext_noop

from .conf import conf
from .exceptions import (
    AmbiguousTenant,
    MalformedTenantName,
    NoCurrentTenant,
    SharedDeletionRefused,
    TenantAccessDenied,
    TenantDeletionRefused,
    TenantkitError,
    TenantNotFound,
    TenantSuspended,
    TenantUnavailable,
)

#: The case of each error, as TENANTKIT_RESPONSES calls it.
CASES: dict[type[TenantkitError], str] = {
    TenantNotFound: "unknown",
    NoCurrentTenant: "missing",
    MalformedTenantName: "malformed",
    AmbiguousTenant: "ambiguous",
    TenantAccessDenied: "denied",
    TenantSuspended: "suspended",
    TenantUnavailable: "maintenance",
    SharedDeletionRefused: "deletion",
    TenantDeletionRefused: "deletion",
}

_STATUS = {
    "unknown": 404,
    "missing": 400,
    "malformed": 400,
    "ambiguous": 400,
    "suspended": 403,
    "maintenance": 503,
    "deletion": 403,
}

_DETAIL = {
    "unknown": gettext_noop("Not found."),
    "missing": gettext_noop("Tenant not identified."),
    "malformed": gettext_noop("The tenant's name is malformed."),
    "ambiguous": gettext_noop("The request names more than one tenant."),
    "suspended": gettext_noop("This account is suspended."),
    "maintenance": gettext_noop("Down for maintenance. Please try again later."),
    "deletion": gettext_noop(
        "More than one account may depend on this, so it cannot be deleted here. Ask those who run this site."
    ),
}


def case_of(error: Exception) -> str | None:
    """The case that clients see for `error`; None for errors that are the program's own."""
    return next((case for kind, case in CASES.items() if isinstance(error, kind)), None)


def answer(request: Any, case: str, tenant: Any = None) -> HttpResponseBase:
    """The answer to a client in one of the cases of TENANTKIT_RESPONSES. JSON for a client that prefers it,
    else a page from `django_tenantkit/<case>.html`. `denied` is `unknown`, byte for byte, unless the
    setting says otherwise; the tenant is shown only where the client may act in it."""
    choice = conf.RESPONSES.get(case)
    if case == "denied":
        case = "unknown"
        choice = conf.RESPONSES.get(case) if choice is None else choice
    status = _STATUS[case] if choice is None else choice
    response: HttpResponse
    if isinstance(status, str):
        response = _for_this_client(HttpResponseRedirect(status))
    else:
        shown = tenant if case in ("suspended", "maintenance") else None
        detail = gettext(_DETAIL[case])
        errors = {"detail": detail} if case == "deletion" and is_api(request) else None
        response = refusal(request, case, status, detail, errors, shown)
        if case == "maintenance":
            response.headers["Retry-After"] = str(conf.RETRY_AFTER)
    response._tenantkit_answer = True  # type: ignore[attr-defined]
    return response


def refusal(
    request: Any, case: str, status: int, detail: str, errors: dict[str, Any] | None = None, tenant: Any = None
) -> HttpResponse:
    """A refusal in the form that the client prefers: a page from `django_tenantkit/<case>.html`, or JSON. `errors`,
    where they are given, are the JSON of an API, whose clients get a page only if they ask for one."""
    forms = ["text/html", "application/json"] if errors is None else ["application/json", "text/html"]
    if (request.get_preferred_type(forms) or forms[0]) == "application/json":
        return _for_this_client(JsonResponse({"detail": detail} if errors is None else errors, status=status))
    context = {"detail": detail, "tenant": tenant, "retry_after": conf.RETRY_AFTER}
    return _for_this_client(HttpResponse(_page(case, context), status=status))


def is_api(request: Any) -> bool:
    """Whether the view is one of Django REST framework."""
    view = getattr(request.resolver_match, "func", None)
    return hasattr(getattr(view, "cls", None), "renderer_classes")


def _for_this_client(response: HttpResponse) -> HttpResponse:
    response.headers["Cache-Control"] = "no-store"
    # The same for all: which of them was read on the way here is nobody's business.
    patch_vary_headers(response, ("Accept", "Cookie"))
    return response


def _page(case: str, context: dict[str, Any]) -> str:
    """Rendered without the request: context processors would look at its user and tenant."""
    try:
        template = select_template([f"django_tenantkit/{case}.html", "django_tenantkit/refusal.html"])
    except TemplateDoesNotExist:  # an API without templates
        return str(context["detail"])
    return str(template.render(context))
