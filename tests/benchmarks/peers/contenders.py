"""The contenders: each a project of its own in its own process and database, the peers with their own environments."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self, cast

import django
import psycopg

from tests.benchmarks.method import Seconds
from tests.services import proxy

ROOT = Path(__file__).parents[3]
CACHE = ROOT / ".cache" / "peers"
PACKAGE = "tests.benchmarks.peers"

#: Installed with each peer: what this process runs on.
SAME = (f"django=={django.__version__}", f"psycopg[binary]=={psycopg.__version__}")


class ContenderFailed(Exception):
    """A contender ended. What it said is in the message."""


@dataclass(frozen=True)
class Contender:
    """`module` names its settings and its side; `requirement` what is installed for it; `of` the one whose database it
    shares, under other settings, which `switch` turns on."""

    name: str
    module: str
    requirement: str = ""
    of: str = ""
    switch: dict[str, str] = field(default_factory=dict)

    def python(self) -> str:
        """The interpreter that has what it needs. It is made where it is missing."""
        if not self.requirement:
            return sys.executable
        home = CACHE / f"{self.module}-{django.__version__}-{psycopg.__version__}"
        python = home / "bin" / "python"
        if not (home / ".installed").exists():
            venv.create(home, with_pip=True, clear=True)
            install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*install, self.requirement, *SAME], check=True, stderr=subprocess.PIPE)
            (home / ".installed").touch()
        return str(python)


PLAIN = Contender("plain Django", "plain")
OURS = Contender("django_tenantkit", "ours")
_TENANTS, _PGSCHEMAS = "django-tenants>=4.0,<5", "django-pgschemas>=1.1,<1.2"
PEERS = (
    Contender("django-tenants", "tenants", _TENANTS),
    Contender("django-pgschemas", "pgschemas", _PGSCHEMAS),
)
CLONING = tuple(
    Contender(f"{peer.name}, cloning", peer.module, peer.requirement, peer.name, {"TENANTKIT_PEERS_CLONING": "1"})
    for peer in PEERS
)
GUARDED = Contender("bare DDL with policies", "ours", of=OURS.name, switch={"TENANTKIT_PEERS_BARE": "1"})
ALONE = Contender("django_tenantkit, one worker", "ours", of=OURS.name, switch={"TENANTKIT_PEERS_WORKERS": "1"})
#: The text that our session protocol sends in front of each statement, and nothing else of ours.
CONTEXT = Contender("plain Django, context in front", "plain", of=PLAIN.name, switch={"TENANTKIT_PEERS_CONTEXT": "1"})
LIMITED = tuple(
    Contender(f"{peer.name}, calls limited", peer.module, peer.requirement, peer.name, {"TENANTKIT_PEERS_LIMITED": "1"})
    for peer in PEERS
)


class Process:
    """A contender at work. `given` is what its settings read."""

    def __init__(self, contender: Contender, given: dict[str, Any]) -> None:
        self.contender = contender
        self.given = given
        said = Path(given["migrations"]) / f"{contender.name}.log"
        self._said = said.open("a+")
        self._process = subprocess.Popen(
            [contender.python(), "-m", f"{PACKAGE}.child"],
            cwd=ROOT,
            env={
                **{name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "TENANTKIT_"))},
                **contender.switch,
                "DJANGO_SETTINGS_MODULE": f"{PACKAGE}.settings.{contender.module}",
                "TENANTKIT_PEERS_SIDE": f"{PACKAGE}.sides.{contender.module}",
                "TENANTKIT_PEERS": json.dumps(given),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )
        self._asks, self._answers = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)

    def ask(self, do: str, **arguments: Any) -> Any:
        """Have a method of its side called; its answer. Raises `ContenderFailed`."""
        try:
            self._asks.write(json.dumps({"do": do, "arguments": arguments}) + "\n")
            self._asks.flush()
            line = self._answers.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._said.seek(0)
            raise ContenderFailed(f"{self.contender.name} failed at {do}: ...{self._said.read()[-2000:]}")
        return json.loads(line)

    def clock(self, do: str, **arguments: Any) -> Seconds:
        """How long that took."""
        return Seconds(*self.ask(do, **arguments))

    def close(self) -> None:
        """End it."""
        with suppress(BrokenPipeError):
            self._asks.close()
        self._process.wait()
        self._answers.close()
        self._said.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextmanager
    def counted(self) -> Iterator[tuple[Process, proxy.Traffic]]:
        """Another process of the same project, whose messages are counted on their way to the server."""
        with (
            proxy.start(self.given["database"]) as (through, traffic),
            Process(self.contender, {**self.given, "database": through}) as process,
        ):
            yield process, traffic


def messages(traffic: proxy.Traffic) -> int:
    """What the client sent to be executed: simple queries, and executions of the extended protocol."""
    return traffic.asked["Q"] + traffic.asked["E"]
