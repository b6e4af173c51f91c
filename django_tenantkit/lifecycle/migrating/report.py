"""What a run is told, and what it tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from .survey import State


@dataclass(frozen=True)
class Options:
    """How a run goes about it. `canary` homes go first, and if one of them fails no other follows; then come waves
    of `wave` homes (0: all at once). The run stops when more than `stop_after` homes have failed, or that share of
    all homes if `stop_after_percent`; None: never. `wait`: seconds for which another run is waited for."""

    workers: int = 2
    canary: int = 0
    wave: int = 0
    stop_after: float | None = None
    stop_after_percent: bool = False
    wait: float = 10.0


@dataclass
class Outcome:
    """How it went with one home. `error` is empty where it is as wanted, `seconds` None where it was not reached."""

    uid: UUID
    name: str
    seconds: float | None = None
    error: str = ""


@dataclass
class Report:
    """What a run found and did. `stopped`: why homes were left out, or empty."""

    states: list[State]
    outcomes: list[Outcome] = field(default_factory=list)
    stopped: str = ""

    @property
    def failed(self) -> list[Outcome]:
        """The homes that are not as wanted, for they failed."""
        return [one for one in self.outcomes if one.error]

    @property
    def done(self) -> list[Outcome]:
        """The homes that are as wanted by this run."""
        return [one for one in self.outcomes if one.seconds is not None and not one.error]

    @property
    def left(self) -> list[Outcome]:
        """The homes that were not reached."""
        return [one for one in self.outcomes if one.seconds is None]
