"""Archives that were damaged or made to do harm: each is refused in one line, and nothing is changed."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from django_tenantkit import tenant_context
from django_tenantkit.exceptions import ArchiveRefused
from django_tenantkit.lifecycle.archive.importing import import_tenant
from django_tenantkit.models import Tenant
from tests.archives.conftest import postgresql
from tests.archives.forging import change_manifest, change_rows, entries_of, forged, resigned, write
from tests.isolation.world import World
from tests.testapp.models import Customer

pytestmark = postgresql

CUSTOMERS = "data/testapp.Customer/00001.jsonl"


@pytest.fixture
def two(lasting: tuple[World, Path]) -> World:
    return lasting[0]


@pytest.fixture
def archive(lasting: tuple[World, Path], tmp_path: Path) -> Path:
    return Path(shutil.copy(lasting[1], tmp_path))


@pytest.fixture
def refused(two: World) -> Any:
    """Whether an archive is refused, in what words, and that it changed nothing."""
    before = state(two)

    def check(file: Path, words: str = ".", **wish: Any) -> None:
        with pytest.raises(ArchiveRefused, match=words) as caught:
            import_tenant(file, "copy", **wish)
        assert "\n" not in str(caught.value)
        assert state(two) == before

    return check


def state(two: World) -> Any:
    return (
        two.snapshot(two.acme),
        two.snapshot(two.globex),
        set(Tenant.objects.values_list("slug", flat=True)),
        set(get_user_model().objects.values_list("username", flat=True)),
    )


def test_a_changed_byte_of_any_entry_is_noticed(refused: Any, archive: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    with tarfile.open(archive) as found:
        places = [(member.name, member.offset_data, member.size) for member in found]
    for _, start, size in places:
        changed = bytearray(whole)
        changed[start + size // 2] ^= 1
        (tmp_path / "changed.tar").write_bytes(changed)
        refused(tmp_path / "changed.tar")


def test_a_changed_byte_of_any_header_changes_nothing(refused: Any, archive: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    with tarfile.open(archive) as found:
        places = [member.offset for member in found]
    for start in places:
        for place in (0, 124, 148, 156, 257):
            changed = bytearray(whole)
            changed[start + place] ^= 4
            (tmp_path / "changed.tar").write_bytes(changed)
            refused(tmp_path / "changed.tar")


@pytest.mark.parametrize("compress", [False, True])
def test_an_archive_that_was_cut_off(refused: Any, archive: Path, tmp_path: Path, compress: bool) -> None:
    whole = gzip.compress(archive.read_bytes()) if compress else archive.read_bytes()
    cut = tmp_path / "cut.tar"
    for place in [0, 1, 100, 512, 513, *range(1000, len(whole) - 1024, len(whole) // 15)]:
        cut.write_bytes(whole[:place])
        refused(cut)


@pytest.mark.parametrize(
    "name",
    [
        "../evil.json",
        "/etc/passwd",
        "data/../../evil",
        "data/testapp.Customer/../x.jsonl",
        "data/testapp.Customer/1.jsonl",
        "DATA/testapp.Customer/00001.jsonl",
        "data\\testapp.Customer\\00001.jsonl",
        "evil.pickle",
    ],
)
def test_names_that_lead_elsewhere(refused: Any, archive: Path, tmp_path: Path, name: str) -> None:
    entries = [(found, data) for found, data in entries_of(archive)]
    entries.insert(3, (name, b"{}\n"))
    refused(write(tmp_path / "forged.tar", resigned(entries)), "has an entry that none has")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_links_and_devices(refused: Any, archive: Path, tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("data/testapp.Customer/00009.jsonl")
    info.type, info.linkname = kind, "/etc/passwd"
    head = info.tobuf(tarfile.USTAR_FORMAT)
    (tmp_path / "forged.tar").write_bytes(head + archive.read_bytes())
    refused(tmp_path / "forged.tar", "has an entry that none has")


def test_headers_of_any_length_are_not_read(refused: Any, archive: Path, tmp_path: Path) -> None:
    info = tarfile.TarInfo("data/" + "x" * 300)
    (tmp_path / "forged.tar").write_bytes(info.tobuf(tarfile.PAX_FORMAT) + archive.read_bytes())
    refused(tmp_path / "forged.tar", "has an entry that none has")


@pytest.mark.parametrize("order", [lambda found: found[::-1], lambda found: [found[1], found[0], *found[2:]]])
def test_entries_in_another_order(refused: Any, archive: Path, tmp_path: Path, order: Callable[[Any], Any]) -> None:
    entries = entries_of(archive)
    refused(write(tmp_path / "forged.tar", [*order(entries[:-2]), *entries[-2:]]), "out of its place|checksums")


def test_an_entry_twice(refused: Any, archive: Path, tmp_path: Path) -> None:
    entries = entries_of(archive)
    twice = [entries[0], *[entry for entry in entries[1:-2] for _ in range(2)]]
    refused(write(tmp_path / "forged.tar", resigned(twice)), "there twice")


def test_an_entry_that_is_missing(refused: Any, archive: Path, tmp_path: Path) -> None:
    entries = [entry for entry in entries_of(archive) if entry[0] != CUSTOMERS]
    refused(write(tmp_path / "forged.tar", entries), "not the entries that its checksums list")


@pytest.mark.parametrize("rest", [b"x", b"\0" * 600 + b"more"])
def test_something_behind_the_end(refused: Any, archive: Path, tmp_path: Path, rest: bytes) -> None:
    (tmp_path / "forged.tar").write_bytes(archive.read_bytes() + rest)
    refused(tmp_path / "forged.tar", "follows the end")


def test_zeros_that_become_a_terabyte(refused: Any, tmp_path: Path) -> None:
    with gzip.open(tmp_path / "bomb.tar.gz", "wb") as bomb:
        info = tarfile.TarInfo("manifest.json")
        bomb.write(info.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(200):
            bomb.write(bytes(1 << 20))
    refused(tmp_path / "bomb.tar.gz")


def test_entries_that_become_too_large(refused: Any, archive: Path, tmp_path: Path, settings: Any) -> None:
    settings.TENANTKIT_ARCHIVE_LIMIT = 5000
    refused(archive, "TENANTKIT_ARCHIVE_LIMIT")


def test_rows_that_grow_as_none_do(refused: Any, archive: Path, tmp_path: Path) -> None:
    bomb = io.BytesIO()
    with tarfile.open(fileobj=bomb, mode="w:gz", format=tarfile.USTAR_FORMAT) as made:
        for name, size in [("manifest.json", 2), ("data/testapp.Customer/00001.jsonl", 200 << 20)]:
            info = tarfile.TarInfo(name)
            info.size = size
            made.addfile(info, _Zeros(size))
    (tmp_path / "bomb.tgz").write_bytes(bomb.getvalue())
    refused(tmp_path / "bomb.tgz", "grows as no rows do")


class _Zeros(io.RawIOBase):
    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1) -> bytes:
        size = min(size, self.left)
        self.left -= size
        return bytes(size)


@pytest.mark.parametrize("name", ["manifest.json", "checksums.json", "signature.json", CUSTOMERS])
def test_a_pickle_is_not_opened(refused: Any, archive: Path, tmp_path: Path, name: str) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return (pytest.fail, ("the pickle was opened",))

    entries = [(found, pickle.dumps(Evil()) if found == name else data) for found, data in entries_of(archive)]
    refused(write(tmp_path / "forged.tar", resigned(entries) if name == CUSTOMERS else entries))


class TestSignatures:
    def test_one_of_another_key(self, refused: Any, archive: Path, settings: Any) -> None:
        settings.SECRET_KEY = "another"
        refused(archive, "not signed by this deployment")

    @pytest.mark.parametrize(
        "signature", [b"[]", b"{}", b'{"algorithm": 5}', b'{"algorithm": "none", "signature": ""}', b"x", b"", b"null"]
    )
    def test_one_that_is_none(self, refused: Any, archive: Path, tmp_path: Path, signature: bytes) -> None:
        refused(write(tmp_path / "forged.tar", [*entries_of(archive)[:-1], ("signature.json", signature)]))

    def test_checksums_count_all_the_same(self, refused: Any, archive: Path, tmp_path: Path, settings: Any) -> None:
        settings.SECRET_KEY = "another"
        entries = [
            (name, data.replace(b"acme 0", b"evil 0") if name == CUSTOMERS else data)
            for name, data in entries_of(archive)
        ]
        refused(write(tmp_path / "forged.tar", entries), "it was changed", trust_unsigned=True)


class TestManifests:
    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda found: found.update(version=2), "has the format 2"),
            (lambda found: found.update(format="zip"), "no archive of a tenant"),
            (lambda found: found.pop("tenant"), "does not say whose"),
            (lambda found: found["tenant"].pop("uid"), "does not say whose"),
            (lambda found: found["tenant"].update(settings=[]), "no settings"),
            (lambda found: found["tenant"].update(name="x" * 999), "at most 200 characters"),
            (lambda found: found["tenant"].update(name="a\0b"), "null character|Null"),
            (lambda found: found.pop("models"), "no models"),
            (lambda found: found.pop("migrations"), "no migrations"),
            (lambda found: found["migrations"].update(django_tenantkit=["9999_later"]), "from a newer state"),
            (lambda found: found["models"].pop("testapp.Customer"), "does not name"),
            (lambda found: found["models"]["testapp.Customer"].update(key="name"), "The key of testapp.Customer"),
            (lambda found: found["models"]["testapp.Customer"].update(columns=[]), "does not describe"),
            (lambda found: found["models"]["testapp.Customer"]["columns"].pop("name"), "have not the columns"),
            (lambda found: found["models"]["testapp.Customer"]["columns"].update(tenant_id="bigint"), "whose rows"),
            (lambda found: found["shared"].update({"auth.User.id": ["password"]}), "by .'password'."),
            (lambda found: found["shared"].update({"auth.Group.name": ["name"]}), "to which no row here refers"),
        ],
    )
    def test_that_lie(self, refused: Any, archive: Path, change: Callable[[Any], Any], words: str) -> None:
        refused(forged(archive, lambda entries: change_manifest(entries, change)), words)

    @pytest.mark.parametrize("label", ["auth.User", "django_tenantkit.Tenant", "django_tenantkit.Job", "nothing.AtAll"])
    def test_that_name_models_which_are_no_tenants(self, refused: Any, archive: Path, label: str) -> None:
        def change(entries: dict[str, bytes]) -> None:
            described = {"key": "id", "columns": {"id": "bigint"}, "as_text": []}
            change_manifest(entries, lambda found: found["models"].update({label: described}))
            entries[f"data/{label}/00001.jsonl"] = b'{"id": 1}\n'

        refused(forged(archive, change), f"rows of {label}, which no tenant has here")


class TestRows:
    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda row: row.update(tenant_id=1), "have not the columns"),
            (lambda row: row.update(more=1), "have not the columns"),
            (lambda row: row.pop("name"), "have not the columns"),
            (lambda row: row.update(name=None), "null value"),
            (lambda row: row.update(name="x" * 200), "too long"),
            (lambda row: row.update(id="no uuid"), "invalid input syntax"),
            (lambda row: row.update(id=None), "null value"),
            (lambda row: row.update(id=row["id"][:-12] + "0" * 12), "duplicate key"),
            (lambda row: row.update(name="a\0b"), "Unicode"),
            (lambda row: row.update(plan_id=10**400), "shared rows|out of range"),
            (lambda row: row.update(plan_id="1; DROP TABLE x"), "invalid input syntax|shared rows"),
            (lambda row: row.update(plan_id=999999), "refer to shared rows that the archive does not name"),
        ],
    )
    def test_that_are_none(self, refused: Any, archive: Path, change: Callable[[Any], Any], words: str) -> None:
        refused(forged(archive, lambda entries: change_rows(entries, "testapp.Customer", change)), words)

    @pytest.mark.parametrize(
        "line",
        [
            b'{"id": NaN}',
            b"null",
            b"[]",
            b'"text"',
            b"1",
            b"{",
            b"",
            b"\\.",
            b"\\N",
            b'{"a": "\x00"}',
            b'{"a": "\x01"}',
            b"\x02",
            b'{"a": "\xff"}',
            b'{"a": "b"}\r',
            b'{"id": "\\u0000"}',
            b'{"id": "\\ud800"}',
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b"1" * 200_000,
            b'{"id": 1e999999999}',
        ],
        ids=lambda line: repr(line[:20]),
    )
    def test_lines_that_are_no_rows(self, refused: Any, archive: Path, line: bytes) -> None:
        refused(forged(archive, lambda entries: entries.update({CUSTOMERS: entries[CUSTOMERS] + line + b"\n"})))

    def test_a_line_without_an_end(self, refused: Any, archive: Path) -> None:
        refused(forged(archive, lambda entries: entries.update({CUSTOMERS: entries[CUSTOMERS] + b"{}"})), "of a line")

    def test_that_refer_to_another_tenants(self, refused: Any, archive: Path, two: World) -> None:
        with tenant_context(two.globex):
            theirs = str(Customer.objects.first().pk)
        refused(
            forged(
                archive, lambda found: change_rows(found, "testapp.Invoice", lambda row: row.update(customer_id=theirs))
            ),
            "does not take",
        )

    def test_that_refer_to_nothing(self, refused: Any, archive: Path) -> None:
        nothing = "00000000-0000-0000-0000-000000000000"
        refused(
            forged(
                archive, lambda found: change_rows(found, "testapp.Line", lambda row: row.update(invoice_id=nothing))
            ),
            "does not take",
        )

    def test_twice_the_same_key(self, refused: Any, archive: Path) -> None:
        refused(forged(archive, lambda found: found.update({CUSTOMERS: found[CUSTOMERS] * 2})), "duplicate key")


class TestSharedRows:
    @pytest.mark.parametrize(
        "name", [["x", "y"], [], [{"a": 1}], [None], ["basic", "basic"], "basic", 5, [["basic"]], ["a\0b"]]
    )
    def test_names_that_are_none(self, refused: Any, archive: Path, name: Any) -> None:
        line = json.dumps({"key": "1", "name": name}).encode() + b"\n"
        refused(forged(archive, lambda entries: entries.update({"shared/testapp.Plan.id/00001.jsonl": line})))

    def test_a_shared_row_that_is_missing_is_named(self, refused: Any, archive: Path, two: World) -> None:
        line = b'{"key": "%d", "name": ["platinum"]}\n' % two.plan.pk
        forgery = forged(archive, lambda entries: entries.update({"shared/testapp.Plan.id/00001.jsonl": line}))
        refused(forgery, r"shared rows that are not here: testapp.Plan \['platinum'\]")


def test_a_file_that_is_none(refused: Any, tmp_path: Path) -> None:
    refused(tmp_path / "nothing.tar", "No such file")
    refused(tmp_path, "Is a directory")


def test_nothing_of_ours_stays_on_the_connection(refused: Any, archive: Path) -> None:
    refused(forged(archive, lambda found: found.update({CUSTOMERS: found[CUSTOMERS] * 2})))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relname LIKE 'tenantkit_rows%%'")
        assert cursor.fetchone() == (0,)
