"""The example project, served by `manage.py demo` in a process of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from example_project.demo.client import Client

ROOT = Path(__file__).parent.parent.parent


def demo(*arguments: str, temporary: Path) -> subprocess.Popen[str]:
    """Start the command as `make demo` does. Its temporary files go to `temporary`."""
    unwanted = ("DJANGO_SETTINGS_MODULE", "TENANTKIT_", "PYTEST_", "COV_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return subprocess.Popen(
        [sys.executable, "manage.py", "demo", *arguments],
        cwd=ROOT,
        env={**environment, "PYTHONUNBUFFERED": "1", "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def left_behind(temporary: Path) -> list[str]:
    """The directories that the command has not removed."""
    return [path.name for path in temporary.iterdir() if path.is_dir()]


@dataclass(frozen=True)
class Site:
    """A running demo: what it printed, and clients for it."""

    printed: str
    port: int
    token: str

    @property
    def acme(self) -> Client:
        """acme's admin, with a token, at acme's address."""
        return Client(self.port, "acme.localhost", self.token)

    def visitor(self, host: str) -> Client:
        """Somebody without a token."""
        return Client(self.port, host)

    def log_in(self, host: str, email: str) -> Client:
        """Somebody's browser, after the login page."""
        browser = self.visitor(host)
        assert browser.log_in(email, "demo").status == 302
        return browser

    def token_of(self, email: str) -> str:
        """The token that the site gives to somebody."""
        login = {"username": email, "password": "demo"}
        return str(self.visitor("localhost").send("POST", "/api/token/", login).json()["token"])

    def api(self, host: str, email: str) -> Client:
        """Somebody's program at an address."""
        return replace(self.visitor(host), token=self.token_of(email))


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """The demo, served until the end of the tests. Ctrl-C then leaves nothing behind."""
    # Not one of pytest's: another pytest that starts meanwhile would close those to the server's user.
    temporary = Path(tempfile.mkdtemp(prefix="tenantkit-acceptance-"))
    temporary.chmod(0o755)
    process = demo("--port", "0", temporary=temporary)
    assert process.stdout is not None
    printed = []
    for line in process.stdout:
        printed.append(line)
        if line.startswith("Ctrl-C"):
            break
    text = "".join(printed)
    try:
        port = re.search(r"http://acme\.localhost:(\d+)/", text)
        token = re.search(r"Token (\w+)", text)
        assert port, text
        assert token, text
        yield Site(text, int(port[1]), token[1])
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    left = left_behind(temporary)
    shutil.rmtree(temporary, ignore_errors=True)
    assert process.returncode == 0
    assert left == []


@pytest.fixture(scope="session")
def ada(site: Site) -> Client:
    """The browser of acme's admin."""
    return site.log_in("acme.localhost", "ada@acme.example")


@pytest.fixture(scope="session")
def greta(site: Site) -> Client:
    """The browser of globex's admin."""
    return site.log_in("globex.localhost", "greta@globex.example")


@pytest.fixture(scope="session")
def acme(site: Site) -> Client:
    """The program of acme's admin, with a token."""
    return site.acme


@pytest.fixture(scope="session")
def globex(site: Site) -> Client:
    """The program of globex's admin, with a token."""
    return site.api("globex.localhost", "greta@globex.example")
