"""Every figure, by its name, in the order in which they are printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from django_tenantkit.context import tenant_context
from django_tenantkit.isolation.entries import allows_databases
from django_tenantkit.models import Tenant

from . import data, pages, provisioning, queries, requests
from .method import Figure, Figures, excess_ratio, measure, ratio
from .report import COUNTED, CPU, WALL, Result

#: Called with the number of blocks.
Comparison = Callable[[int], Sequence[Result]]

#: What a comparison has measured, with its name and its target, if any.
Results = Callable[[str, Figures, float | None], Sequence[Result]]

#: Targets that are not a query's.
LARGE_AT_MOST, PAGE_AT_MOST, REQUEST_AT_MOST, PROVISION_AT_MOST = 1.10, 1.05, 3.00, 1.00


def comparisons(tenant: Tenant) -> Mapping[str, Comparison]:
    """Every comparison. Those of queries run in the context of `tenant`, the requests outside of it. What adds
    rows comes last."""
    in_memory = requests.Requests(tenant)
    in_database = requests.Requests(tenant, requests.IN_DATABASE)
    return {
        **_of_queries(queries.reads, tenant),
        **_of_a_large_table(tenant),
        **_of_requests("request", REQUEST_AT_MOST, in_memory.of_a_visitor, in_database.of_a_visitor),
        **_of_requests("member's request", None, in_memory.of_a_member, in_database.of_a_member),
        **_of_a_page(tenant),
        **_of_queries(queries.writes, tenant),
        "provision a schema": _of_provisioning,
        **({"provision a database": _of_databases} if allows_databases() else {}),
    }


def _of_queries(cases: Callable[[Tenant, str], Mapping[str, queries.Case]], tenant: Tenant) -> dict[str, Comparison]:
    """Each case with our compilers alone, and each with all layers."""
    alone, together = cases(tenant, "compilers"), cases(tenant, "default")
    return {
        **{
            f"{name}, compilers": _in(tenant, alone[name], _of_this_process, f"{name}, compilers", at_most)
            for name, at_most in queries.OF_COMPILERS.items()
            if name in alone
        },
        **{
            f"{name}, all layers": _in(tenant, together[name], _of_all_that_works, f"{name}, all layers", at_most)
            for name, at_most in queries.OF_ALL_LAYERS.items()
            if name in together
        },
    }


def _in(tenant: Tenant, case: queries.Case, results: Results, name: str, at_most: float | None) -> Comparison:
    def compare(blocks: int) -> Sequence[Result]:
        with tenant_context(tenant):
            if _size(case.plain()) != _size(case.scoped()):
                raise RuntimeError(f"{name}: the two sides do not do the same work")
            return results(name, measure(case, blocks, ratio), at_most)

    return compare


def _of_this_process(name: str, figures: Figures, at_most: float | None) -> Sequence[Result]:
    """Of the compilers, who work in this process: its CPU time."""
    return [Result(name, figures.cpu, CPU, at_most)]


def _of_all_that_works(name: str, figures: Figures, at_most: float | None) -> Sequence[Result]:
    """Of all layers, some of which work in the server: wall time has the target, and CPU time shows this
    process's part."""
    return [Result(name, figures.wall, WALL, at_most), Result(name, figures.cpu, CPU)]


def _of_a_large_table(tenant: Tenant) -> dict[str, Comparison]:
    name = "aggregate in a large table, all layers"
    compare = _in(tenant, queries.aggregate(tenant), _of_all_that_works, name, LARGE_AT_MOST)

    def fill_and_compare(blocks: int) -> Sequence[Result]:
        data.fill_large()
        return compare(blocks)

    return {name: fill_and_compare}


def _of_a_page(tenant: Tenant) -> dict[str, Comparison]:
    name, sent = "request of five queries, all layers", pages.Pages(tenant)
    works = [sent.plain(tenant), sent.ours()]
    return {name: lambda blocks: _of_all_that_works(name, measure(works, blocks, ratio), PAGE_AT_MOST)}


def _of_provisioning(blocks: int) -> Sequence[Result]:
    with provisioning.works() as works:
        return [Result("provision a schema", measure(works, blocks, ratio).wall, WALL, PROVISION_AT_MOST)]


def _of_databases(blocks: int) -> Sequence[Result]:
    with provisioning.databases() as works:
        return [Result("provision a database", measure(works, blocks, ratio).wall, WALL, PROVISION_AT_MOST)]


def _of_requests(
    name: str, at_most: float | None, measured: requests.Kind, counted: requests.Kind
) -> dict[str, Comparison]:
    statements = f"{name}, statements added"
    return {
        name: lambda blocks: [Result(name, measure(requests.works(measured), blocks, excess_ratio).cpu, CPU, at_most)],
        statements: lambda blocks: [Result(statements, Figure.exactly(requests.statements_added(counted)), COUNTED, 0)],
    }


def _size(answer: object) -> object:
    """What the answers of both sides have in common: their length, or a number."""
    return len(answer) if isinstance(answer, list) else answer if isinstance(answer, int | Decimal) else None
