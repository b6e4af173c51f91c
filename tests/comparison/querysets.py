"""Random querysets, as the Python code that an application would write.

Code reads well when an example fails, and the same text is evaluated in both worlds: `db` names the
database, `ids` has keys of rows. A list is in a definite order only if `Draft.ordered` says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from .data import TEXTS
from .graph import Path, columns, models_in_question, referrers, related_managers, relations

LOOKUPS = {
    "text": ["exact", "iexact", "contains", "istartswith", "in", "gt", "isnull"],
    "number": ["exact", "gt", "lte", "in", "range", "isnull"],
    "flag": ["exact", "isnull"],
    "key": ["exact", "in", "isnull"],
}
Draw = Any


@dataclass(frozen=True)
class Draft:
    """A queryset in the making. `annotations` gives the kind of each, `columns` what `values()` gives."""

    model: Any
    code: str
    annotations: dict[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    ordered: bool = False
    sliced: bool = False

    def then(self, code: str, **changes: Any) -> Draft:
        return replace(self, code=f"{self.code}.{code}", **changes)


def name_of(model: Any) -> str:
    return model.__name__


def literal(draw: Draw, kind: str, model: Any = None) -> str:
    """A value of a kind, as code."""
    if kind == "text":
        return repr(draw(st.sampled_from(TEXTS)))
    if kind == "number":
        return repr(draw(st.integers(0, 4)))
    if kind == "flag":
        return repr(draw(st.booleans()))
    return f"ids[{name_of(model)!r}][{draw(st.integers(0, 4))}]"


def lookup(draw: Draw, path: Path) -> str:
    """One condition on a path: `name__contains='a'`."""
    kind = draw(st.sampled_from(LOOKUPS[path.kind]))
    if kind == "isnull":
        value = repr(draw(st.booleans()))
    elif kind in ("in", "range"):
        if path.relation and draw(st.booleans()):
            value = subquery(draw, path.model).code
        else:
            value = "[" + ", ".join(sorted(literal(draw, path.kind, path.model) for _ in range(2))) + "]"
    else:
        value = literal(draw, path.kind, path.model)
    return f"{path.name}__{kind}={value}"


def subquery(draw: Draw, model: Any) -> Draft:
    """A queryset inside another one."""
    draft = Draft(model, f"{name_of(model)}.objects.using(db)")
    return draft.then(f"filter({condition(draw, model, depth=1)})")


def exists(draw: Draw, model: Any) -> str:
    """EXISTS over rows that refer to the outer one."""
    reference, other = draw(st.sampled_from(referrers(model)))
    inner = f"{name_of(other)}.objects.using(db).filter({reference}=OuterRef('pk'))"
    return f"Exists({inner}.filter({condition(draw, other, depth=1)}))"


def condition(draw: Draw, model: Any, depth: int = 2) -> str:
    """A Q object: leaves joined by and, or, xor and not."""
    kind = draw(st.sampled_from(["leaf", "leaf", "leaf", "not", "and", "or", "xor", "exists"]))
    if kind == "exists" and depth and referrers(model):
        return exists(draw, model)
    if kind == "not" and depth:
        return f"~Q({condition(draw, model, depth - 1)})"
    if kind in ("and", "or", "xor") and depth:
        sign = {"and": "&", "or": "|", "xor": "^"}[kind]
        left, right = (condition(draw, model, depth - 1) for _ in range(2))
        return f"Q(Q({left}) {sign} Q({right}))"
    return f"Q({lookup(draw, draw(st.sampled_from(columns(model))))})"


def aggregate(draw: Draw, model: Any) -> tuple[str, str]:
    """An aggregate, and the kind of its value."""
    function = draw(st.sampled_from(["Count", "Count", "Sum", "Min", "Max"]))
    usable = [path for path in columns(model) if function == "Count" or path.kind == "number"]
    if not usable:
        function, usable = "Count", list(columns(model))
    arguments = [repr(draw(st.sampled_from(usable)).name)]
    if function == "Count" and draw(st.booleans()):
        arguments.append("distinct=True")
    if draw(st.integers(0, 3)) == 0:
        arguments.append(f"filter={condition(draw, model, depth=1)}")
    return f"{function}({', '.join(arguments)})", "number"


def expression(draw: Draw, model: Any) -> tuple[str, str]:
    """What can be annotated, and its kind."""
    kind = draw(st.sampled_from(["aggregate", "aggregate", "column", "subquery", "exists", "case", "window"]))
    path = draw(st.sampled_from([path for path in columns(model) if path.kind in ("text", "number")]))
    if kind == "column":
        return f"F({path.name!r})", path.kind
    if kind == "subquery" and referrers(model):
        reference, other = draw(st.sampled_from(referrers(model)))
        inner = draw(st.sampled_from([p for p in columns(other, 0) if p.kind in ("text", "number")] or [None]))
        if inner is not None:
            rows = f"{name_of(other)}.objects.using(db).filter({reference}=OuterRef('pk'))"
            return f"Subquery({rows}.order_by({inner.name!r}, 'pk').values({inner.name!r})[:1])", inner.kind
    if kind == "exists" and referrers(model):
        return exists(draw, model), "flag"
    if kind == "case":
        return f"Case(When({condition(draw, model, depth=1)}, then=Value(1)), default=Value(0))", "number"
    if kind == "window":
        return f"Window(Count('pk'), partition_by=[F({path.name!r})])", "number"
    return aggregate(draw, model)


def one_of(draw: Draw, manager: tuple[str, Any]) -> str:
    """The related manager of one row, as code."""
    accessor, holder = manager
    return f"{name_of(holder)}.objects.using(db).get(pk={literal(draw, 'key', holder)}).{accessor}"


def any_path(draw: Draw, draft: Draft) -> Path:
    """A column, or something annotated before."""
    annotated = [Path(name, kind, None, many=False) for name, kind in draft.annotations.items()]
    if annotated and draw(st.booleans()):
        return draw(st.sampled_from(annotated))
    return draw(st.sampled_from(columns(draft.model)))


def step(draw: Draw, draft: Draft) -> Draft:
    """One more method call."""
    kind = draw(st.sampled_from(["filter", "filter", "exclude", "annotate", "narrow", "alias", "distinct", "joined"]))
    if kind in ("filter", "exclude"):
        return draft.then(f"{kind}({condition(draw, draft.model)})")
    if kind in ("annotate", "alias"):
        code, of_kind = expression(draw, draft.model)
        name = f"x{len(draft.annotations)}"
        shown = {**draft.annotations, name: of_kind} if kind == "annotate" else draft.annotations
        return draft.then(f"{kind}({name if kind == 'annotate' else 'hidden'}={code})", annotations=shown)
    if kind == "narrow" and draft.annotations:
        return draft.then(f"{draw(st.sampled_from(['filter', 'exclude']))}({lookup(draw, any_path(draw, draft))})")
    if kind == "joined" and relations(draft.model):
        return joined(draw, draft)
    return draft.then("distinct()")


def joined(draw: Draw, draft: Draft) -> Draft:
    """A join with a condition of its own in ON."""
    relation = draw(st.sampled_from(relations(draft.model)))
    path = draw(st.sampled_from(columns(relation.model, 0)))
    inside = lookup(draw, replace(path, name=f"{relation.name}__{path.name}"))
    used = draw(st.sampled_from(columns(relation.model, 1)))
    outside = lookup(draw, replace(used, name=f"joined__{used.name}"))
    called = f"annotate(joined=FilteredRelation({relation.name!r}, condition=Q({inside})))"
    return draft.then(called).then(f"filter({outside})")


def start(draw: Draw, model: Any = None) -> Draft:
    """A queryset with some steps taken. Sometimes it comes from a related manager, or an adopter's own."""
    if model is None:
        model = draw(st.sampled_from(list(models_in_question().values())))
    manager = draw(st.sampled_from(model._meta.managers)).name
    draft = Draft(model, f"{name_of(model)}.{manager}.using(db)")
    if draw(st.integers(0, 5)) == 0 and (lists := related_managers(model)):
        draft = replace(draft, code=f"{one_of(draw, draw(st.sampled_from(lists)))}.using(db)")
    for _ in range(draw(st.integers(0, 3))):
        draft = step(draw, draft)
    return draft
