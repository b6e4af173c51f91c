"""Files that rows name go out with them, and come in into the folder of the tenant, all of them or none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import transaction

from django_tenantkit import tenant_context, unscoped
from django_tenantkit.exceptions import ArchiveRefused, TenantkitError
from django_tenantkit.lifecycle.archive.cloning import clone_tenant
from django_tenantkit.lifecycle.archive.container import CHUNK
from django_tenantkit.lifecycle.archive.exporting import export_tenant
from django_tenantkit.lifecycle.archive.files import STORE, is_path
from django_tenantkit.lifecycle.archive.importing import import_tenant, resume_import
from django_tenantkit.lifecycle.archive.restoring import compare, restore_tenant
from django_tenantkit.lifecycle.move.run import move
from django_tenantkit.lifecycle.own_stores.files import Files
from django_tenantkit.models import Job, JobState, Place, PlaceState, Tenant
from tests.archives import works
from tests.archives.conftest import postgresql
from tests.archives.forging import change_rows, forged
from tests.archives.test_killed import killed
from tests.databases import ISOLATION, WITH_DATABASES
from tests.erasing.papers.models import Account, Folder, Paper
from tests.isolation.world import World
from tests.lifecycle.helpers import Ran

pytestmark = postgresql

LARGE = bytes(range(256)) * (CHUNK // 200)
NAMES = f"stores/{STORE}/names.jsonl"


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = str(tmp_path / "media")
    return tmp_path / "media"


def paper(tenant: Any, name: str, data: bytes | None = None, text: str = "") -> str:
    """A paper of the tenant, with a file if there is data; the file's name."""
    name = name if data is None else default_storage.save(name, ContentFile(data))
    with tenant_context(tenant), transaction.atomic():
        one = Paper(file=name, text=text or name)
        one.folder = Folder(name="all", cover_id=one.pk)
        Folder.objects.bulk_create([one.folder])
        one.save()
    return name


def papers(tenant: Any) -> dict[str, tuple[str, bytes | None]]:
    """By its text, the name and the content of each paper's file."""
    with tenant_context(tenant):
        rows = {one.text: one.file for one in Paper.objects.all()}
        return {
            text: (file.name, file.storage.open(file.name).read() if is_there(file) else None)
            for text, file in rows.items()
        }


def is_there(file: Any) -> bool:
    return bool(file) and is_path(file.name) and file.storage.exists(file.name)


def contents(tenant: Any) -> dict[str, bytes | None]:
    return {text: data for text, (_, data) in papers(tenant).items()}


def stored(media: Path) -> dict[str, bytes]:
    """Everything in the storage."""
    return {str(path.relative_to(media)): path.read_bytes() for path in media.rglob("*") if path.is_file()}


@pytest.fixture
def acme(two: World, media: Path) -> Any:
    paper(two.acme, "papers/a ü.txt", b"a")
    paper(two.acme, "papers/empty", b"")
    paper(two.acme, f"deep/{two.acme.uid}/large.bin", LARGE)
    paper(two.acme, f"{two.acme.uid.hex}/own.txt", b"own")
    paper(two.acme, "", text="none")
    paper(two.globex, "papers/secret.txt", b"globex's")
    with unscoped(reason="test"):
        contract = default_storage.save("contracts/c.txt", ContentFile(b"contract"))
        Account.objects.create(tenant=two.acme, holder="acme", contract=contract)
    return two.acme


@pytest.fixture
def archive(acme: Any, tmp_path: Path) -> Path:
    export_tenant(acme, tmp_path / "acme.tar.gz", files=True)
    return tmp_path / "acme.tar.gz"


@pytest.fixture
def plain(acme: Any, tmp_path: Path) -> Path:
    export_tenant(acme, tmp_path / "plain.tar", files=True)
    return tmp_path / "plain.tar"


def test_they_come_in_under_names_in_the_tenants_folder(acme: Any, archive: Path, media: Path) -> None:
    before = stored(media)
    job = import_tenant(archive, "copy")
    assert contents(job.tenant) == contents(acme)
    names = {name for name, _ in papers(job.tenant).values() if name}
    assert all(job.tenant.uid.hex in name or str(job.tenant.uid) in name for name in names)
    assert f"deep/{job.tenant.uid}/large.bin" in names
    assert f"{job.tenant.uid.hex}/own.txt" in names
    account = Account.objects.get(tenant=job.tenant)
    assert account.contract.read() == b"contract"
    assert job.result["files"] == 5
    assert before.items() <= stored(media).items()


def test_without_files_names_lead_to_nobodys(two: World, acme: Any, tmp_path: Path, media: Path) -> None:
    job = export_tenant(acme, tmp_path / "acme.tar")
    assert job.result["files"] == 0
    before = stored(media)
    copy = import_tenant(tmp_path / "acme.tar", "copy").tenant
    assert set(contents(copy).values()) == {None}
    assert not {name for name, _ in papers(copy).values() if name} & set(before)
    assert stored(media) == before


def test_a_second_copy_of_a_copy_keeps_files_apart(acme: Any, archive: Path, tmp_path: Path) -> None:
    copy = import_tenant(archive, "copy").tenant
    paper(copy, "papers/a ü.txt", b"a later one", text="later")
    export_tenant(copy, tmp_path / "copy.tar", files=True)
    assert contents(import_tenant(tmp_path / "copy.tar", "third").tenant) == contents(copy)


def test_names_that_are_too_long_are_shortened(two: World, media: Path) -> None:
    long = f"papers/{'x' * 80}.txt"
    paper(two.acme, long, b"long", text="long")
    copy = clone_tenant(two.acme, "copy").tenant
    (name, data) = papers(copy)["long"]
    assert (data, len(name) <= 100, name.endswith("xxx.txt")) == (b"long", True, True)


def test_a_clone_has_copies_of_its_own(two: World, acme: Any, media: Path) -> None:
    job = clone_tenant(acme, "copy")
    assert (contents(job.tenant), job.result["files"]) == (contents(acme), 5)
    Files().erase(job.tenant)
    assert None not in [data for text, data in contents(acme).items() if text != "none"]
    assert [name for name in stored(media) if job.tenant.uid.hex in name.replace("-", "")] == []


def test_a_clone_without_files(acme: Any, media: Path) -> None:
    before = stored(media)
    Ran("clone_tenant", "acme", "copy", "--without-files")
    assert stored(media) == before
    assert set(contents(Tenant.objects.get(slug="copy")).values()) == {None}


def test_files_that_are_not_there_are_noted(acme: Any, media: Path, tmp_path: Path) -> None:
    (media / "papers" / "empty").unlink()
    for name in ("https://elsewhere.org/x", "../../etc/passwd"):
        paper(acme, name)
    job = export_tenant(acme, tmp_path / "acme.tar", files=True)
    (note,) = job.result["notes"]
    for name in ("papers.Paper.file/papers/empty", "https://elsewhere.org/x", "../../etc/passwd"):
        assert name in note
    assert job.result["files"] == 4
    copy = import_tenant(tmp_path / "acme.tar", "copy").tenant
    assert papers(copy)["https://elsewhere.org/x"][0] == "https://elsewhere.org/x"
    assert "papers/empty" in "".join(clone_tenant(acme, "other").result["notes"])


class TestIntoTheTenantItself:
    def test_what_is_as_it_was_stays(self, acme: Any, archive: Path, media: Path) -> None:
        before, files = papers(acme), stored(media)
        job = import_tenant(archive, on_conflict="update")
        assert (papers(acme), stored(media), job.result["files"]) == (before, files, 0)

    def test_what_is_gone_or_changed_comes_back_beside(self, acme: Any, archive: Path, media: Path) -> None:
        before = contents(acme)
        (media / "papers" / "empty").unlink()
        (media / "papers" / "a ü.txt").write_bytes(b"changed")
        files = stored(media)
        assert import_tenant(archive, on_conflict="update").result["files"] == 2
        assert contents(acme) == before
        assert files.items() <= stored(media).items()
        now = stored(media)
        assert import_tenant(archive, on_conflict="update").result["files"] == 0
        assert stored(media) == now


class TestRestore:
    def test_files_that_are_gone_or_others_differ_and_come_back(self, acme: Any, archive: Path, media: Path) -> None:
        assert compare(acme, archive, files=True) == []
        before = contents(acme)
        (media / "papers" / "empty").unlink()
        (media / "papers" / "a ü.txt").write_bytes(b"changed")
        assert compare(acme, archive) == []
        files = stored(media)
        (found,) = compare(acme, archive, files=True)
        assert (found.label, found.changed, {tuple(row["columns"]) for row in found.rows}) == (
            "papers.Paper",
            2,
            {("file",)},
        )
        assert stored(media) == files
        restore_tenant(acme, archive, ["papers.Paper"], files=True)
        assert contents(acme) == before
        assert files.items() <= stored(media).items()
        assert compare(acme, archive, files=True) == []

    def test_those_of_other_models_are_not_written(self, acme: Any, archive: Path, media: Path) -> None:
        (media / "papers" / "empty").unlink()
        files = stored(media)
        restore_tenant(acme, archive, ["testapp.Line"], files=True)
        assert stored(media) == files

    def test_a_storage_that_is_full_leaves_nothing(
        self, two: World, acme: Any, archive: Path, media: Path, monkeypatch: Any
    ) -> None:
        for name in ("papers/empty", "papers/a ü.txt"):
            (media / name).unlink()
        before, rows = stored(media), two.snapshot(two.acme)
        monkeypatch.setattr(Full, "left", 1)
        monkeypatch.setattr(FileSystemStorage, "_save", Full._save)
        with pytest.raises(OSError, match="No space left"):
            restore_tenant(acme, archive, ["all"], files=True)
        assert (stored(media), two.snapshot(two.acme)) == (before, rows)


def listing(change: Any) -> Any:
    """A forger of the lines that name files."""

    def forge(entries: dict[str, bytes]) -> None:
        lines = [json.loads(line) for line in entries[NAMES].splitlines()]
        change(lines)
        entries[NAMES] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)

    return forge


class TestHostile:
    @pytest.fixture
    def refused(self, two: World, acme: Any, media: Path) -> Iterator[Any]:
        before = stored(media), two.snapshot(two.acme), set(Tenant.objects.values_list("slug", flat=True))

        def check(file: Path, words: str) -> None:
            with pytest.raises(ArchiveRefused, match=words):
                import_tenant(file, "copy", trust_unsigned=True)
            assert before == (
                stored(media),
                two.snapshot(two.acme),
                set(Tenant.objects.values_list("slug", flat=True)),
            )

        return check

    @pytest.mark.parametrize(
        "name",
        ["papers.Paper.file/../../x", "papers.Paper.file//etc/passwd", "/etc/passwd", "papers.Paper.file/a\\b", ".."],
    )
    def test_paths_that_lead_elsewhere(self, refused: Any, plain: Path, name: str) -> None:
        refused(forged(plain, listing(lambda lines: lines[0].update(name=name))), "is no name of something")

    @pytest.mark.parametrize("name", ["papers.Paper.file/more", "auth.User.password/x", "x"])
    def test_files_that_no_row_names(self, refused: Any, plain: Path, name: str) -> None:
        file = forged(plain, listing(lambda lines: lines.append({"name": name, "parts": 0})))
        refused(file, "files that none of its rows name")

    def test_a_file_twice(self, refused: Any, plain: Path) -> None:
        refused(forged(plain, listing(lambda lines: lines.append({**lines[1], "parts": 0}))), "twice")

    def test_more_than_the_limit(self, refused: Any, plain: Path, settings: Any) -> None:
        settings.TENANTKIT_ARCHIVE_LIMIT = plain.stat().st_size - 10_000
        refused(plain, "TENANTKIT_ARCHIVE_LIMIT")

    def test_a_row_that_names_another_tenants_file(self, two: World, acme: Any, plain: Path, settings: Any) -> None:
        """What a row says is in the folder of the tenant, whatever it says."""
        names = iter(["papers/secret.txt", f"{two.globex.uid.hex}/x", "papers/secret.txt" + " " * 83])

        def change(entries: dict[str, bytes]) -> None:
            change_rows(entries, "papers.Paper", lambda row: row.update(file=next(names, "")))
            for name in [name for name in entries if name.startswith("stores/")]:
                del entries[name]

        default_storage.save(f"{two.globex.uid.hex}/x", ContentFile(b"globex's"))
        file, settings.SECRET_KEY = forged(plain, change), "another deployment's"
        copy = import_tenant(file, "copy", trust_unsigned=True).tenant
        import_tenant(file, "acme", on_conflict="update", trust_unsigned=True)
        for tenant in (copy, acme):
            found = papers(tenant)
            assert {data for _, data in found.values()} == {None}
            assert all(name.startswith(f"{tenant.uid.hex}/") for name, _ in found.values() if name)

    @pytest.mark.parametrize("name", ["../secret.txt", "/etc/passwd", "a//b", "a\\b", "https://x/y"])
    def test_a_row_that_names_what_is_no_file(self, refused: Any, plain: Path, settings: Any, name: str) -> None:
        def change(entries: dict[str, bytes]) -> None:
            change_rows(entries, "papers.Paper", lambda row: row.update(file=name))
            for entry in [entry for entry in entries if entry.startswith("stores/")]:
                del entries[entry]

        file, settings.SECRET_KEY = forged(plain, change), "another deployment's"
        refused(file, "name a file that is none")


_SAVE = FileSystemStorage._save


class Full(FileSystemStorage):
    """Has room for two more files."""

    left = 2

    def _save(self, name: str, content: Any) -> str:
        Full.left -= 1
        if Full.left < 0:
            raise OSError(28, "No space left on device")
        return _SAVE(self, name, content)


@pytest.mark.parametrize("into", ["copy", None, "clone"])
def test_a_storage_that_is_full_leaves_nothing(
    two: World, acme: Any, archive: Path, media: Path, monkeypatch: Any, into: str | None
) -> None:
    for name in ("papers/empty", "papers/a ü.txt", "contracts/c.txt"):
        (media / name).unlink()
        if into is not None:
            default_storage.save(name, ContentFile(b"x"))
    before, rows = stored(media), two.snapshot(two.acme)
    monkeypatch.setattr(Full, "left", 2)
    monkeypatch.setattr(FileSystemStorage, "_save", Full._save)
    with pytest.raises((OSError, TenantkitError)):
        clone_tenant(acme, "copy") if into == "clone" else import_tenant(archive, into, on_conflict="update")
    assert (stored(media), two.snapshot(two.acme)) == (before, rows)
    assert not Tenant.objects.filter(slug="copy").exists()
    assert not Job.objects.exclude(state__in=["done", "given up"]).exists()
    assert not Place.objects.filter(state=PlaceState.TAKEN).exclude(pk__in=Tenant.objects.values("uid")).exists()


@pytest.mark.parametrize("moment", ["begin", "end"])
@pytest.mark.parametrize("work", ["load", "clone"])
def test_a_killed_process_leaves_what_the_next_one_uses(
    acme: Any, archive: Path, media: Path, monkeypatch: Any, work: str, moment: str
) -> None:
    monkeypatch.setenv("MEDIA", str(media))
    given = {"file": archive} if work == "load" else {}
    before = stored(media)
    killed(work, "filing._write", moment, **given)
    left = stored(media)
    assert len(left) - len(before) == (moment == "end")
    getattr(works, work)(**{name: str(value) for name, value in given.items()})
    copy = Tenant.objects.get(slug="copy")
    assert contents(copy) == contents(acme)
    assert left.items() <= stored(media).items()
    assert len(stored(media)) == len(before) + 5


def test_what_a_killed_process_left_goes_when_it_is_refused(
    acme: Any, archive: Path, media: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("MEDIA", str(media))
    before = stored(media)
    killed("load", "filing._write", "end", file=archive)
    assert stored(media) != before
    archive.write_bytes(archive.read_bytes()[:-100])
    uid = Job.objects.get(kind="import").uid
    with pytest.raises(ArchiveRefused):
        resume_import(uid)
    assert stored(media) == before
    assert Job.objects.get(uid=uid).state == JobState.GIVEN_UP


@pytest.mark.skipif(ISOLATION == "row", reason="runs with TENANTKIT_TEST_ISOLATION=mixed")
@pytest.mark.parametrize("to", ["schema", "row", *(["database"] if ISOLATION in WITH_DATABASES else [])])
def test_a_move_keeps_them(acme: Any, media: Path, to: str) -> None:
    before, files = papers(acme), stored(media)
    tenant = Tenant.objects.get(pk=acme.pk)
    if tenant.isolation == to:
        move(tenant, "row" if to == "schema" else "schema")
    move(Tenant.objects.get(pk=acme.pk), to)
    assert papers(Tenant.objects.get(pk=acme.pk)) == before
    assert stored(media) == files


def test_the_command_says_how_many(acme: Any, tmp_path: Path) -> None:
    assert " and 5 files in " in Ran("export_tenant", "acme", str(tmp_path / "acme.tar"), "--files").out
    assert " and 5 files loaded" in Ran("import_tenant", str(tmp_path / "acme.tar"), "--as", "copy").out
