"""Views as an adopter writes them, and some that look at what the middleware did."""

from __future__ import annotations

import threading
from importlib.util import find_spec

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.contrib.auth import alogin, get_user_model, login
from django.core.cache import cache
from django.db import transaction
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect
from django.template.response import SimpleTemplateResponse
from django.urls import include, path, reverse
from django.views import View
from django.views.decorators.cache import cache_page

from django_tenantkit import get_current_tenant, require_tenant, tenant_context
from django_tenantkit.decorators import tenant_optional, tenant_required, vary_on_tenant
from django_tenantkit.exceptions import TenantSuspended
from tests.testapp.models import Customer


def home(request):
    """Touches tenant data."""
    return JsonResponse(
        {
            "tenant": request.tenant.slug,
            "named_by": request.tenant_named_by,
            "customers": Customer.objects.count(),
        }
    )


def plain(request):
    """Touches no tenant data."""
    return HttpResponse(f"plain {get_current_tenant() and get_current_tenant().slug}")


@tenant_required
def required(request):
    return HttpResponse("needs a tenant")


@tenant_optional
def optional(request):
    return HttpResponse(f"optional {request.tenant} {get_current_tenant()} {request.tenant_named_by}")


@tenant_optional
def optional_data(request):
    return HttpResponse(str(Customer.objects.count()))


class OptionalClass(View):
    tenant_required = False

    def get(self, request):
        return HttpResponse("optional")


class RequiredClass(OptionalClass):
    tenant_required = True


def links(request):
    return HttpResponse(f"{reverse('home')} {request.path} {request.path_info} {request.get_full_path()}")


def later_links(request):
    return StreamingHttpResponse(reverse("home") for _ in range(2))


def counted(request):
    """A page, with the number of times that it was made."""
    made = cache.get("made", 0) + 1
    cache.set("made", made)
    tenant = get_current_tenant()
    return HttpResponse(f"{tenant.slug if tenant else None} {made}")


def streamed(request):
    def body():
        yield str(Customer.objects.count())
        yield f" {require_tenant().slug}"

    return StreamingHttpResponse(body())


async def astreamed(request):
    async def body():
        yield str(await Customer.objects.acount())
        yield f" {require_tenant().slug}"

    return StreamingHttpResponse(body())


def streamed_with_an_end(request):
    def body():
        try:
            yield "begun"
            yield "never"
        finally:
            cache.set("ended-in", require_tenant().slug)

    return StreamingHttpResponse(body())


async def ahome(request):
    return JsonResponse({"tenant": request.tenant.slug, "customers": await Customer.objects.acount()})


async def athread(request):
    """Where the view runs, and as whom."""
    return HttpResponse(f"{get_current_tenant().slug} {threading.get_ident()}")


def whoami(request):
    return HttpResponse(request.user.username)


async def auser(request):
    return HttpResponse(f"{request.user.username} {(await request.auser()).username}")


def careless(request):
    tenant_context(request.tenant).__enter__()
    return HttpResponse("left open")


def lost(request):
    """Leaves its tenant, and looks for data."""
    with tenant_context(None):
        return HttpResponse(str(Customer.objects.count()))


def log_in(request):
    login(request, get_user_model().objects.get(username=request.GET["user"]))
    return redirect("home")


@tenant_optional
def log_in_optional(request):
    return log_in(request)


async def alog_in(request):
    await alogin(request, await get_user_model().objects.aget(username=request.GET["user"]))
    return HttpResponse("ok")


def form(request):
    """What a view does that a client can see in the headers."""
    request.session["seen"] = True
    get_token(request)
    return HttpResponse("form")


def rendered_late(request):
    response = SimpleTemplateResponse("requests/never.html")
    response.resolve_template = lambda names: _Lazy()
    return response


class _Lazy:
    def render(self, context, request=None):
        return str(Customer.objects.count())


def broken(request):
    raise ZeroDivisionError


class BreaksInMiddleware:
    """Further in than ours."""

    def __init__(self, get_response):
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    sync_capable = async_capable = True

    def __call__(self, request):
        if request.path_info == "/broken-middleware/":
            raise ZeroDivisionError
        return self.get_response(request)


def kept_session(request):
    """Saves the session by itself, and sets a cookie of its own."""
    request.session["seen"] = True
    request.session.save()
    response = HttpResponse("kept")
    response.set_cookie("kept", "yes")
    return response


def later(request):
    """Has something done when its transaction is committed."""
    transaction.on_commit(lambda: get_user_model().objects.count())
    return HttpResponse("later")


def members(request):
    """Looks at the tenant, not at its data."""
    return HttpResponse(f"{request.tenant.memberships.count()} {request.tenant.created_at.year}")


def not_at_work(request):
    raise TenantSuspended(f"{request.tenant.slug} has not paid.")


def session_value(request):
    return HttpResponse(str(request.session.get("basket")))


@cache_page(60)
@vary_on_tenant
async def acounted(request):
    return counted(request)


def health(request):
    return HttpResponse("ok")


urlpatterns = [
    path("", home, name="home"),
    path("plain/", plain),
    path("required/", required),
    path("optional/", optional),
    path("optional-data/", optional_data),
    path("optional-class/", OptionalClass.as_view()),
    path("required-class/", RequiredClass.as_view()),
    path("required-given/", OptionalClass.as_view(tenant_required=True)),
    path("links/", links),
    path("later-links/", later_links),
    path("counted/", counted),
    path("cached/", cache_page(60)(counted)),
    path("cached-varied/", cache_page(60)(vary_on_tenant(counted))),
    path("acached-varied/", acounted),
    path("streamed/", streamed),
    path("astreamed/", astreamed),
    path("streamed-with-an-end/", streamed_with_an_end),
    path("ahome/", ahome),
    path("athread/", athread),
    path("whoami/", whoami),
    path("auser/", auser),
    path("careless/", careless),
    path("lost/", lost),
    path("log-in/", log_in),
    path("log-in-optional/", log_in_optional),
    path("alog-in/", alog_in),
    path("form/", form),
    path("rendered-late/", rendered_late),
    path("broken/", broken),
    path("kept-session/", kept_session),
    path("later/", later),
    path("members/", members),
    path("not-at-work/", not_at_work),
    path("session-value/", session_value),
    path("healthz", health),
    path("probes/deep/", health),
]

if find_spec("rest_framework"):
    urlpatterns.append(path("api/", include("tests.requests.api_urls")))
