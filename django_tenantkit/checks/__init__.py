"""System checks by family. `manage.py check --tag tenantkit` runs them alone; the ids stand in
`docs/reference/checks.md`: 0xx models, 1xx databases, 2xx settings, 3xx requests, 4xx admin, 5xx DRF, 6xx homes."""

from . import (
    admin,
    databases,
    drf,
    homes,
    indexes,
    ownership,
    policies,
    references,
    requests,
    roles,
    settings,
    uniqueness,
)

__all__ = [
    "admin",
    "databases",
    "drf",
    "homes",
    "indexes",
    "ownership",
    "policies",
    "references",
    "requests",
    "roles",
    "settings",
    "uniqueness",
]
