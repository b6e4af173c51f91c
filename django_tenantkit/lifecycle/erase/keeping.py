"""What is kept of an erased tenant because the law says so: TENANTKIT_ERASE_KEEP."""

from __future__ import annotations

from ...conf import conf
from ...exceptions import EraseRefused
from ..contents import Content, contents, records


def is_kept(label: str) -> bool:
    """Whether rows of the model, named as `app.Model`, are kept."""
    return label in conf.ERASE_KEEP


def keeps_rows() -> bool:
    """Whether rows of a tenant's home are kept, and so its home."""
    return any(is_kept(content.label) for content in contents())


def erased_tables() -> list[Content]:
    """The tables of homes whose rows are erased."""
    return [content for content in contents() if not is_kept(content.label)]


def refuse_loose_ends() -> None:
    """Raise `EraseRefused` where TENANTKIT_ERASE_KEEP names what is no model of tenants, or one that refers to rows
    which would be erased: the kept row would lose what it says."""
    tables = {content.label: content for content in contents()}
    known = {*tables, *(model._meta.label for model, _ in records())}
    if unknown := sorted(set(conf.ERASE_KEEP) - known):
        raise EraseRefused(
            f"TENANTKIT_ERASE_KEEP names {', '.join(unknown)}, which are no models of tenants' rows. Write them as "
            "`app.Model`."
        )
    for label in sorted(set(conf.ERASE_KEEP) & set(tables)):
        for reference in tables[label].references:
            target = reference.target._meta.label
            if reference.is_at_home and target in tables and not is_kept(target):
                raise EraseRefused(
                    f"{label} is to be kept, and refers to {target} by {reference.field.name!r}, which would be "
                    f"erased. Name {target} in TENANTKIT_ERASE_KEEP too, with the reason."
                )
