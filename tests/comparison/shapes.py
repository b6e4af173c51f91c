"""What random querysets give in the end: rows with related ones, values, groups, unions, single answers."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from django_tenantkit.registry import tenant_field

from .graph import accessor, columns, models_in_question, related_managers, relations, updatable
from .querysets import Draft, Draw, aggregate, expression, literal, one_of, start

#: What notes are about; without the querysets Django would look for them in the default database.
SUBJECTS = ", ".join(f"{name}.objects.using(db)" for name in ("Customer", "Invoice", "Product"))


@st.composite
def reads(draw: Draw) -> tuple[str, bool]:
    """Code that reads, and whether the order of its list means something."""
    draft = shaped(draw, start(draw))
    ending = draw(st.sampled_from(["list", "list", "list", "list", "iterator", "count", "exists", "aggregate", "one"]))
    if ending == "iterator":
        return f"list({draft.code}.iterator(chunk_size=3))", draft.ordered
    if ending in ("count", "exists"):
        return f"{draft.code}.{ending}()", True
    if ending == "aggregate" and not draft.sliced:  # its joins come before the slice: which rows is open
        return f"{draft.code}.aggregate(total={aggregate(draw, draft.model)[0]})", True
    if ending == "one" and draft.ordered:
        return f"{draft.code}.{draw(st.sampled_from(['first()', 'last()', 'reverse()[:2]', 'get()']))}", True
    return f"list({draft.code})", draft.ordered


@st.composite
def writes(draw: Draw) -> str:
    """Code that updates or deletes. Shared rows are not deleted inside a tenant."""
    everything = models_in_question().values()
    model = draw(st.sampled_from([model for model in everything if model._meta.app_label == "testapp"]))
    shared = tenant_field(model) is None
    draft = start(draw, model)
    kinds = ["update", "update", "expression", "relation", "each", "delete", "delete", "each delete", "related"]
    kind = draw(st.sampled_from(kinds))
    if kind == "related" and (lists := related_managers(model)):
        change = draw(st.sampled_from(["clear()", "set([])", f"remove(*{draft.code})"]))
        return f"{one_of(draw, draw(st.sampled_from(lists)))}.{change}"
    if kind in ("delete", "each delete") and not shared:
        return f"{draft.code}.delete()" if kind == "delete" else f"each({draft.code}, 'delete')"
    return updated(draw, draft, kind)


def updated(draw: Draw, draft: Draft, kind: str) -> str:
    """An update of all rows by one statement, or of one after the other."""
    model = draft.model
    forward = [path for path in relations(model) if path.name in {field.name for field in model._meta.concrete_fields}]
    if kind == "relation" and forward:
        path = draw(st.sampled_from(forward))
        # A key of the other tenant's is refused by the database's composite keys, where it has them.
        return f"{draft.code}.update({path.name}=ids[{path.model.__name__!r}][{draw(st.integers(0, 3))}])"
    if not updatable(model):
        return f"{draft.code}.update(pk=1)"
    path = draw(st.sampled_from(updatable(model)))
    value = literal(draw, path.kind) if kind != "expression" else expression(draw, model)[0]
    if kind == "each":
        action = draw(st.sampled_from(["save", "bulk_update"]))
        return f"each({draft.code}, {action!r}, {path.name}={value})"
    return f"{draft.code}.update({path.name}={value})"


def shaped(draw: Draw, draft: Draft) -> Draft:
    """Rows, values, groups or a union of a queryset; perhaps ordered; perhaps a slice of it."""
    kind = draw(st.sampled_from(["rows", "rows", "rows", "values", "group", "union"]))
    if kind == "values":
        draft = values(draw, draft)
    elif kind == "group":
        draft = grouped(draw, draft)
    elif kind == "union":
        draft = combined(draw, draft)
    else:
        draft = loading(draw, draft)
    return sliced(draw, draft)


def values(draw: Draw, draft: Draft) -> Draft:
    """`values()` or `values_list()` of columns near and far."""
    names = draw(st.lists(st.sampled_from(columns(draft.model)), min_size=1, max_size=3, unique=True))
    shown = tuple(dict.fromkeys([*(path.name for path in names), *draft.annotations]))
    method = draw(st.sampled_from(["values", "values_list"]))
    return draft.then(f"{method}({', '.join(map(repr, shown))})", columns=shown)


def grouped(draw: Draw, draft: Draft) -> Draft:
    """GROUP BY, perhaps HAVING."""
    path = draw(st.sampled_from(columns(draft.model)))
    total, _ = aggregate(draw, draft.model)
    draft = draft.then(f"values({path.name!r}).annotate(total={total})", columns=(path.name, "total"))
    return draft.then("filter(total__gte=1)") if draw(st.booleans()) else draft


def combined(draw: Draw, draft: Draft) -> Draft:
    """UNION, INTERSECT or EXCEPT with another queryset over the same columns."""
    shown = [
        path.name
        for path in draw(st.lists(st.sampled_from(columns(draft.model, 0)), min_size=1, max_size=2, unique=True))
    ]
    chosen = f"order_by().values_list({', '.join(map(repr, shown))})"
    operator = draw(st.sampled_from(["union", "union", "intersection", "difference"]))
    every = ", all=True" if operator == "union" and draw(st.booleans()) else ""
    other = start(draw, draft.model)
    return draft.then(f"{chosen}.{operator}({other.code}.{chosen}{every})", columns=tuple(shown))


def loading(draw: Draw, draft: Draft) -> Draft:
    """Rows that bring related rows, or leave columns out."""
    kind = draw(st.sampled_from(["nothing", "select_related", "prefetch", "only", "lock", "distinct"]))
    if kind == "select_related":
        single = [path.name for path in columns(draft.model) if path.relation and not path.many]
        if single:
            return draft.then(f"select_related({draw(st.sampled_from(single))!r})")
    if kind == "prefetch" and relations(draft.model):
        return prefetched(draw, draft)
    if kind == "lock":
        return draft.then("select_for_update()")
    if kind == "distinct":  # which of the rows is open, unless the order says it
        name = draw(st.sampled_from([path.name for path in columns(draft.model)]))
        order = ", ".join(map(repr, [name, "pk", *draft.annotations]))
        return draft.then(f"order_by({order}).distinct({name!r})", ordered=True)
    if kind == "only":
        path = draw(st.sampled_from(columns(draft.model, 0)))
        return draft.then(f"{draw(st.sampled_from(['only', 'defer']))}({path.name!r})")
    return draft


def prefetched(draw: Draw, draft: Draft) -> Draft:
    """Related rows by a second query, which may be a queryset of its own."""
    if draft.model.__name__ == "Note" and draw(st.booleans()):
        return draft.then(f"prefetch_related(GenericPrefetch('subject', [{SUBJECTS}]))")
    first = draw(st.sampled_from(relations(draft.model)))
    name = accessor(draft.model, first.name)
    if draw(st.booleans()):
        rows = start(draw, first.model).code
        return draft.then(f"prefetch_related(Prefetch({name!r}, queryset={rows}))")
    if relations(first.model) and draw(st.booleans()):
        name += f"__{accessor(first.model, draw(st.sampled_from(relations(first.model))).name)}"
    return draft.then(f"prefetch_related({name!r})")


def sliced(draw: Draw, draft: Draft) -> Draft:
    """In an order that leaves nothing open, perhaps a part; or in some order, as a whole."""
    kind = draw(st.sampled_from(["nothing", "some", "total", "total"]))
    if not draft.ordered:
        if kind == "some" and not draft.columns:
            return draft.then(f"order_by({draw(st.sampled_from(columns(draft.model))).name!r})")
        if kind != "total":
            return draft
        direction = draw(st.sampled_from(["", "-"]))
        names = ", ".join(repr(direction + name) for name in draft.columns or ("pk", *draft.annotations))
        draft = draft.then(f"order_by({names})", ordered=True)
    if draw(st.booleans()):
        low, length = draw(st.integers(0, 3)), draw(st.integers(1, 5))
        draft = replace(draft, code=f"{draft.code}[{low}:{low + length}]", sliced=True)
    return draft
