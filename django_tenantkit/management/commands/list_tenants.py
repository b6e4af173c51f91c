"""`list_tenants`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from ...models import AbstractTenant, TenantStatus, get_domain_model, get_tenant_model
from ..base import TenantCommand, add_tenant_options, described, named_tenants

COLUMNS = ("slug", "status", "plan", "isolation", "uid", "name")


class Command(TenantCommand):
    """Show the tenants, whatever their status."""

    help = "Show the tenants with their status, plan, uid, name and domains; those that are erased on request."

    def add_options(self, parser: CommandParser) -> None:
        add_tenant_options(parser, required=False, every="All, those that are erased too.")
        parser.add_argument("--status", choices=TenantStatus.values, help="Only those with this status.")

    def work(self, options: dict[str, Any]) -> None:
        rows = [described(tenant) for tenant in _chosen(options)]
        domains = _domains()
        for row in rows:
            row["domains"] = domains.get(row["uid"], [])
        self.show({"tenants": rows}, _table(rows))


def _chosen(options: dict[str, Any]) -> list[AbstractTenant]:
    if options["tenants"]:
        tenants = named_tenants(options["tenants"])
        return [tenant for tenant in tenants if options["status"] in (None, tenant.status)]
    found = get_tenant_model()._default_manager.order_by("slug")
    if options["status"]:
        return list(found.filter(status=options["status"]))
    return list(found if options["all_tenants"] else found.exclude(status=TenantStatus.ERASED))


def _domains() -> dict[str, list[str]]:
    """The domains of each tenant, by uid."""
    found: dict[str, list[str]] = {}
    rows = get_domain_model()._default_manager.order_by("-is_primary", "domain")
    for uid, domain in rows.values_list("tenant__uid", "domain"):
        found.setdefault(str(uid), []).append(domain)
    return found


def _table(rows: list[dict[str, Any]]) -> str:
    """The rows in columns, the domains last."""
    if not rows:
        return "There are no tenants. `create_tenant SLUG` makes one."
    lines = [[column.upper() for column in COLUMNS] + ["DOMAINS"]]
    lines += [[*_cells(row), " ".join(row["domains"])] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    padded = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join(line.rstrip() for line in padded)


def _cells(row: dict[str, Any]) -> list[str]:
    """The isolation of a tenant that is not on the main server says where: `schema@eu`."""
    where = f"{row['isolation']}@{row['database']}" if row["database"] else row["isolation"]
    return [str({**row, "isolation": where}[column]) for column in COLUMNS]
