"""wagtail, as it is: pages of two kinds, snippets, images, documents and redirects, tenant by tenant."""

from __future__ import annotations

import io
import json

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image as Picture
from wagtail.documents.models import Document
from wagtail.images.models import Image
from wagtail.models import Page, PageLogEntry, Revision, Site

from django_tenantkit import tenant_context
from django_tenantkit.testing.client import TenantClient
from tests.thirdparty.cms.models import ArticlePage, EventPage, Notice

pytestmark = pytest.mark.thirdparty

KINDS = {"article": ArticlePage, "event": EventPage}


def rich(text):
    """Text as the editor sends it."""
    block = {"key": "a", "text": text, "type": "unstyled", "depth": 0, "inlineStyleRanges": [], "entityRanges": []}
    return json.dumps({"blocks": [block], "entityMap": {}})


@pytest.fixture(scope="module")
def homes(clients, django_db_blocker):
    """The key of each tenant's first page, under which the others are."""
    found = {}
    with django_db_blocker.unblock():
        for slug, client in clients.items():
            with tenant_context(client.tenant):
                found[slug] = Site.objects.get().root_page_id
    return found


@pytest.fixture(scope="module")
def pages(clients, homes, django_db_blocker):
    """An article and an event in each, published; their keys by slug and kind."""
    with django_db_blocker.unblock():
        for kind, words in (("article", {"body": rich}), ("event", {"place": str})):
            for slug, client in clients.items():
                values = {name: write(f"{slug} {name}") for name, write in words.items()}
                client.fill_in(
                    f"/cms/pages/add/cms/{kind}page/{homes[slug]}/",
                    at="title",
                    title=f"{slug} {kind}",
                    slug=kind,
                    **values,
                    **{"action-publish": "action-publish"},
                )
        found = {}
        for slug, client in clients.items():
            with tenant_context(client.tenant):
                found[slug] = {kind: Page.objects.get(slug=kind).pk for kind in KINDS}
    return found


def others(slug, clients):
    return [other for other in clients if other != slug]


def test_ids_have_drifted(pages):
    assert len({tuple(found.values()) for found in pages.values()}) == 3
    assert len({key for found in pages.values() for key in found.values()}) < 6, "no key is another page elsewhere"


def test_pages_have_the_type_that_they_were_made_as(clients, pages):
    for client in clients.values():
        with tenant_context(client.tenant):
            for kind, model in KINDS.items():
                page = Page.objects.get(slug=kind)
                assert page.content_type.model_class() is model
                assert type(page.specific) is model
            assert {revision.base_content_type.model for revision in Revision.objects.all()} == {"page"}
            assert {revision.content_type.model for revision in Revision.objects.all()} == {"articlepage", "eventpage"}
            assert {entry.content_type.model for entry in PageLogEntry.objects.all()} >= {"articlepage", "eventpage"}


def test_the_public_pages_are_the_tenants(clients, pages):
    for _ in range(2):
        for slug, client in clients.items():
            for kind, model in KINDS.items():
                text = client.get(f"/{kind}/").content.decode()
                assert f"{slug} {kind}" in text
                assert model._meta.model_name in text


def test_addresses_of_pages_are_the_tenants(clients, pages):
    """Where a site begins is kept in Django's cache, by one key."""
    for _ in range(2):
        for slug, client in clients.items():
            with tenant_context(client.tenant):
                assert Page.objects.get(pk=pages[slug]["event"]).get_url() == "/event/"
                assert Site.get_site_root_paths()[0][1] == Site.objects.get().root_page.url_path


def test_the_list_has_its_own(clients, pages, homes):
    for slug, client in clients.items():
        text = client.get(f"/cms/pages/{homes[slug]}/").content.decode()
        assert f"{slug} article" in text
        assert f"{slug} event" in text


def test_a_search_finds_its_own(clients, pages):
    for slug, client in clients.items():
        assert f"{slug} article" in client.get("/cms/pages/search/results/", {"q": "article"}).content.decode()
        for other in others(slug, clients):
            found = client.get("/cms/pages/search/results/", {"q": other[1:]}).content.decode()
            assert "There are 0 matches" in found or "no pages match" in found.lower() or "0 match" in found


def test_pages_of_others_are_not_there(clients, pages):
    for slug, client in clients.items():
        own = set(pages[slug].values())
        for other in others(slug, clients):
            for key in set(pages[other].values()) - own:
                with tenant_context(client.tenant):
                    is_other_row = Page.objects.filter(pk=key).exists()
                assert client.get(f"/cms/pages/{key}/edit/").status_code == (200 if is_other_row else 404)


def test_editing(clients, pages):
    for slug, client in clients.items():
        client.fill_in(
            f"/cms/pages/{pages[slug]['event']}/edit/",
            at="title",
            place=f"{slug} hall",
            **{"action-publish": "action-publish"},
        )
    for slug, client in clients.items():
        assert f"{slug} hall" in client.get("/event/").content.decode()
        assert f"{slug} event" in client.get(f"/cms/pages/{pages[slug]['event']}/history/").content.decode()


def test_reports_have_their_own(clients, pages):
    for slug, client in clients.items():
        for path in (
            "/cms/",
            "/cms/reports/site-history/",
            "/cms/reports/aging-pages/",
            "/cms/reports/page-types-usage/",
        ):
            assert client.get(path).status_code == 200
        assert f"{slug} article" in client.get("/cms/pages/usage/cms/articlepage/").content.decode()
        assert f"{slug} event" in client.get("/cms/reports/site-history/").content.decode()


def test_snippets(clients):
    for slug, client in clients.items():
        for word in ("first", "second"):
            client.fill_in("/cms/snippets/cms/notice/add/", at="text", text=f"{slug} {word} notice")
    for slug, client in clients.items():
        assert f"{slug} first notice" in client.get("/cms/snippets/cms/notice/").content.decode()
        with tenant_context(client.tenant):
            key = Notice.objects.get(text=f"{slug} first notice").pk
        client.fill_in(f"/cms/snippets/cms/notice/edit/{key}/", at="text", text=f"{slug} third notice")
        assert client.post(f"/cms/snippets/cms/notice/delete/{key}/").status_code == 302
    for slug, client in clients.items():
        with tenant_context(client.tenant):
            assert [notice.text for notice in Notice.objects.all()] == [f"{slug} second notice"]


def picture():
    written = io.BytesIO()
    Picture.new("RGB", (20, 10), "red").save(written, "PNG")
    return written.getvalue()


def test_images_and_documents(clients):
    for slug, client in clients.items():
        file = SimpleUploadedFile(f"{slug}.png", picture(), "image/png")
        assert client.post("/cms/images/add/", {"title": f"{slug} picture", "file": file}).status_code == 302
        file = SimpleUploadedFile(f"{slug}.txt", f"of {slug}".encode(), "text/plain")
        assert client.post("/cms/documents/add/", {"title": f"{slug} paper", "file": file}).status_code == 302
    for slug, client in clients.items():
        assert f"{slug} picture" in client.get("/cms/images/").content.decode()
        assert f"{slug} paper" in client.get("/cms/documents/").content.decode()
        with tenant_context(client.tenant):
            paper, image = Document.objects.get(), Image.objects.get()
        served = TenantClient(client.tenant).get(f"/documents/{paper.pk}/{paper.filename}")
        assert b"".join(served.streaming_content) == f"of {slug}".encode()
        assert client.get(f"/cms/images/{image.pk}/").status_code == 200


def test_redirects(clients):
    for slug, client in clients.items():
        client.fill_in("/cms/redirects/add/", at="old_path", old_path="/old", redirect_link=f"http://{slug}.org/new")
    for slug, client in clients.items():
        assert client.get("/old").url == f"http://{slug}.org/new"


def test_users_and_groups_are_the_tenants(clients):
    for slug, client in clients.items():
        with tenant_context(client.tenant):
            key = User.objects.get(username="boss").pk
        assert f"boss@{slug}.org" in client.get(f"/cms/users/edit/{key}/").content.decode()
        assert client.get("/cms/users/").status_code == 200
        assert client.get("/cms/groups/").status_code == 200


def test_moving_copying_unpublishing_and_deleting(clients, pages, homes):
    for slug, client in clients.items():
        client.fill_in(
            f"/cms/pages/{pages[slug]['article']}/copy/",
            at="new_title",
            new_title=f"{slug} copy",
            new_slug="copy",
            new_parent_page=str(homes[slug]),
            publish_copies="on",
        )
    keys = {}
    for slug, client in clients.items():
        assert f"{slug} copy" in client.get("/copy/").content.decode()
        with tenant_context(client.tenant):
            keys[slug] = Page.objects.get(slug="copy").pk
        path = f"/cms/pages/{keys[slug]}/move/{pages[slug]['event']}/confirm/"
        assert client.post(path).status_code == 302
        assert f"{slug} copy" in client.get("/event/copy/").content.decode()
    for slug, client in clients.items():
        assert client.post(f"/cms/pages/{pages[slug]['article']}/unpublish/").status_code == 302
        assert client.get("/article/").status_code == 404
        assert client.get("/event/copy/").status_code == 200
    for slug, client in clients.items():
        assert client.post(f"/cms/pages/{keys[slug]}/delete/").status_code == 302
        with tenant_context(client.tenant):
            assert not Page.objects.filter(slug="copy").exists()
            assert Page.find_problems() == ([], [], [], [], [])
