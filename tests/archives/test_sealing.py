"""Archives that are encrypted, and archives that others can check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("cryptography")

from django_tenantkit.contrib.archives import make_key
from django_tenantkit.exceptions import ArchiveRefused
from django_tenantkit.lifecycle.archive.checking import check
from django_tenantkit.lifecycle.archive.exporting import export_tenant
from django_tenantkit.lifecycle.archive.importing import import_tenant
from tests.archives.conftest import postgresql
from tests.archives.graph import graph
from tests.isolation.world import World

pytestmark = postgresql


@pytest.fixture
def sealed(two: World, tmp_path: Path, settings: Any, monkeypatch: Any) -> Path:
    settings.TENANTKIT_ARCHIVE_CIPHER = "django_tenantkit.contrib.archives.PassphraseCipher"
    monkeypatch.setenv("DJTENANTKIT_ARCHIVE_PASSPHRASE", "correct horse")
    export_tenant(two.acme, tmp_path / "sealed.tar.gz", encrypt=True)
    return tmp_path / "sealed.tar.gz"


class TestEncryption:
    def test_what_is_in_it_comes_out_with_the_passphrase(self, two: World, sealed: Path) -> None:
        assert b"manifest" not in sealed.read_bytes()
        assert graph(import_tenant(sealed, "copy").tenant) == graph(two.acme)

    def test_another_passphrase(self, sealed: Path, monkeypatch: Any) -> None:
        monkeypatch.setenv("DJTENANTKIT_ARCHIVE_PASSPHRASE", "wrong horse")
        with pytest.raises(ArchiveRefused, match="not this archive's"):
            check(sealed)

    def test_no_passphrase(self, sealed: Path, monkeypatch: Any) -> None:
        monkeypatch.delenv("DJTENANTKIT_ARCHIVE_PASSPHRASE")
        with pytest.raises(ArchiveRefused, match="There is no passphrase"):
            check(sealed)

    def test_no_cipher(self, sealed: Path, settings: Any, two: World, tmp_path: Path) -> None:
        settings.TENANTKIT_ARCHIVE_CIPHER = None
        with pytest.raises(ArchiveRefused, match="needs a cipher"):
            check(sealed)
        with pytest.raises(ArchiveRefused, match="needs a cipher"):
            export_tenant(two.acme, tmp_path / "more.tar", encrypt=True)

    def test_a_changed_byte_and_a_missing_end_are_noticed(self, sealed: Path) -> None:
        whole = sealed.read_bytes()
        for place in (17, 40, len(whole) // 2, len(whole) - 1):
            sealed.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            with pytest.raises(ArchiveRefused):
                check(sealed)
        for size in (15, 20, 35, len(whole) // 2, len(whole) - 1):
            sealed.write_bytes(whole[:size])
            with pytest.raises(ArchiveRefused):
                check(sealed)

    def test_records_that_are_missing_or_elsewhere(self, sealed: Path, monkeypatch: Any, two: World) -> None:
        monkeypatch.setattr("django_tenantkit.contrib.archives._RECORD", 64)
        several = sealed.with_name("several.tar")
        export_tenant(two.acme, several, encrypt=True)
        check(several)
        whole, head, step = several.read_bytes(), 33, 64 + 16 + 4
        for changed in (
            whole[:-step],  # without the end, at the border of a record or not
            whole[: head + step],
            whole[:head] + whole[head + step :],
            whole[:head] + whole[head + step : head + 2 * step] + whole[head : head + step] + whole[head + 2 * step :],
            whole + whole[head : head + step],
        ):
            several.write_bytes(changed)
            with pytest.raises(ArchiveRefused):
                check(several)


class TestPublicKeys:
    @pytest.fixture(autouse=True)
    def pair(self, settings: Any, monkeypatch: Any) -> str:
        settings.TENANTKIT_ARCHIVE_SIGNER = "django_tenantkit.contrib.archives.Ed25519Signer"
        private, public = make_key()
        monkeypatch.setenv("DJTENANTKIT_SIGNING_KEY", private)
        return public

    def test_who_has_the_public_key_trusts_it(self, archive: Path, pair: str, settings: Any, monkeypatch: Any) -> None:
        settings.SECRET_KEY = "another deployment"
        monkeypatch.delenv("DJTENANTKIT_SIGNING_KEY")
        with pytest.raises(ArchiveRefused, match="not signed"):
            check(archive)
        monkeypatch.setenv("DJTENANTKIT_TRUSTED_KEYS", f"{make_key()[1]}, {pair}")
        assert check(archive).is_ours

    def test_another_key_is_not_trusted(self, archive: Path, monkeypatch: Any) -> None:
        monkeypatch.setenv("DJTENANTKIT_SIGNING_KEY", make_key()[0])
        with pytest.raises(ArchiveRefused, match="not signed"):
            check(archive)

    def test_without_a_key_nothing_is_exported(self, two: World, tmp_path: Path, monkeypatch: Any) -> None:
        monkeypatch.delenv("DJTENANTKIT_SIGNING_KEY")
        with pytest.raises(ArchiveRefused, match="no key that signs"):
            export_tenant(two.acme, tmp_path / "acme.tar")
        assert list(tmp_path.iterdir()) == []
