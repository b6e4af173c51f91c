"""Tenants named by a prefix of the path."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.test import Client
from django.test.utils import override_script_prefix
from django.urls import get_script_prefix, reverse

from tests.requests.conftest import logged_in

HOST = {"host": "example.com"}


@pytest.fixture(autouse=True)
def _by_path(settings):
    settings.TENANTKIT_RESOLVERS = ["django_tenantkit.resolvers.PathResolver"]


def test_the_path_names_the_tenant(acme, member):
    answer = logged_in(member).get("/t/acme/", headers=HOST).json()
    assert answer == {"tenant": "acme", "named_by": "path", "customers": 1}


@pytest.mark.parametrize("path", ["/t/acme", "/t/acme/"])
def test_the_slash_after_the_name_may_be_missing(acme, member, path):
    assert logged_in(member).get(path, headers=HOST).status_code == 200


def test_reversing_keeps_the_prefix(acme, member):
    answer = logged_in(member).get("/t/acme/links/?a=1", headers=HOST)
    assert answer.content == b"/t/acme/ /t/acme/links/ /links/ /t/acme/links/?a=1"
    assert get_script_prefix() == "/"


def test_reversing_in_a_streamed_body_keeps_the_prefix(acme, member):
    answer = logged_in(member).get("/t/acme/later-links/", headers=HOST)
    assert answer.getvalue() == b"/t/acme/" * 2
    assert get_script_prefix() == "/"


def test_the_prefix_comes_after_that_of_the_server(acme, member):
    with override_script_prefix("/site/"):
        answer = logged_in(member).get("/t/acme/links/", headers=HOST, SCRIPT_NAME="/site")
    assert answer.content.startswith(b"/site/t/acme/ /site/t/acme/links/")


def test_a_missing_slash_is_appended_behind_the_prefix(acme, member):
    answer = logged_in(member).get("/t/acme/plain", headers=HOST)
    assert (answer.status_code, answer["Location"]) == (301, "/t/acme/plain/")


def test_redirects_stay_in_the_tenant(acme, member):
    answer = logged_in(member).get("/t/acme/log-in/?user=member", headers=HOST)
    assert answer["Location"] == "/t/acme/"


@pytest.mark.parametrize("path", ["/plain/", "/t/", "/t//plain/", "/tea/acme/", "/t/admin/"])
def test_other_paths_name_no_tenant(client, acme, path):
    assert client.get(path, headers=HOST).status_code == (200 if path == "/plain/" else 404)


@pytest.mark.parametrize("slug", ["nosuch", "ACME", "a.b", "%2e%2e", "acme%00"])
def test_an_unknown_name_is_not_found(client, acme, slug):
    assert client.get(f"/t/{slug}/plain/", headers=HOST).status_code == 404


def test_the_prefix_may_have_another_name_or_none(acme, member, settings):
    client = logged_in(member)
    settings.TENANTKIT_PATH_PREFIX = "org"
    assert client.get("/org/acme/links/", headers=HOST).content.startswith(b"/org/acme/ ")
    settings.TENANTKIT_PATH_PREFIX = ""
    assert client.get("/acme/links/", headers=HOST).content.startswith(b"/acme/ ")
    assert client.get("/static/", headers=HOST).status_code == 404


def test_a_page_cached_for_one_path_is_not_served_for_another(acme, member):
    client = logged_in(member)
    assert client.get("/t/acme/cached/", headers=HOST).content == b"acme 1"
    assert client.get("/t/acme/cached/", headers=HOST).content == b"acme 1"
    assert client.get("/t/nosuch/cached/", headers=HOST).status_code == 404
    assert Client().get("/t/acme/cached/", headers=HOST).status_code == 404


def test_the_prefix_is_seen_by_no_other_thread(acme, member, monkeypatch):
    both_in = threading.Barrier(2, timeout=10)
    seen = {}

    def links(name):
        both_in.wait()
        seen[name] = reverse("home")
        both_in.wait()

    monkeypatch.setattr("tests.requests.urls.reverse", lambda view: links("tenant") or "")
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(links, "other")
        logged_in(member).get("/t/acme/links/", headers=HOST)
        waiting.result()
    assert seen == {"tenant": "/t/acme/", "other": "/"}
