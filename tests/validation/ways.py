"""Every way in which Django validates a row before it writes it. Each way is a function of a model, the
row's values and the row to change, if any; it writes the row and returns None, or returns the errors."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.forms import models as model_forms
from django.http import HttpResponse
from django.test import Client
from django.urls import path, reverse
from django.views.generic import CreateView, UpdateView

from tests.testapp.models import Customer, Invoice, Product, Region, Tag

MODELS = (Customer, Invoice, Product, Tag)
site = admin.AdminSite("validation")
site.register(MODELS)


class Errors:
    """Answers with the errors of the form in place of a page."""

    success_url = "/done/"

    def form_invalid(self, form):
        return HttpResponse(form.errors.as_json())


class Add(Errors, CreateView):
    pass


class Change(Errors, UpdateView):
    pass


def view(kind):
    """`kind` for the model and the fields that the address names."""

    def run(request, model_name, fields, **kwargs):
        model = next(model for model in MODELS if model._meta.model_name == model_name)
        return kind.as_view(model=model, fields=fields.split(","))(request, **kwargs)

    return run


urlpatterns = [
    path("admin/", site.urls),
    path("<model_name>/<fields>/add/", view(Add)),
    path("<model_name>/<fields>/<pk>/", view(Change)),
]


def full_clean(model, values, row=None):
    row = row or model()
    for name, value in values.items():
        setattr(row, name, value)
    try:
        row.full_clean()
    except ValidationError as error:
        return error.message_dict
    row.save()
    return None


def form(model, values, row=None):
    bound = model_forms.modelform_factory(model, fields=list(values))(_posted(values), instance=row)
    return _saved(bound)


def form_of_all_fields(model, values, row=None):
    bound = model_forms.modelform_factory(model, fields="__all__")(_all_fields(model, values, row), instance=row)
    return _saved(bound)


def formset(model, values, row=None):
    made = model_forms.modelformset_factory(model, fields=list(values), extra=1)
    rows = model._default_manager.filter(pk=row.pk) if row else model._default_manager.none()
    return _saved(made(_management(values, row), queryset=rows))


def admin_site(model, values, row=None):
    meta = model._meta
    name = f"validation:{meta.app_label}_{meta.model_name}_{'change' if row else 'add'}"
    response = _operator().post(reverse(name, args=[row.pk] if row else []), _all_fields(model, values, row))
    if response.status_code == 302:
        return None
    return response.context["adminform"].form.errors or response.context["errors"]


def generic_view(model, values, row=None):
    address = f"/{model._meta.model_name}/{','.join(values)}/{row.pk if row else 'add'}/"
    response = Client().post(address, _posted(values))
    return None if response.status_code == 302 else response.content


def _operator():
    user, _ = get_user_model().objects.get_or_create(username="operator", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(user)
    return client


def _saved(bound):
    if not bound.is_valid():
        return bound.errors
    bound.save()
    return None


def _posted(values):
    return {name: getattr(value, "pk", value) for name, value in values.items() if value not in (None, [])}


def _all_fields(model, values, row):
    initial = model_forms.model_to_dict(row or model())
    if "regions" in initial:
        initial["regions"] = [Region.objects.create(name="north").pk]
    return _posted(initial | values)


def _management(values, row=None, prefix="form"):
    initial = 1 if row else 0
    data = {f"{prefix}-TOTAL_FORMS": 1, f"{prefix}-INITIAL_FORMS": initial}
    data |= {f"{prefix}-0-{name}": value for name, value in _posted(values).items()}
    return data | ({f"{prefix}-0-id": row.pk} if row else {})


WAYS = {
    "full_clean": full_clean,
    "form": form,
    "form of all fields": form_of_all_fields,
    "formset": formset,
    "generic view": generic_view,
    "admin": admin_site,
}
