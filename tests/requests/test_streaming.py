"""Bodies that are produced after the view has returned."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.http import FileResponse

from django_tenantkit import get_current_tenant, tenant_context
from django_tenantkit.streaming import carry_body
from tests.aio import in_this_thread
from tests.requests.conftest import AsyncHostClient, logged_in

ACME = {"host": "acme.example.com"}


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
@pytest.mark.parametrize("path", ["/streamed/", "/astreamed/"])
def test_a_body_is_produced_in_the_tenant_of_its_request(client, acme, globex, path):
    answer = client.get(path, headers=ACME)
    with tenant_context(globex):
        assert b"".join(answer) == b"1 acme"
        assert get_current_tenant() == globex


@pytest.mark.parametrize("path", ["/streamed/", "/astreamed/"])
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
@in_this_thread
async def test_a_body_is_produced_in_its_tenant_under_asgi_too(path, acme, globex):
    answer = await AsyncHostClient().get(path, headers=ACME)
    with tenant_context(globex):
        assert b"".join([part async for part in answer]) == b"1 acme"
        assert get_current_tenant() == globex


def test_two_bodies_may_be_produced_in_turns(client, acme, globex):
    first = iter(client.get("/streamed/", headers=ACME))
    second = iter(client.get("/streamed/", headers={"host": "globex.example.com"}))
    assert [next(first), next(second), next(first), next(second)] == [b"1", b"2", b" acme", b" globex"]
    assert get_current_tenant() is None


def test_a_body_that_is_not_wanted_any_more_ends_in_its_tenant(client, acme):
    answer = client.get("/streamed-with-an-end/", headers=ACME)
    assert next(iter(answer)) == b"begun"
    answer.close()
    assert cache.get("ended-in") == "acme"


def test_a_body_has_the_guard_of_its_request(acme, stranger, settings):
    settings.TENANTKIT_RESOLVERS = ["django_tenantkit.resolvers.HeaderResolver"]
    answer = logged_in(stranger).get("/streamed/", headers={"host": "example.com", "x-tenant-id": "acme"})
    assert answer.status_code == 404
    assert not answer.streaming


def test_a_body_without_a_tenant_has_none(client, acme):
    answer = client.get("/later-links/", headers={"host": "example.com"})
    with tenant_context(acme):
        assert answer.getvalue() == b"//"


def test_a_file_is_left_to_the_server(tmp_path):
    (tmp_path / "file").write_text("content")
    with (tmp_path / "file").open("rb") as file:
        response = FileResponse(file)
        carry_body(response, None)
        assert response.file_to_stream is file


def test_a_template_is_rendered_in_the_tenant(client, acme):
    assert client.get("/rendered-late/", headers=ACME).content == b"1"
