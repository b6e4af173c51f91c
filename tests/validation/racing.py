"""Views that write a row which somebody else has written since it was validated."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.db.models import RestrictedError
from django.forms import modelform_factory
from django.http import Http404, HttpResponse
from django.urls import path
from django.views import View
from django.views.generic import CreateView

from tests.testapp.models import Customer, Product, Tag

site = admin.AdminSite("racing")
site.register(Tag)


class OwnError(Exception):
    """The project's."""


def tag_form(request):
    form = modelform_factory(Tag, fields=["label"])(request.POST)
    assert form.is_valid(), form.errors
    return form


def function(request):
    tag_form(request).save()
    return HttpResponse("saved")


def in_a_block(request):
    request.session["seen"] = True
    with transaction.atomic():
        tag_form(request).save()
    return HttpResponse("saved")


def and_goes_on(request):
    """Takes no notice of a transaction that is broken."""
    with transaction.atomic():
        try:
            tag_form(request).save()
        except IntegrityError:
            return HttpResponse(Tag.objects.count())
    return HttpResponse("saved")


def again(request):
    try:
        tag_form(request).save()
    except IntegrityError as error:
        raise IntegrityError("with other words") from error
    return HttpResponse("saved")


def without_a_cause(request):
    try:
        tag_form(request).save()
    except IntegrityError as error:
        raise error from None
    return HttpResponse("saved")


async def coroutine(request):
    await Tag.objects.acreate(label=request.POST["label"])
    return HttpResponse("saved")


class Coroutine(View):
    async def post(self, request):
        return await coroutine(request)


class Add(CreateView):
    model = Tag
    fields = ["label"]
    success_url = "/done/"


def product(request):
    Product.objects.create(sku=request.POST["label"])


def customer(request):
    Customer.objects.create(email=request.POST["label"])


def own_error(request):
    try:
        tag_form(request).save()
    except IntegrityError as error:
        raise OwnError from error


def not_found(request):
    try:
        tag_form(request).save()
    except IntegrityError as error:
        raise Http404("gone") from error


def mistake_in_a_handler(request):
    try:
        tag_form(request).save()
    except IntegrityError:
        raise OwnError("a mistake")  # noqa: B904 - no cause, as where it happens by itself


def other_error_of_the_database(request):
    try:
        tag_form(request).save()
    except IntegrityError:
        raise RestrictedError("in use", set())  # noqa: B904 - no cause, as where it happens by itself


def same_key(request):
    Tag.objects.bulk_create([Tag(pk=1, label="a"), Tag(pk=1, label="b")])


def nothing_given(request):
    Tag.objects.create(label=None)


def shared_name(request):
    for _ in range(2):
        get_user_model().objects.create(username="same")


#: Views that end in a duplicate which the client is to know of.
TOLD = [function, in_a_block, and_goes_on, again, without_a_cause]
ASYNCHRONOUS = {"coroutine": coroutine, "Coroutine": Coroutine.as_view()}
#: Views that end in another error.
OTHER = {
    own_error: OwnError,
    mistake_in_a_handler: OwnError,
    other_error_of_the_database: RestrictedError,
    same_key: IntegrityError,
    nothing_given: IntegrityError,
    shared_name: IntegrityError,
}

urlpatterns = [
    path("admin/", site.urls),
    path("Add/", Add.as_view()),
    path("not_found/", not_found),
    *(path(f"{view.__name__}/", view) for view in (*TOLD, *OTHER, product, customer)),
    *(path(f"{name}/", view) for name, view in ASYNCHRONOUS.items()),
]
