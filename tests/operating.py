"""Set-up of tests that only operators may do: domains, and the status of tenants."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django_tenantkit import unscoped

P = ParamSpec("P")
R = TypeVar("R")


def operated(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call `function` as an operator."""
    with unscoped(reason="set-up of a test"):
        return function(*args, **kwargs)
