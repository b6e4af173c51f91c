"""How the contenders are compared, with ones that only say how long they take."""

from __future__ import annotations

from typing import Any

import pytest

from tests.benchmarks.method import Figure, Figures, Seconds
from tests.benchmarks.peers.__main__ import line
from tests.benchmarks.peers.comparing import BARE, Comparison, Row
from tests.benchmarks.peers.contenders import OURS, PLAIN


def compared(order: list[str], blocks: int, more: int, at_most: float | None = None) -> list[Row]:
    """Plain Django takes 1 s, ours 2, a peer 30. `order` is told who took a turn."""
    found: Any = {PLAIN.name: (PLAIN.name, 1.0), OURS.name: (OURS.name, 2.0), "peer": ("peer", 30.0)}

    def leg(process: Any) -> Seconds:
        order.append(process[0])
        return Seconds(process[1], process[1])

    return list(Comparison("something", found, leg, at_most).run(blocks, more))


def test_all_take_turns_forth_and_back_and_then_ours_alone() -> None:
    order: list[str] = []
    compared(order, 1, 1)
    plain, ours = PLAIN.name, OURS.name
    assert order == [plain, ours, "peer", "peer", ours, plain, plain, ours, ours, plain]


def test_each_is_compared_with_the_first() -> None:
    rows = compared([], 2, 3)
    assert [(row.name, row.figures and row.figures.wall.median) for row in rows] == [
        (BARE, 1.0),
        (OURS.name, 2.0),
        ("peer", 30.0),
    ]


def test_only_ours_has_a_target() -> None:
    assert [row.name for row in compared([], 2, 3, at_most=1.5) if row.missed] == [OURS.name]


@pytest.mark.parametrize(("sent", "missed"), [(1, False), (2, True)])
def test_where_only_messages_are_counted_the_target_is_their_number(sent: int, missed: bool) -> None:
    assert Row("nothing to do", OURS.name, None, 3.0, sent, 1).missed is missed


def test_a_line_names_what_is_missed() -> None:
    figures = Figures(Figure(1.5, 1.4, 1.6), Figure(1.2, 1.1, 1.3))
    cells = line(Row("something", OURS.name, figures, 12.345, 6, 1.0)).split(" | ")
    assert cells == ["| something", OURS.name, "1.20", "1.10-1.30", "1.50", "12.3", "6", "≤ 1 MISSED |"]
