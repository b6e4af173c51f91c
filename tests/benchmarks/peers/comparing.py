"""The comparisons. In each, all take turns: A B C D D C B A. Each figure is what a contender takes by what the first of
them takes; of ours there are more blocks, A B B A, for its targets are close."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from statistics import median

from tests.benchmarks.method import Figures, Seconds, figure, ratio

from .contenders import ALONE, CLONING, CONTEXT, GUARDED, LIMITED, OURS, PLAIN, Process, messages
from .field import begun, sharing

Processes = dict[str, Process]
Leg = Callable[[Process], Seconds]

ONE = """migrations.AddField("product", "a{0}", models.IntegerField(null=True)),
    migrations.AddIndex("product", models.Index(fields=["a{0}"], name="shop_index_{0}")),"""
CHAIN = (
    """migrations.AddField("customer", "b{0}", models.CharField(max_length=20, null=True))""",
    """migrations.AlterField("customer", "b{0}", models.TextField(null=True))""",
    """migrations.AddField("order", "c{0}", models.IntegerField(default=5))""",
    """migrations.AddIndex("order", models.Index(fields=["c{0}"], name="shop_chain_{0}"))""",
    """migrations.RenameField("customer", "b{0}", "d{0}")""",
)

MIGRATIONS = (("a chain of five", CHAIN, 1.4), ("one migration", (ONE,), 2.3))

#: Seconds of a leg of requests.
LEG = 0.1

#: So many times the blocks of migrating are there of what takes less time.
SCHEMAS, REQUESTS = 3, 10

#: What is compared with: the statements that plain Django runs, in one message for each schema.
BARE = "bare DDL"


@dataclass(frozen=True)
class Sizes:
    """Blocks with everybody in them, and further ones with ours alone; schemas that ours migrates, and that the peers
    do."""

    blocks: int
    more: int
    schemas: int
    of_peers: int


@dataclass(frozen=True)
class Row:
    """A line of the table: what `name` takes by the first contender (None where only messages are counted), in ms, and
    how many messages it sends."""

    what: str
    name: str
    figures: Figures | None
    milliseconds: float
    messages: int | None = None
    at_most: float | None = None

    @property
    def missed(self) -> bool:
        """Whether the target is missed; that of a row without a figure is a number of messages."""
        if self.figures is None:
            return self.at_most is not None and (self.messages or 0) > self.at_most
        return self.figures.wall.misses(self.at_most)


@dataclass(frozen=True)
class Comparison:
    """Who takes part, the first being what the others are compared with; what one leg is; the target of ours."""

    what: str
    found: Processes
    leg: Leg
    at_most: float | None
    sent: dict[str, int] = field(default_factory=dict)
    base: str = BARE

    def run(self, blocks: int, more: int) -> Iterator[Row]:
        """Its rows."""
        first = next(iter(self.found))
        near = {name: self.found[name] for name in (first, OURS.name) if name in self.found}
        ratios: dict[str, list[Seconds]] = {name: [] for name in self.found}
        walls: dict[str, list[float]] = {name: [] for name in self.found}
        for taking_part in [self.found] * blocks + [near] * more:
            taken = self._block(list(taking_part))
            for name, (forth, back) in taken.items():
                walls[name] += [forth.wall, back.wall]
                a, a_again = taken[first]
                legs = zip(a, forth, back, a_again, strict=True)
                ratios[name].append(Seconds(*map(ratio, legs)))
        for name in self.found:
            clocks = [figure(clock) for clock in zip(*ratios[name], strict=True)]
            shown, at_most = (self.base, None) if name == first else (name, self.at_most if name == OURS.name else None)
            milliseconds = 1000 * median(walls[name])
            yield Row(self.what, shown, Figures(*clocks), milliseconds, self.sent.get(name), at_most)

    def _block(self, order: list[str]) -> dict[str, tuple[Seconds, Seconds]]:
        """Forth and back."""
        forth = [self.leg(self.found[name]) for name in order]
        back = [self.leg(self.found[name]) for name in reversed(order)]
        return dict(zip(order, zip(forth, reversed(back), strict=True), strict=True))


def provisioning(found: Processes, sizes: Sizes) -> Iterator[Row]:
    """A schema made and dropped; the latter is not measured. The target is for the same schema, policies and all."""
    with ExitStack() as stack:
        everybody = {**found, **sharing(CLONING, found, stack)}
        guarded = {**sharing((GUARDED,), found, stack), OURS.name: found[OURS.name]}
        numbers = count(1)

        def leg(process: Process) -> Seconds:
            return process.clock("provision", name=f"p{next(numbers):05}")

        for process in {**everybody, **guarded}.values():
            leg(process)
        sent = {name: _sent(process, "provision", name="counted") for name, process in everybody.items()}
        yield from Comparison("provision a schema", everybody, leg, None, sent).run(
            SCHEMAS * sizes.blocks, SCHEMAS * sizes.more
        )
        same = Comparison("the same, by its own DDL", guarded, leg, 1.0, base=GUARDED.name)
        yield from same.run(0, SCHEMAS * (sizes.blocks + sizes.more))
    yield from claiming(found[OURS.name])


def claiming(ours: Process) -> Iterator[Row]:
    """What it takes where a place is ready."""
    for do, at_most in (("claim", 2), ("sign_up", None)):
        ours.ask("make", name="")
        taken = ours.clock("timed_claim", how=do, slug=f"warm-{do.replace('_', '-')}")
        for _ in range(2):
            ours.ask("make", name="")
        with ours.counted() as (process, traffic):
            process.ask(do, slug=f"first-{do.replace('_', '-')}")
            traffic.reset()
            process.ask(do, slug=f"second-{do.replace('_', '-')}")
            texts = [text for text in traffic.texts if not text.startswith((b"BEGIN", b"COMMIT"))]
            yield Row(f"{do} from the pool", OURS.name, None, 1000 * taken.wall, len(texts), at_most)


def requests(found: Processes, sizes: Sizes) -> Iterator[Row]:
    """A page of five queries."""
    with ExitStack() as stack:
        everybody = {**found, **sharing((CONTEXT, *LIMITED), found, stack)}
        for process in everybody.values():
            process.ask("request", times=50)
        times = max(1, round(LEG / (everybody[PLAIN.name].clock("request", times=20).wall / 20)))

        def leg(process: Process) -> Seconds:
            taken = process.clock("request", times=times)
            return Seconds(taken.cpu / times, taken.wall / times)

        sent = {name: _sent(process, "request", times=1) for name, process in everybody.items()}
        comparison = Comparison("request of five queries", everybody, leg, 1.07, sent, PLAIN.name)
        yield from comparison.run(REQUESTS * sizes.blocks, REQUESTS * sizes.more)


def migrating(found: Processes, sizes: Sizes) -> Iterator[Row]:
    """New migrations: with everybody over some schemas, with ours alone over more, on a server where none have been
    added yet. Each leg leaves some for the next to plan with; so one worker is measured by itself, at the end."""
    if len(found) > len((PLAIN, OURS)):
        yield from _migrating(found, sizes.of_peers, sizes.blocks, count(1), has_targets=False)
    with begun([], print) as fresh, ExitStack() as stack:
        numbers = count(1)
        yield from _migrating(fresh, sizes.schemas, sizes.more, numbers, has_targets=True)
        alone = {PLAIN.name: fresh[PLAIN.name], **sharing((ALONE,), fresh, stack)}
        for row in _migrating(alone, sizes.schemas, sizes.blocks, numbers, has_targets=False):
            if row.name == ALONE.name:
                yield row


def _migrating(
    everybody: Processes, schemas: int, blocks: int, numbers: Iterator[int], *, has_targets: bool
) -> Iterator[Row]:
    ddl = everybody[PLAIN.name].ask("statements")
    for process in everybody.values():
        process.ask("fill", number=schemas, ddl=ddl)
    for what, texts, at_most in MIGRATIONS:

        def leg(process: Process, texts: tuple[str, ...] = texts) -> Seconds:
            number = next(numbers)
            return process.clock("migrate", operations=[text.format(number) for text in texts])

        for process in everybody.values():
            if process.contender in (PLAIN, OURS, ALONE):
                leg(process)
        aim = at_most if has_targets else None
        yield from Comparison(f"{what}, {schemas} schemas", everybody, leg, aim).run(blocks, 0)
    for name, process in everybody.items():
        if process.contender not in (PLAIN, ALONE):
            yield _idle(name, process, schemas)


def _idle(name: str, process: Process, schemas: int) -> Row:
    """Nothing is to be done."""
    taken = process.clock("idle").wall
    sent = _sent(process, "idle")
    at_most = 1 if name == OURS.name else None
    return Row(f"nothing to do, {schemas} schemas", name, None, 1000 * taken, sent, at_most)


def _sent(process: Process, do: str, **arguments: object) -> int:
    """The messages of a call in a process that is warm."""
    with process.counted() as (another, traffic):
        if do != "request":
            another.ask("hold")
        another.ask(do, **arguments)
        if do == "provision":  # which drops the schema too
            do = "make"
        traffic.reset()
        another.ask(do, **arguments)
        sent = messages(traffic)
        if do == "make":
            another.ask("drop", **arguments)
        return sent
