"""Random querysets, in both worlds."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, event, given, settings

from .shapes import reads, writes
from .worlds import Refused, Worlds

EXAMPLES = int(os.environ.get("TENANTKIT_COMPARISON_EXAMPLES", "0"))

#: The same examples in every run; with TENANTKIT_COMPARISON_EXAMPLES=5000 so many new ones.
bounded = settings(
    max_examples=EXAMPLES or 300,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    print_blob=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def unordered(value: object, *, ordered: bool) -> object:
    """A list whose order means nothing, in one that does."""
    return sorted(map(repr, value)) if isinstance(value, list) and not ordered else value


@bounded
@given(read=reads())
def test_a_read_in_a_tenant_gives_what_plain_django_gives_on_its_rows(worlds: Worlds, read: tuple[str, bool]) -> None:
    code, ordered = read
    inside, plain = worlds.scoped(code), worlds.plain(code)
    event("refused" if isinstance(plain, Refused) else "empty" if plain in ([], 0, None, False) else "rows")
    assert unordered(inside, ordered=ordered) == unordered(plain, ordered=ordered)


@bounded
@given(code=writes())
def test_a_write_in_a_tenant_does_what_plain_django_does_to_its_rows(worlds: Worlds, code: str) -> None:
    inside, plain = worlds.scoped(code, written=True), worlds.plain(code, written=True)
    event("refused" if isinstance(plain, Refused) else "nothing" if plain[0] in (0, (0, {})) else "rows")
    assert inside == plain


def test_a_leak_would_be_noticed(worlds: Worlds) -> None:
    leaks = []

    @bounded
    @given(read=reads())
    def look(read: tuple[str, bool]) -> None:
        code, ordered = read
        if unordered(worlds.leaking(code), ordered=ordered) != unordered(worlds.plain(code), ordered=ordered):
            leaks.append(code)

    look()
    assert len(leaks) > 100
