"""Every figure, by its name, in the order in which they are printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django_tenantkit.context import tenant_context
from django_tenantkit.models import Tenant

from . import queries, requests
from .method import Figure, excess_ratio, measure, ratio
from .report import Result

#: Called with the number of blocks.
Comparison = Callable[[int], Result]


def comparisons(tenant: Tenant) -> Mapping[str, Comparison]:
    """Every comparison. Those of queries run in the context of `tenant`, the requests outside of it."""
    in_memory = requests.Requests(tenant)
    in_database = requests.Requests(tenant, requests.IN_DATABASE)
    return {
        **{case.name: _of_queries(case, tenant) for case in queries.cases(tenant)},
        **_of_requests("request", 3, in_memory.of_a_visitor, in_database.of_a_visitor),
        **_of_requests("member's request", None, in_memory.of_a_member, in_database.of_a_member),
    }


def _of_queries(case: queries.Case, tenant: Tenant) -> Comparison:
    def compare(blocks: int) -> Result:
        with tenant_context(tenant):
            if _size(case.plain()) != _size(case.scoped()):
                raise RuntimeError(f"{case.name}: the two sides do not do the same work")
            return Result(case.name, measure([case.plain, case.scoped], blocks, ratio), case.at_most)

    return compare


def _of_requests(
    name: str, at_most: float | None, measured: requests.Kind, counted: requests.Kind
) -> Mapping[str, Comparison]:
    statements = f"{name}, statements added"
    return {
        name: lambda blocks: Result(name, measure(requests.works(measured), blocks, excess_ratio), at_most),
        statements: lambda blocks: Result(statements, Figure.exactly(requests.statements_added(counted)), 0),
    }


def _size(answer: object) -> object:
    """What the answers of both sides have in common: their length, or a number."""
    return len(answer) if isinstance(answer, list) else answer if isinstance(answer, int) else None
