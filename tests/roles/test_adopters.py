"""An adopter's tests run as the application's role, whoever runs them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.roles.servers import Server

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "tests" / "adopter" / "guarded"
TESTS = len(re.findall(r"def test_", (PROJECT / "sample.py").read_text())) + 4  # those of Guarded, twice

RUNNERS = {
    "django": ["-m", "django", "test"],
    "django, in parallel": ["-m", "django", "test", "--parallel", "2"],
    "pytest": ["-m", "pytest"],
    "pytest with xdist": ["-m", "pytest", "-n2"],
}


@pytest.fixture(scope="module")
def project(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """The adopter's directory with its migrations, and the environment for it."""
    directory = tmp_path_factory.mktemp("adopter") / "project"
    shutil.copytree(PROJECT, directory, ignore=shutil.ignore_patterns("__pycache__"))
    (directory / "sample.py").rename(directory / "test_sample.py")
    (directory / "pytest.ini").write_text("[pytest]\naddopts = -p no:cacheprovider\n")
    unwanted = ("TENANTKIT_", "PYTEST_", "COV_", "DATABASE_URL")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    with server.place() as place:
        place.set_up(may_create_databases=True, web_may_operate=True)
        environment |= {
            "ADOPTERS_DATABASE": json.dumps(place.entry(place.roles.application, TEST={"NAME": f"{place.name}_test"})),
            "DJANGO_SETTINGS_MODULE": "settings",
            "PYTHONPATH": f"{ROOT}:{directory}",
        }
        made = run(directory, environment, "-m", "django", "makemigrations", "shop")
        assert made.returncode == 0, made.stdout
        yield directory, environment


def run(directory: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("server", "runner"), [*(("own", runner) for runner in RUNNERS), ("15", "django")], indirect=["server"]
)
def test_an_adopters_tests_run_as_the_application(runner: str, project: tuple[Path, dict[str, str]]) -> None:
    done = run(*project, *RUNNERS[runner])
    assert done.returncode == 0, done.stdout
    assert re.search(rf"Ran {TESTS} tests|{TESTS} passed", done.stdout), done.stdout
