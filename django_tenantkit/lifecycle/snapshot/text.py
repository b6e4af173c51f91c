"""SQL that names its schema, with the name taken out.

A text is a row of parts: a string is text as it is, a number stands for something to be filled in, and a tuple is an
SQL string whose content it is. So a name can be filled in at any depth, and is quoted as that depth asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ...exceptions import SnapshotRefused
from ...sql.session import literal

#: The schema's name as an identifier, as it is, and where it can only stand if it needs no quotes; the tenant's key.
IDENTIFIER, NAME, BARE, TENANT = range(4)

#: A part of SQL, see above: `str | int | tuple[Part, ...]`.
Part = Any

_TOKEN = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*.*?\*/)
    |(?P<simple>[eE]'(?:[^'\\]|\\\\|'')*')
    |(?P<escaped>[eE]'(?:[^'\\]|\\.|'')*')
    |(?P<string>'(?:[^']|'')*')
    |(?P<dollar>\$(?P<tag>(?:[^\W\d]\w*)?)\$(?P<body>.*?)\$(?P=tag)\$)
    |(?P<quoted>"(?:[^"]|"")*")
    |(?P<word>[\w$]+)
    """,
    re.DOTALL | re.VERBOSE,
)

#: A name that needs no quotes: no keyword contains a digit.
_PLAIN = re.compile(r"[a-z_][a-z_]*[0-9][a-z0-9_]*")

_QUOTES = str.maketrans("", "", "'\"\\")


def is_distinctive(name: str) -> bool:
    """Whether `name` is nowhere written by accident."""
    return len(name) >= 8 and any(character.isdigit() for character in name)


def identifier(name: str) -> str:
    """`name` as SQL, quoted where it could need it."""
    return name if is_plain(name) else '"' + name.replace('"', '""') + '"'


def is_plain(name: str) -> bool:
    """Whether `name` is the same with and without quotes."""
    return _PLAIN.fullmatch(name) is not None


def take_out(text: str, name: str) -> tuple[Part, ...]:
    """The parts of one statement. A string that is the schema's name, or says it in any other way, gets the new
    schema's. Raises `SnapshotRefused` where the name is used for something else, or is part of a longer one."""
    if not _may_mention(text, name) and "\\" not in text:
        return (text,)
    parts = tuple(_joined(_parts(text, name, outside=True)))
    for this, following in zip(parts, [*parts[1:], ""], strict=True):
        if this == IDENTIFIER and not (isinstance(following, str) and following.lstrip().startswith(".")):
            raise SnapshotRefused(f"{name} is the name of a schema and of something in it: {_short(text)}")
    if _is_left(parts, name):
        raise SnapshotRefused(f"The name of the schema {name} is a part of another name: {_short(text)}")
    return parts


def without_name(text: str, name: str, placeholder: str) -> str:
    """Any text with something else in place of the name, wherever it can be seen."""
    if not _may_mention(text, name):
        return text
    values = dict.fromkeys((IDENTIFIER, NAME, BARE), placeholder)
    return fill_in(list(_parts(text, name, outside=False)), values).replace(name, placeholder)


def fill_in(parts: Sequence[Part], values: dict[int, str]) -> str:
    """The text of parts. `values` are put in where numbers stand."""
    filled = [""]
    for part in parts:
        if isinstance(part, str):
            filled.append(part)
        elif isinstance(part, int):
            filled.append(values[part])
        else:
            text = literal(fill_in(part, values))
            filled.append(text if filled[-1][-1:].isalnum() else text.lstrip())
    return "".join(filled)


def mentions(parts: Sequence[Part], number: int) -> bool:
    """Whether something is to be filled in there."""
    return any(part == number or (isinstance(part, tuple) and mentions(part, number)) for part in parts)


def as_parts(kept: Any) -> tuple[Part, ...]:
    """Parts as JSON gives them."""
    return tuple(as_parts(part) if isinstance(part, list) else part for part in kept)


def _parts(text: str, name: str, *, outside: bool) -> Iterator[Part]:
    """`outside`: of all strings. There a backslash means what the server's settings say, so a string with one is
    written in the way that always means the same."""
    end = 0
    for token in _TOKEN.finditer(text):
        yield text[end : token.start()]
        end = token.end()
        yield from _replaced(token, name, outside=outside)
    yield text[end:]


def _replaced(token: re.Match[str], name: str, *, outside: bool) -> Iterator[Part]:
    kind, text = token.lastgroup, token.group()
    if kind == "string":
        yield _string(text, text[1:-1].replace("''", "'"), name, outside=outside)
    elif kind == "simple":
        yield _string(text, text[2:-1].replace("''", "'").replace("\\\\", "\\"), name, outside=False)
    elif not _may_mention(text, name):
        yield text
    elif kind == "dollar":
        yield _content(token.group("body"), name)
    elif (kind == "quoted" and text[1:-1].replace('""', '"') == name) or (kind == "word" and text.lower() == name):
        yield IDENTIFIER
    elif kind in ("comment", "escaped"):
        pieces = re.split(rf"(?<![\w$])({re.escape(name)})(?![\w$])", text)
        yield from (BARE if place % 2 else piece for place, piece in enumerate(pieces))
    else:
        yield text


def value(content: str, name: str) -> Part:
    """A value as an SQL string. Raises `SnapshotRefused` where the name is a part of a longer one."""
    if not _may_mention(content, name):
        return literal(content)
    parts = _content(content, name)
    if _is_left(parts, name):
        raise SnapshotRefused(f"The name of the schema {name} is a part of a value: {_short(content)}")
    return parts


def _string(text: str, content: str, name: str, *, outside: bool) -> Part:
    if _may_mention(content, name):
        return _content(content, name)
    return (content,) if outside and "\\" in content else text


def _content(content: str, name: str) -> tuple[Part, ...]:
    return (NAME,) if content == name else tuple(_joined(_parts(content, name, outside=False)))


def _joined(parts: Iterator[Part]) -> Iterator[Part]:
    """The same with neighbouring texts in one, and none empty."""
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        if text:
            yield text
        text = ""
        yield part
    if text:
        yield text


def _is_left(parts: Sequence[Part], name: str) -> bool:
    texts = (_may_mention(part, name) for part in parts if isinstance(part, str))
    return any(texts) or any(_is_left(part, name) for part in parts if isinstance(part, tuple))


def _may_mention(text: str, name: str) -> bool:
    """Whether `name` could be in there, in capitals or with its quotes written twice."""
    return text.translate(_QUOTES).lower().find(name.translate(_QUOTES).lower()) >= 0


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]} ..."
