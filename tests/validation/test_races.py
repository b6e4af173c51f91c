"""A duplicate that validation did not see is a 400, with nothing in the settings but the middleware."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from django.contrib.auth import get_user_model
from django.db import IntegrityError, connection
from django.db.models.signals import pre_save
from django.db.transaction import TransactionManagementError
from django.test import Client

from django_tenantkit import get_current_tenant, tenant_context
from django_tenantkit.duplicates import find_duplicate
from django_tenantkit.models import Membership
from tests.aio import in_this_thread
from tests.requests.conftest import AsyncHostClient
from tests.testapp.models import Customer, Product, Tag
from tests.validation.racing import ASYNCHRONOUS, OTHER, TOLD

pytestmark = pytest.mark.django_db(transaction=True)

ACME = {"host": "acme.example.com"}
NAMES = [*(view.__name__ for view in TOLD), "Add"]
TAKEN = "Tag with this Label already exists."


@pytest.fixture(autouse=True)
def urls(settings):
    settings.ROOT_URLCONF = "tests.validation.racing"


@pytest.fixture(params=[False, True], ids=["", "ATOMIC_REQUESTS"])
def atomic_requests(request, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", request.param)


@contextmanager
def quicker(model=Tag, **values):
    """Somebody else inserts a row with `values` when the next one is saved: after it was validated."""

    def insert(sender, **kwargs):
        pre_save.disconnect(insert, sender=model)
        model.objects.bulk_create([model(**values)])

    pre_save.connect(insert, sender=model)
    yield
    assert not pre_save.disconnect(insert, sender=model), "nobody saved anything"


def refused(response):
    return response.status_code == 400 and TAKEN in response.text and "no-store" in response["Cache-Control"]


@pytest.mark.parametrize("name", NAMES)
def test_the_client_is_told(name, acme, atomic_requests):
    with quicker(label="red"):
        response = Client().post(f"/{name}/", {"label": "red"}, headers=ACME)
    assert refused(response)
    assert response["Content-Type"].startswith("text/html")
    assert get_current_tenant() is None
    assert Client().post(f"/{name}/", {"label": "blue"}, headers=ACME).status_code in (200, 302)


@pytest.mark.parametrize("name", [*NAMES, *ASYNCHRONOUS])
@in_this_thread
async def test_the_client_is_told_by_an_asynchronous_server(name, acme):
    with quicker(label="red"):
        response = await AsyncHostClient().post(f"/{name}/", {"label": "red"}, headers=ACME)
    assert refused(response)


@pytest.mark.parametrize("name", ASYNCHRONOUS)
def test_the_client_of_a_coroutine_is_told(name, acme):
    with quicker(label="red"):
        assert refused(Client().post(f"/{name}/", {"label": "red"}, headers=ACME))


def test_the_admin_tells(acme, atomic_requests):
    user = get_user_model().objects.create_superuser("boss")
    Membership.objects.create(user=user, tenant=acme)
    client = Client()
    with tenant_context(acme):
        client.force_login(user)
    with quicker(label="red"):
        response = client.post("/admin/testapp/tag/add/", {"label": "red"}, headers=ACME)
    assert refused(response)


def test_a_client_that_prefers_json_gets_json(acme):
    with quicker(label="red"):
        response = Client().post("/function/", {"label": "red"}, headers={**ACME, "accept": "application/json"})
    assert (response.status_code, response.json()) == (400, {"detail": TAKEN})


@pytest.mark.parametrize(
    ("name", "model", "field", "message"),
    [
        ("customer", Customer, "email", "Customer with this Email already exists."),
        ("product", Product, "sku", "Constraint “unique_sku” is violated."),
    ],
    ids=["a condition", "an expression"],
)
def test_every_kind_of_constraint(name, model, field, message, acme):
    with tenant_context(acme):
        model.objects.create(**{field: "p-1@x.org"})
    response = Client().post(f"/{name}/", {"label": "p-1@x.org"}, headers=ACME)
    assert (response.status_code, message in response.text) == (400, True)


def test_what_the_view_did_to_the_session_goes_no_further(acme):
    with quicker(label="red"):
        response = Client().post("/in_a_block/", {"label": "red"}, headers=ACME)
    assert response.status_code == 400
    assert not response.cookies


def test_another_tenants_value_is_free(acme, globex):
    with tenant_context(globex):
        Tag.objects.create(label="red")
    assert Client().post("/function/", {"label": "red"}, headers=ACME).status_code == 200


@pytest.mark.parametrize("name", [view.__name__ for view in OTHER])
def test_other_errors_stay_what_they_are(name, acme):
    error = next(error for view, error in OTHER.items() if view.__name__ == name)
    with tenant_context(acme):
        Tag.objects.create(pk=1, label="taken")
    if error is not IntegrityError:
        with quicker(label="red"), pytest.raises(error):
            Client().post(f"/{name}/", {"label": "red"}, headers=ACME)
    else:
        with pytest.raises(error):
            Client().post(f"/{name}/", {"label": "red"}, headers=ACME)


def test_another_answer_stays_what_it_is(acme):
    with quicker(label="red"):
        assert Client().post("/not_found/", {"label": "red"}, headers=ACME).status_code == 404


def test_an_error_without_a_driver_behind_it_is_none_of_ours():
    for error in (IntegrityError("UNIQUE constraint failed"), TransactionManagementError(), ValueError(), None):
        assert find_duplicate(error) is None
