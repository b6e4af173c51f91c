"""The fenced code blocks of a Markdown page, and what one does with them.

    ```python          the first line names the file: `# shop/models.py`; with `(at the end)` it is appended
    ```console         `$ command` lines, each followed by what it prints; `...` stands for anything
    ```pycon           a Python session inside the project, checked as by doctest

A block in another language is for reading only. A `python` block that names no file is an error: nothing in
these pages may go unexecuted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

EXECUTED = ("python", "console", "pycon")

_FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (?P<path>[\w./]+\.(?:py|html))(?P<end> \(at the end\))?\n")


class PageError(AssertionError):
    """A page that cannot be executed, or does not do what it says."""


@dataclass(frozen=True)
class Block:
    """A block and where it begins."""

    language: str
    text: str
    page: str
    line: int = 1

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.page}, line {self.line}"


@dataclass
class Command:
    """A command of a console block and what it is said to print; nothing is compared when that is empty."""

    line: str
    prints: list[str] = field(default_factory=list)


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page that are executed, in order."""
    text = page.read_text()
    return [
        Block(found["language"], found["text"], page.name, text.count("\n", 0, found.start()) + 1)
        for found in _FENCE.finditer(text)
        if found["language"] in EXECUTED
    ]


def commands_of(block: Block) -> list[Command]:
    """The commands of a console block. A line that ends in a backslash goes on in the next."""
    commands: list[Command] = []
    for line in block.text.splitlines():
        last = commands[-1] if commands else None
        if line.startswith("$ "):
            commands.append(Command(line[2:]))
        elif last is None:
            raise PageError(f"{block.where}: a console block begins with `$ command`, not with {line!r}")
        elif last.line.endswith("\\") and not last.prints:
            last.line += "\n" + line
        else:
            last.prints.append(line)
    return commands


def file_of(block: Block) -> tuple[str, bool, str]:
    """The path that a python block names, whether it is appended there, and its text."""
    found = _FILE.match(block.text)
    if found is None:
        raise PageError(f"{block.where}: the first line of a python block names its file: `# shop/models.py`")
    return found["path"], bool(found["end"]), block.text


def matches(printed: str, expected: list[str]) -> bool:
    """Whether a command printed that, `...` standing for anything; space at the ends does not count."""
    parts = "\n".join(expected).strip().split("...")
    return re.fullmatch(".*?".join(map(re.escape, parts)), printed.strip(), re.DOTALL) is not None
