"""Coroutines as tests that share the transaction of the test's thread."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any

from asgiref.sync import async_to_sync


def in_this_thread(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a coroutine test so that its database work comes back to the test's own thread, where the
    `db` fixture has its transaction. Under pytest's event loop it would go to another connection."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        async_to_sync(test)(*args, **kwargs)

    return run
