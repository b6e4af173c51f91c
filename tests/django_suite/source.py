"""Django's source distribution for the installed version. The wheel leaves Django's tests out."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import django

CACHE = Path(__file__).parents[2] / ".cache" / "django"


def find() -> Path:
    """The directory of the source: DJANGO_SOURCE, or one that is downloaded once and kept."""
    version = django.get_version()
    if given := os.environ.get("DJANGO_SOURCE"):
        return _checked(Path(given).resolve(), version)
    directory = CACHE / f"django-{version}"
    if not directory.exists():
        _download(version)
    return _checked(directory, version)


def _download(version: str) -> None:
    """Unpack it under another name first, so that a killed download leaves nothing that looks complete."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as unfinished:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        what = ["--no-deps", "--no-binary", ":all:", "--dest", unfinished, f"django=={version}"]
        subprocess.run([*pip, *what], check=True)
        (archive,) = Path(unfinished).glob("*.tar.gz")
        with tarfile.open(archive) as tar:
            tar.extractall(unfinished, filter="data")
        next(path for path in Path(unfinished).iterdir() if path.is_dir()).rename(CACHE / f"django-{version}")


def _checked(directory: Path, version: str) -> Path:
    if not (directory / "tests" / "runtests.py").exists():
        raise SystemExit(f"{directory} has no tests/runtests.py: set DJANGO_SOURCE to Django {version}'s source.")
    return directory
