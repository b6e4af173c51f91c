"""How ways of doing the same are compared.

They run in one process, in blocks of A B B A, so that a machine that slows down while it measures
does so to both, with the garbage collector off. Two clocks run: CPU time of this process, which the
server and other programs disturb little, and wall time, which contains what the server does. A block
gives one ratio; the figure is the median of the blocks' ratios with its 90 % interval. A target is
missed only when the whole interval lies beyond it.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

Work = Callable[[], object]

#: Seconds that one leg of a block takes: long against the clock, short against the machine's moods.
LEG = 0.04
CONFIDENCE = 0.90
LEAST_BLOCKS = 30


@dataclass(frozen=True)
class Figure:
    """A median of ratios, and the interval that holds the true one nine times in ten."""

    median: float
    low: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> Figure:
        """A figure that was counted."""
        return cls(value, value, value)

    def misses(self, at_most: float | None) -> bool:
        """Whether the whole interval lies beyond the target. With no target nothing is missed."""
        return at_most is not None and self.low > at_most


def figure(ratios: Sequence[float]) -> Figure:
    """The figure for the ratios of the blocks."""
    ordered = sorted(ratios)
    rank = lower_rank(len(ordered))
    return Figure(statistics.median(ordered), ordered[rank - 1], ordered[-rank])


def lower_rank(count: int, confidence: float = CONFIDENCE) -> int:
    """The largest k for which the k-th smallest and the k-th largest of `count` values enclose the median
    with at least `confidence`. It assumes no distribution: each value falls below the median like a coin
    shows heads. 1, the whole range, where `count` is too small for that confidence."""
    rank, outside = 1, 2 * 0.5**count
    while rank < count // 2:
        outside += 2 * math.comb(count, rank) * 0.5**count
        if outside > 1 - confidence:
            break
        rank += 1
    return rank


def ratio(block: Sequence[float]) -> float:
    """B by A, from the times of A B B A."""
    a, b, b_again, a_again = block
    return (b + b_again) / (a + a_again)


def excess_ratio(block: Sequence[float]) -> float:
    """What C costs above A by what B costs above A, from the times of A B C C B A."""
    a, b, c, c_again, b_again, a_again = block
    bare = a + a_again
    return (c + c_again - bare) / (b + b_again - bare)


class Seconds(NamedTuple):
    """What something took."""

    cpu: float
    wall: float


class Figures(NamedTuple):
    """The same by either clock."""

    cpu: Figure
    wall: Figure


def seconds(work: Work, times: int) -> Seconds:
    """CPU time of this process and wall time for calling `work` so many times. Wall time is that of the median
    call, so many times: a call during which another program ran says nothing of the work."""
    clock, calls = time.perf_counter, []
    begin = time.process_time()
    for _ in range(times):
        start = clock()
        work()
        calls.append(clock() - start)
    return Seconds(time.process_time() - begin, times * statistics.median(calls))


def calibrated(work: Work, leg: float = LEG) -> int:
    """How often to call `work` for one leg of a block."""
    times = 1
    while (taken := seconds(work, times).wall) < leg / 4:
        times *= 2
    return max(1, round(times * leg / taken))


def measure(works: Sequence[Work], blocks: int, per_block: Callable[[Sequence[float]], float]) -> Figures:
    """The figures of `per_block` over so many blocks, each of which runs the works forth and back."""
    for work in works:
        calibrated(work)  # warms up: connections, caches, the specialising interpreter
    times = calibrated(works[0])
    legs = [*works, *reversed(works)]
    ratios: list[tuple[float, float]] = []
    gc.collect()
    gc.freeze()
    try:
        for _ in range(blocks):
            gc.collect()
            gc.disable()
            taken = [seconds(work, times) for work in legs]
            ratios.append((per_block([leg.cpu for leg in taken]), per_block([leg.wall for leg in taken])))
            gc.enable()
    finally:
        gc.enable()
        gc.unfreeze()
    return Figures(figure([cpu for cpu, _ in ratios]), figure([wall for _, wall in ratios]))
