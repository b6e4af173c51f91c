"""What makes the objects of a schema, in an order in which each finds what it needs."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum, auto

from ...exceptions import SnapshotRefused
from .world import Key, World


class Stage(IntEnum):
    """The order of kinds of objects, where they do not need each other otherwise. Rows come before indexes,
    references and triggers: it is faster, and no trigger sees them twice."""

    TYPE = auto()
    FUNCTION = auto()
    AGGREGATE = auto()
    SEQUENCE = auto()
    TABLE = auto()
    CHECK = auto()
    PARTITION = auto()
    ROWS = auto()
    KEY = auto()
    INDEX = auto()
    INDEX_OF_PARTITION = auto()
    STATISTICS = auto()
    REFERENCE = auto()
    VIEW = auto()
    RULE = auto()
    TRIGGER = auto()
    POLICY = auto()


@dataclass
class Node:
    """An object that one statement makes; or, with `table`, one action of ALTER TABLE."""

    stage: Stage
    name: str
    statement: str
    table: str = ""
    #: The objects that the statement makes.
    makes: set[Key] = field(default_factory=set)
    #: What has to be there before, beside what they depend on.
    after: set[Key] = field(default_factory=set)
    #: It needs nothing: a sequence depends on the column that owns it, and is made before.
    free: bool = False
    #: What the statement ends with; before that there is room for more.
    tail: str = ""
    #: The table whose statement could make it too.
    inside: Key | None = None

    @property
    def text(self) -> str:
        """The whole statement."""
        return self.statement + self.tail


class Plan:
    """The nodes of a schema, and `last`: what is altered when all is there."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.nodes: list[Node] = []
        self.made: dict[Key, Node] = {}
        self.last: list[tuple[str, str]] = []

    def make(self, key: Key, stage: Stage, name: str, statement: str, table: str = "") -> Node:
        """Add a node that makes one object."""
        node = Node(stage, name, statement, table)
        self.nodes.append(node)
        self.claim(key, node)
        return node

    def claim(self, key: Key, node: Node) -> None:
        """The node makes this object as well."""
        node.makes.add(key)
        self.made[key] = node

    def alter(self, table: str, action: str) -> None:
        """Do something to a table when all is there."""
        self.last.append((table, action))

    def say(self, statement: str) -> None:
        """Run a statement when all is there."""
        self.last.append(("", statement))

    def statements(self) -> list[str]:
        """All statements in order. Raises `SnapshotRefused` for objects that nothing makes, and for those that
        need each other."""
        self._claim_parts()
        nodes = list(self._sorted())
        steps = [(node.table, node.text) for node in nodes]
        return [*_grouped(steps), *_grouped(sorted(self.last, key=lambda step: (step[0] == "", step[0])))]

    def _claim_parts(self) -> None:
        """Parts are made with what they are parts of; that nothing is left is the point of it all."""
        for key, member in self.world.members.items():
            whole = key
            while whole not in self.made and whole in self.world.parts:
                whole = self.world.parts[whole]
            if whole not in self.made:
                raise SnapshotRefused(
                    f"A copy of the schema {self.world.schema} would be without the {member.description} "
                    f"({member.type}), of which only its migrations know how it is made."
                )
            self.claim(key, self.made[whole])

    def _put_inside(self, needs: dict[int, set[int]]) -> None:
        """Have tables made with the references that could be added later. What is there from the beginning is not
        checked once more by ALTER TABLE, which takes longer than making it. Not where tables refer to each other in a
        circle; and not in tables that get rows: they could not be altered before those are checked, at the end."""
        for node in list(self.nodes):
            if node.inside is None:
                continue
            table = self.made[node.inside]
            if ("rows", node.inside[1]) in self.made or _reaches(needs, needs[id(node)] - {id(table)}, id(table)):
                continue
            table.statement += f", {node.statement.removeprefix('ADD ')}"
            needs[id(table)] |= needs.pop(id(node)) - {id(table)}
            for others in needs.values():
                if id(node) in others:
                    others.remove(id(node))
                    others.add(id(table))
            for key in node.makes:
                self.claim(key, table)
            self.nodes.remove(node)

    def _sorted(self) -> Iterator[Node]:
        needs = {id(node): self._needs(node) for node in self.nodes}
        self._put_inside(needs)
        wanted_by: dict[int, list[Node]] = {}
        for node in self.nodes:
            for need in needs[id(node)]:
                wanted_by.setdefault(need, []).append(node)
        ready = [(node.stage, node.table, node.name, place) for place, node in enumerate(self.nodes)]
        places = {id(node): entry for node, entry in zip(self.nodes, ready, strict=True)}
        ready = [entry for entry in ready if not needs[id(self.nodes[entry[-1]])]]
        heapq.heapify(ready)
        done = 0
        while ready:
            node = self.nodes[heapq.heappop(ready)[-1]]
            done += 1
            yield node
            for other in wanted_by.get(id(node), ()):
                needs[id(other)].discard(id(node))
                if not needs[id(other)]:
                    heapq.heappush(ready, places[id(other)])
        if done < len(self.nodes):
            names = ", ".join(node.name for node in self.nodes if needs[id(node)])
            raise SnapshotRefused(f"In the schema {self.world.schema} there are objects that need each other: {names}")

    def _needs(self, node: Node) -> set[int]:
        if node.free:
            return set()
        keys = node.after.union(*(self.world.needs.get(key, ()) for key in node.makes))
        return {id(self.made[key]) for key in keys if key in self.made} - {id(node)}


def _reaches(needs: dict[int, set[int]], starts: set[int], end: int) -> bool:
    """Whether anything of `starts` needs `end`, by whatever it needs."""
    seen, waiting = set(starts), list(starts)
    while waiting:
        if (one := waiting.pop()) == end:
            return True
        waiting += needs[one] - seen
        seen |= needs[one]
    return False


def _grouped(steps: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Statements as they are, and actions on a table that follow each other as one ALTER TABLE."""
    table, actions = "", list[str]()
    for on, text in [*steps, ("", "")]:
        if actions and on != table:
            yield f"ALTER TABLE ONLY {table} {', '.join(actions)}"
            actions = []
        table = on
        if on:
            actions.append(text)
        elif text:
            yield text
