"""The comparisons. In each, all take turns: A B C D D C B A. Each figure is what a contender takes by what the first of
them takes; of ours there are more blocks, A B B A, for its targets are close."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

from tests.benchmarks.method import Figure, Seconds, figure, ratio

from .contenders import CLONING, LIMITED, OURS, PLAIN, Process, messages
from .field import sharing

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

#: Seconds of a leg of requests.
LEG = 0.1


@dataclass(frozen=True)
class Sizes:
    """Blocks with everybody in them, further ones with ours alone, and schemas."""

    blocks: int = 3
    more: int = 0
    schemas: int = 20


@dataclass(frozen=True)
class Row:
    """A line of the table: what `name` takes by the first contender (None where only messages are counted), in ms, and
    how many messages it sends."""

    what: str
    name: str
    wall: Figure | None
    cpu: Figure | None
    milliseconds: float
    messages: int | None = None
    at_most: float | None = None

    @property
    def missed(self) -> bool:
        """Whether the target is missed; that of a row without a figure is a number of messages."""
        if self.wall is None:
            return self.at_most is not None and (self.messages or 0) > self.at_most
        return self.wall.misses(self.at_most)


def compared(
    what: str, found: Processes, leg: Leg, blocks: int, more: int, at_most: float | None, sent: dict[str, int]
) -> Iterator[Row]:
    """The rows of one comparison, `PLAIN` first. `sent` has the messages of some."""
    ratios: dict[str, list[Seconds]] = {name: [] for name in found}
    walls: dict[str, list[float]] = {name: [] for name in found}
    near = {name: found[name] for name in (PLAIN.name, OURS.name)}
    for taking_part in [found] * blocks + [near] * more:
        order = list(taking_part)
        taken: dict[str, list[Seconds]] = {name: [] for name in order}
        for name in [*order, *reversed(order)]:
            taken[name].append(leg(found[name]))
        first = taken[order[0]]
        for name in order:
            walls[name] += [each.wall for each in taken[name]]
            if min(each.cpu for each in first) > 0:
                ratios[name].append(Seconds(*(ratio([a, b, c, d]) for a, b, c, d in zip(first[0], *taken[name], first[1], strict=True))))
    for name in found:
        yield Row(
            what,
            name,
            figure([each.wall for each in ratios[name]]),
            figure([each.cpu for each in ratios[name]]),
            1000 * median(walls[name]),
            sent.get(name),
            at_most if name == OURS.name else None,
        )


def provisioning(found: Processes, sizes: Sizes) -> Iterator[Row]:
    """A schema made and dropped; the latter is not measured."""
    with ExitStack() as stack:
        everybody = {**found, **sharing(CLONING, found, stack)}
        count = 0

        def leg(process: Process) -> Seconds:
            nonlocal count
            count += 1
            return process.clock("provision", name=f"p{count:05}")

        for process in everybody.values():
            leg(process)
        sent = {name: _sent(process, "provision", name="counted") for name, process in everybody.items()}
        yield from compared("provision a schema", everybody, leg, sizes.blocks, sizes.more, 1.0, sent)
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
            yield Row(f"{do} from the pool", OURS.name, None, None, 1000 * taken.wall, len(texts), at_most)


def requests(found: Processes, sizes: Sizes) -> Iterator[Row]:
    """A page of five queries."""
    with ExitStack() as stack:
        everybody = {**found, **sharing(LIMITED, found, stack)}
        for process in everybody.values():
            process.ask("request", times=50)
        times = max(1, round(LEG / (everybody[PLAIN.name].clock("request", times=20).wall / 20)))

        def leg(process: Process) -> Seconds:
            taken = process.clock("request", times=times)
            return Seconds(taken.cpu / times, taken.wall / times)

        sent = {name: _sent(process, "request", times=1) for name, process in everybody.items()}
        yield from compared(
            "request of five queries", everybody, leg, 10 * sizes.blocks, 10 * sizes.more, 1.07, sent
        )


def migrating(found: Processes, sizes: Sizes) -> Iterator[Row]:
    """So many schemas, and new migrations."""
    ddl = found[PLAIN.name].ask("statements")
    for process in found.values():
        process.ask("fill", number=sizes.schemas, ddl=ddl)
    count = 0

    def leg_of(texts: tuple[str, ...]) -> Leg:
        def leg(process: Process) -> Seconds:
            nonlocal count
            count += 1
            return process.clock("migrate", operations=[text.format(count) for text in texts])

        return leg

    for what, texts, at_most in (("one migration", (ONE,), 2.3), ("a chain of five", CHAIN, 1.4)):
        leg = leg_of(texts)
        for name in (PLAIN.name, OURS.name):
            leg(found[name])
        yield from compared(
            f"{what}, {sizes.schemas} schemas", found, leg, sizes.blocks, sizes.more, at_most, {}
        )
    for name, process in found.items():
        if name != PLAIN.name:
            taken = process.clock("idle").wall
            at_most = 1 if name == OURS.name else None
            sent = _sent(process, "idle")
            yield Row(f"nothing to do, {sizes.schemas} schemas", name, None, None, 1000 * taken, sent, at_most)


def _sent(process: Process, do: str, **arguments: object) -> int:
    """The messages of a call in a process that is warm."""
    with process.counted() as (another, traffic):
        another.ask(do, **arguments)
        traffic.reset()
        another.ask(do, **arguments)
        return messages(traffic)
