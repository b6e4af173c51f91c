"""A project that grows in a directory as a page says, block by block."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from tests.docs.blocks import Block, PageError, commands_of, file_of, matches

ROOT = Path(__file__).parent.parent.parent
PORT = "8000"
RUNSERVER = "python manage.py runserver"

#: Not executed: they make an environment, which the tests run in already.
INSTALLS = re.compile(r"(pip install|python -m venv|\. \.venv/bin/activate|git clone)\b")

#: What the pages use that a machine may not have; `tests/docs` has what is needed of it in Python.
PROGRAMS = ("curl", "createdb")


class Session:
    """A running Python in the project: see `talk.py`."""

    def __init__(self, page: str, directory: Path, environment: dict[str, str]) -> None:
        self.page = page
        settings = next(directory.glob("*/settings.py")).parent.name
        self.process = subprocess.Popen(
            ["python", "-c", (ROOT / "tests/docs/talk.py").read_text()],
            cwd=directory,
            env={**environment, "DJANGO_SETTINGS_MODULE": f"{settings}.settings"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def check(self, text: str) -> str:
        """What did not come out as it stands there; empty if all did."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(text) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        return str(json.loads(answer)) if answer else "Python ended"


class Project:
    """Executes blocks in a directory, in one shell, so that `cd` and variables last from block to block."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.port = PORT
        self.server: subprocess.Popen[str] | None = None
        self.changed = False
        self.processes: list[subprocess.Popen[str]] = []
        self.session: Session | None = None
        programs = directory / ".programs"
        programs.mkdir()
        for program in PROGRAMS:
            if shutil.which(program) is None:
                script = programs / program
                script.write_text(f"#!{sys.executable}\n" + (ROOT / f"tests/docs/{program}.py").read_text())
                script.chmod(0o755)
        unwanted = ("DJANGO_SETTINGS_MODULE", "DATABASE_URL", "TENANTKIT_", "PYTEST_", "COV_")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
        self.environment |= {
            "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "NO_COLOR": "1",
            **environment,
        }
        self.shell = subprocess.Popen(
            ["sh"],
            cwd=directory,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def execute(self, block: Block) -> None:
        """Do what the block says. Raises `PageError` where it does not come out as the page says."""
        {"python": self._write, "console": self._type, "pycon": self._talk}[block.language](block)

    def close(self) -> None:
        """End the shell, and the servers and sessions that were started."""
        for process in (*self.processes, self.shell):
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()

    def _write(self, block: Block) -> None:
        name, at_the_end, text = file_of(block)
        path = self._directory() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if at_the_end:
            with path.open("a") as file:
                file.write("\n" + text)
        else:
            path.write_text(text)
        self.changed = True
        self.session = None

    def _type(self, block: Block) -> None:
        for command in commands_of(block):
            if INSTALLS.match(command.line):
                continue
            if command.line == RUNSERVER:
                self._serve(RUNSERVER)
                continue
            if self.server is not None and self.changed and f":{PORT}" in command.line:
                self.server.kill()
                self._serve(RUNSERVER)
            printed, code = self._run(command.line.replace(f":{PORT}", f":{self.port}"))
            printed = printed.replace(f":{self.port}", f":{PORT}")
            if code or (command.prints and not matches(printed, command.prints)):
                expected = "\n".join(command.prints)
                got = f"exit code {code}\n{printed[:3000]}"
                raise PageError(f"{block.where}: $ {command.line}\n{got}\nexpected:\n{expected}")

    def _talk(self, block: Block) -> None:
        """Check the session as doctest does, inside the project. The blocks of a page share their names until
        a file changes."""
        if self.session is None or self.session.page != block.page:
            self.session = Session(block.page, self._directory(), self.environment)
            self.processes.append(self.session.process)
        if failed := self.session.check(block.text):
            raise PageError(f"{block.where}:\n{failed}")

    def _serve(self, line: str) -> None:
        """Start Django's server as the page does in another terminal, and wait until it listens. Where Django
        would see that a file has changed and start again, this is called again."""
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))
            self.port = str(reserved.getsockname()[1])
        self.server = subprocess.Popen(
            [*line.split(), "--noreload", self.port],
            cwd=self._directory(),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.processes.append(self.server)
        self.changed = False
        assert self.server.stdout is not None
        printed = []
        for output in self.server.stdout:
            printed.append(output)
            if "Quit the server" in output:
                return
        raise PageError(f"$ {line}: the server ended\n{''.join(printed)}")

    def _run(self, line: str) -> tuple[str, int]:
        """What the command prints, and its exit code."""
        assert self.shell.stdin is not None
        assert self.shell.stdout is not None
        self.shell.stdin.write(f"{line}\ncode=$?; echo; echo __done__ $code\n")
        self.shell.stdin.flush()
        printed: list[str] = []
        for output in self.shell.stdout:
            if output.startswith("__done__ "):
                return "".join(printed), int(output.split()[1])
            printed.append(output)
        raise PageError(f"$ {line}: the shell ended\n{''.join(printed)}")

    def _directory(self) -> Path:
        return Path(self._run("pwd")[0].strip())
