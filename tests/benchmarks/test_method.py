from __future__ import annotations

import json
import random

import pytest

from tests.benchmarks import method
from tests.benchmarks.method import Figure, Seconds, excess_ratio, figure, lower_rank, ratio
from tests.benchmarks.report import CPU, WALL, Result, as_json


def test_a_block_compares_its_inner_legs_with_its_outer_legs() -> None:
    assert ratio([1.0, 2.0, 4.0, 3.0]) == 1.5


def test_a_machine_that_slows_down_evenly_does_not_change_the_ratio() -> None:
    assert ratio([1.0, 1.5, 2.0, 2.5]) == 1.0


def test_an_excess_is_what_two_ways_cost_above_the_first() -> None:
    assert excess_ratio([10.0, 12.0, 15.0, 15.0, 12.0, 10.0]) == 2.5


def test_the_median_is_the_figure() -> None:
    assert figure([3.0, 1.0, 2.0]).median == 2.0


@pytest.mark.parametrize(("count", "rank"), [(30, 11), (40, 15), (100, 42)])
def test_the_interval_ends_at_the_ranks_of_the_sign_test(count: int, rank: int) -> None:
    assert lower_rank(count) == rank


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_few_values_give_their_whole_range(count: int) -> None:
    assert lower_rank(count) == 1


def test_the_interval_is_taken_from_the_ordered_ratios() -> None:
    ratios = list(range(1, 31))
    random.Random(1).shuffle(ratios)
    assert figure(ratios) == Figure(15.5, 11, 20)


def test_the_interval_holds_the_true_median_nine_times_in_ten() -> None:
    values = random.Random(2)
    figures = [figure([values.expovariate(1.0) for _ in range(30)]) for _ in range(2000)]
    held = sum(found.low <= 0.6931 <= found.high for found in figures)
    assert 0.89 <= held / 2000 <= 0.97


def test_one_outlier_moves_neither_the_median_nor_the_interval() -> None:
    calm = [1.0] * 29
    assert figure([*calm, 100.0]) == Figure(1.0, 1.0, 1.0)


def test_a_target_inside_the_interval_is_not_missed() -> None:
    assert not Figure(0.97, 0.94, 1.00).misses(0.95)


def test_a_target_below_the_whole_interval_is_missed() -> None:
    assert Figure(0.97, 0.96, 1.00).misses(0.95)


def test_a_figure_without_a_target_misses_nothing() -> None:
    assert not Figure.exactly(9).misses(None)


def test_every_block_runs_the_works_forth_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr(method, "calibrated", lambda work: 1)
    monkeypatch.setattr(method, "seconds", lambda work, times: order.append(work()) or Seconds(1.0, 1.0))
    method.measure([lambda: "A", lambda: "B"], 2, ratio)
    assert "".join(order) == "ABBAABBA"


def test_each_clock_has_its_own_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(method, "calibrated", lambda work: 1)
    monkeypatch.setattr(method, "seconds", lambda work, times: work())
    figures = method.measure([lambda: Seconds(1.0, 2.0), lambda: Seconds(2.0, 3.0)], 5, ratio)
    assert (figures.cpu.median, figures.wall.median) == (2.0, 1.5)


def test_the_table_names_what_is_missed() -> None:
    line = str(Result("get", Figure(1.5, 1.4, 1.6), WALL, 0.95))
    assert line.split() == ["get", "1.500", "1.400-1.600", "wall", "<=", "0.95", "MISSED"]


def test_json_has_one_object_per_figure() -> None:
    assert json.loads(next(as_json([Result("get", Figure(0.9, 0.8, 1.0), CPU, 0.95)]))) == {
        "name": "get",
        "median": 0.9,
        "low": 0.8,
        "high": 1.0,
        "clock": "CPU",
        "at_most": 0.95,
        "missed": False,
    }
