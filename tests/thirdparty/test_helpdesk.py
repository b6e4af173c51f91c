"""django-helpdesk, as it is: queues, tickets, comments, searches, deletion and the public pages, tenant by tenant."""

from __future__ import annotations

import json
import re

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from helpdesk.models import FollowUp, Queue, Ticket

from django_tenantkit import tenant_context
from django_tenantkit.testing.client import TenantClient

pytestmark = pytest.mark.thirdparty


@pytest.fixture(scope="module")
def queues(clients, django_db_blocker):
    """A queue in each, made in the admin; its key by slug."""
    with django_db_blocker.unblock():
        for slug, client in clients.items():
            client.fill_in("/admin/helpdesk/queue/add/", at="title", title=f"{slug} queue", slug="main")
        return {slug: key_of(client, Queue, title=f"{slug} queue") for slug, client in clients.items()}


@pytest.fixture(scope="module")
def tickets(clients, queues, django_db_blocker):
    """A ticket in each; its key by slug."""
    with django_db_blocker.unblock():
        for slug, client in clients.items():
            client.fill_in(
                "/helpdesk/tickets/submit/",
                at="title",
                queue=queues[slug],
                title=f"{slug} printer",
                body=f"burns at {slug}",
                submitter_email=f"guest@{slug}.org",
            )
        return {slug: key_of(client, Ticket, title=f"{slug} printer") for slug, client in clients.items()}


def key_of(client, model, **values):
    with tenant_context(client.tenant):
        return model.objects.values_list("pk", flat=True).get(**values)


def test_ids_have_drifted(tickets, clients):
    assert len(set(tickets.values())) == 3
    types = {}
    for slug, client in clients.items():
        with tenant_context(client.tenant):
            types[slug] = dict(ContentType.objects.values_list("model", "pk"))
    assert len({found["ticket"] for found in types.values()}) == 3
    assert set(types["acme"].values()) & set(types["globex"].values()) & set(types["initech"].values())


def test_a_queue_has_its_permission_with_the_right_content_type(clients, queues):
    for client in clients.values():
        with tenant_context(client.tenant):
            permission = Permission.objects.get(codename="queue_access_main")
            assert permission.content_type.model_class() is Queue


def test_a_ticket_is_shown_to_its_own(clients, tickets):
    for slug, client in clients.items():
        page = client.get(f"/helpdesk/tickets/{tickets[slug]}/").content.decode()
        assert f"{slug} printer" in page
        assert f"burns at {slug}" in page
        for other in set(tickets) - {slug}:
            assert client.get(f"/helpdesk/tickets/{tickets[other]}/").status_code == 404


def listed(client, **params):
    """The titles in the list of tickets, as the page's script asks for them."""
    page = client.get("/helpdesk/tickets/", params).content.decode()
    path = re.search(r"/helpdesk/datatables_ticket_list/[A-Za-z0-9+/=]*", page).group()
    rows = client.get(path, {"draw": 1, "start": 0, "length": 50, "order[0][column]": 0, "order[0][dir]": "asc"})
    return [row["title"] for row in json.loads(rows.content)["data"]]


def test_the_list_has_its_own(clients, tickets):
    for slug, client in clients.items():
        assert listed(client) == [f"{slug} printer"]


def test_a_search_finds_its_own(clients, tickets):
    for slug, client in clients.items():
        assert listed(client, q="printer") == [f"{slug} printer"]
        for other in set(tickets) - {slug}:
            assert listed(client, q=other[1:]) == []


def test_dashboard_reports_and_feeds_have_their_own(clients, tickets):
    for slug, client in clients.items():
        assert f"{slug} printer" in client.get("/helpdesk/dashboard/").content.decode()
        assert client.get("/helpdesk/reports/").status_code == 200
        assert client.get("/helpdesk/reports/queuepriority/").status_code == 200
        assert f"{slug} printer" in client.get("/helpdesk/rss/unassigned/").content.decode()


def test_comments(clients, tickets):
    for slug, client in clients.items():
        ticket = tickets[slug]
        client.fill_in(
            f"/helpdesk/tickets/{ticket}/",
            at="comment",
            to=f"/helpdesk/tickets/{ticket}/update/",
            comment=f"water at {slug}",
            owner="0",
            due_date="",
        )
    for slug, client in clients.items():
        assert f"water at {slug}" in client.get(f"/helpdesk/tickets/{tickets[slug]}/").content.decode()
        with tenant_context(client.tenant):
            assert FollowUp.objects.get(comment__startswith="water").ticket_id == tickets[slug]


def test_editing(clients, tickets):
    for slug, client in clients.items():
        client.fill_in(f"/helpdesk/tickets/{tickets[slug]}/edit/", at="title", title=f"{slug} printer, edited")
    for slug, client in clients.items():
        with tenant_context(client.tenant):
            assert [ticket.title for ticket in Ticket.objects.all()] == [f"{slug} printer, edited"]
    for slug, client in clients.items():
        client.fill_in(f"/helpdesk/tickets/{tickets[slug]}/edit/", at="title", title=f"{slug} printer")


def public_name(client, key):
    """What a mail to whoever sent the ticket has in its link."""
    with tenant_context(client.tenant):
        ticket = Ticket.objects.get(pk=key)
        return {"ticket": ticket.ticket_for_url, "email": ticket.submitter_email, "key": ticket.secret_key}


def test_the_public_page_shows_its_own(clients, tickets):
    for slug, client in clients.items():
        guest = TenantClient(client.tenant)
        own = guest.get("/helpdesk/view/", public_name(client, tickets[slug]))
        assert f"{slug} printer" in own.content.decode()
        for other in set(tickets) - {slug}:
            assert guest.get("/helpdesk/view/", public_name(clients[other], tickets[other])).status_code == 403


def test_deletion(clients, tickets, queues):
    for slug, client in clients.items():
        client.fill_in(
            "/helpdesk/tickets/submit/",
            at="title",
            queue=queues[slug],
            title=f"{slug} to go",
            body="soon",
            submitter_email=f"guest@{slug}.org",
        )
    for slug, client in clients.items():
        key = key_of(client, Ticket, title=f"{slug} to go")
        assert client.post(f"/helpdesk/tickets/{key}/delete/", {"next": ""}).status_code == 302
        with tenant_context(client.tenant):
            assert not Ticket.objects.filter(pk=key).exists()
    for slug, client in clients.items():
        assert listed(client) == [f"{slug} printer"]
