"""A tenant's admin exports and loads the tenant, and nobody else does."""

from __future__ import annotations

import io
import os
import tarfile
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, connections, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from django_tenantkit import tenant_context
from django_tenantkit.lifecycle.archive import asking
from django_tenantkit.lifecycle.archive.asking import run_waiting
from django_tenantkit.models import Job, JobState, Membership, Tenant
from tests.erasing.papers.models import Folder, Paper
from tests.lifecycle.helpers import Ran
from tests.operating import operated
from tests.testapp.models import Customer

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="archives need PostgreSQL"),
]


@pytest.fixture(autouse=True)
def site(settings: Any, tmp_path: Any, request: Any) -> None:
    request.getfixturevalue("with_middleware")
    settings.ROOT_URLCONF = "tests.drf.archives"
    settings.TENANTKIT_ARCHIVE_FOLDER = str(tmp_path)


def member(tenant: Tenant, role: str) -> Any:
    user = get_user_model().objects.create(username=f"{role} of {tenant.slug}")
    operated(Membership.objects.create, tenant=tenant, user=user, role=role)
    return user


def client(user: Any, slug: str = "acme") -> APIClient:
    made = APIClient(headers={"host": f"{slug}.example.com"})
    made.force_authenticate(user)
    return made


@pytest.fixture
def admin(acme: Tenant) -> APIClient:
    with tenant_context(acme):
        Customer.objects.create(name="first")
    return client(member(acme, "admin"))


def downloaded(api: APIClient) -> bytes:
    uid = api.post("/archives/").json()["uid"]
    run_waiting()
    return b"".join(api.get(f"/archives/{uid}/download/").streaming_content)


def test_an_archive_is_asked_for_and_fetched_when_it_is_done(admin: APIClient) -> None:
    answer = admin.post("/archives/")
    assert (answer.status_code, answer.json()["state"], answer.json()["is_ready"]) == (202, "waiting", False)
    uid = answer.json()["uid"]
    assert admin.get(f"/archives/{uid}/download/").status_code == 404
    assert Ran("run_archives").out == "1 archives written or loaded.\n"
    (found,) = admin.get("/archives/").json()
    assert (found["uid"], found["state"], found["is_ready"], found["rows"]["testapp.Customer"]) == (
        uid,
        "done",
        True,
        1,
    )
    answer = admin.get(f"/archives/{uid}/download/")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="acme.tar.gz"'
    with tarfile.open(fileobj=io.BytesIO(b"".join(answer.streaming_content))) as archive:
        assert "data/testapp.Customer/00001.jsonl" in archive.getnames()


def test_another_one_at_the_same_time_is_a_conflict(admin: APIClient) -> None:
    admin.post("/archives/")
    assert admin.post("/archives/").status_code == 409


def test_loading_puts_rows_back(admin: APIClient, acme: Tenant) -> None:
    archive = downloaded(admin)
    with tenant_context(acme):
        Customer.objects.update(name="changed")
    answer = admin.post("/archives/load/", {"file": io.BytesIO(archive)}, format="multipart")
    assert answer.status_code == 202
    run_waiting()
    with tenant_context(acme):
        assert Customer.objects.get().name == "first"
    assert Job.objects.get(uid=answer.json()["uid"]).state == JobState.DONE


def test_another_tenants_archive_is_refused(admin: APIClient, globex: Tenant) -> None:
    archive = downloaded(admin)
    theirs = client(member(globex, "admin"), "globex")
    answer = theirs.post("/archives/load/", {"file": io.BytesIO(archive)}, format="multipart")
    assert (answer.status_code, answer.json()) == (400, {"file": ["The archive is another tenant's."]})
    assert not Job.objects.filter(tenant=globex).exists()


def test_what_is_no_archive_is_refused_and_not_kept(admin: APIClient, tmp_path: Any) -> None:
    answer = admin.post("/archives/load/", {"file": io.BytesIO(b"x" * 1000)}, format="multipart")
    assert answer.status_code == 400
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert admin.post("/archives/load/", {}, format="multipart").status_code == 400


def test_another_tenants_job_is_not_there(admin: APIClient, globex: Tenant) -> None:
    uid = admin.post("/archives/").json()["uid"]
    run_waiting()
    theirs = client(member(globex, "admin"), "globex")
    assert theirs.get("/archives/").json() == []
    for path in (f"/archives/{uid}/", f"/archives/{uid}/download/"):
        assert theirs.get(path).status_code == 404


@pytest.mark.parametrize("method", ["get", "post"])
def test_other_roles_may_not(acme: Tenant, method: str) -> None:
    assert getattr(client(member(acme, "member")), method)("/archives/").status_code == 403


def test_an_export_of_the_operators_is_none_of_theirs(admin: APIClient, acme: Tenant, tmp_path: Any) -> None:
    Ran("export_tenant", "acme", str(tmp_path / "operators.tar"))
    assert admin.get("/archives/").json() == []


def test_one_with_files(admin: APIClient, acme: Tenant, settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")
    with tenant_context(acme), transaction.atomic():
        paper = Paper(file=default_storage.save("papers/a.txt", ContentFile(b"a")))
        paper.folder = Folder(name="all", cover_id=paper.pk)
        Folder.objects.bulk_create([paper.folder])
        paper.save()
    uid = admin.post("/archives/", {"files": True}, format="json").json()["uid"]
    run_waiting()
    data = b"".join(admin.get(f"/archives/{uid}/download/").streaming_content)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert any(name.startswith("stores/") and name.endswith(".bin") for name in archive.getnames())
    default_storage.delete("papers/a.txt")
    admin.post("/archives/load/", {"file": io.BytesIO(data)}, format="multipart")
    run_waiting()
    with tenant_context(acme):
        assert Paper.objects.get().file.read() == b"a"


class TestAfterAWhile:
    @pytest.fixture
    def path(self, admin: APIClient) -> str:
        uid = admin.post("/archives/").json()["uid"]
        run_waiting()
        return f"/archives/{uid}/"

    def test_it_is_gone(self, admin: APIClient, path: str, tmp_path: Any) -> None:
        (file,) = tmp_path.rglob("*.tar.gz")
        operated(Job.objects.update, updated_at=timezone.now() - timedelta(days=8))
        os.utime(file, (0, 0))
        answer = admin.get(f"{path}download/")
        assert (answer.status_code, admin.get(path).json()["is_ready"]) == (410, False)
        assert "Ask for a new one" in answer.json()["detail"]
        Ran("run_archives")
        assert not file.exists()
        assert admin.get(f"{path}download/").status_code == 410

    def test_until_then_it_is_kept(self, admin: APIClient, path: str, tmp_path: Any) -> None:
        Ran("run_archives")
        assert [file.suffix for file in tmp_path.rglob("*") if file.is_file()] == [".gz"]
        expires = datetime.fromisoformat(admin.get(path).json()["expires_at"])
        assert timedelta(days=6) < expires - timezone.now() <= timedelta(days=7)

    def test_a_file_that_somebody_removed_is_gone_too(self, admin: APIClient, path: str, tmp_path: Any) -> None:
        for file in tmp_path.rglob("*.tar.gz"):
            file.unlink()
        assert admin.get(f"{path}download/").status_code == 410

    def test_uploads_go_once_they_are_loaded(self, admin: APIClient, path: str, tmp_path: Any) -> None:
        data = b"".join(admin.get(f"{path}download/").streaming_content)
        admin.post("/archives/load/", {"file": io.BytesIO(data)}, format="multipart")
        assert len(list(tmp_path.rglob("*.upload"))) == 1
        run_waiting()
        assert list(tmp_path.rglob("*.upload")) == []


class TestWhoDoesThem:
    @pytest.fixture
    def job(self, admin: APIClient) -> Job:
        return Job.objects.get(uid=admin.post("/archives/").json()["uid"])

    def test_one_whose_process_ended_is_taken_up(self, admin: APIClient, job: Job) -> None:
        operated(Job.objects.update, state=JobState.RUNNING)
        assert Ran("run_archives").out == "1 archives written or loaded.\n"
        assert admin.get(f"/archives/{job.uid}/").json()["is_ready"]

    def test_one_that_another_process_is_at_is_left_to_it(self, job: Job, monkeypatch: Any) -> None:
        others: list[Any] = []
        usual = asking.resume_export

        def meanwhile(uid: Any) -> Any:
            with ThreadPoolExecutor(1) as other:
                others.append(other.submit(in_thread).result())
            return usual(uid)

        monkeypatch.setattr(asking, "resume_export", meanwhile)
        assert [done.pk for done in run_waiting()[0]] == [job.pk]
        assert others == [([], {})]
        assert Job.objects.get(pk=job.pk).attempts == 2

    def test_it_waits_from_the_moment_at_which_it_is_there(self, admin: APIClient, monkeypatch: Any) -> None:
        monkeypatch.setattr(Job, "save", lambda self, **given: (_ for _ in ()).throw(RuntimeError("killed")))
        with pytest.raises(RuntimeError, match="killed"):
            admin.post("/archives/")
        assert not Job.objects.exists()

    def test_those_of_operators_are_their_own(self, admin: APIClient, acme: Tenant, tmp_path: Any) -> None:
        file = str(tmp_path.parent / "operators.tar")
        operated(Job.objects.create, kind="export", slug="acme", tenant=acme, arguments={"file": file})
        assert run_waiting() == ([], {})


def in_thread() -> Any:
    try:
        return run_waiting()
    finally:
        connections.close_all()
