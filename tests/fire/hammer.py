"""What one process does: threads, then coroutines. Bounded by numbers of requests, and random by a seed."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.conf import settings
from django.db import connection

from django_tenantkit.models import Tenant

from . import reads, trouble, waits, writes  # noqa: F401 - their operations are found in OPERATIONS
from .requests import OPERATIONS, Arena, Request, perform


def run() -> dict[str, Any]:
    """Do what TENANTKIT_FIRE orders, and say what was seen."""
    arena = Arena(settings.ORDERS, {str(tenant.pk): tenant for tenant in Tenant.objects.order_by("pk")})
    connection.close()
    threads = [threading.Thread(target=_in_a_thread, args=(arena, n)) for n in range(arena.orders["threads"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asyncio.run(_as_coroutines(arena, "together", waits.TOGETHER, waits.perform))
    asyncio.run(_as_coroutines(arena, "apart", waits.APART, waits.perform_apart))
    return arena.result()


def _in_a_thread(arena: Arena, number: int) -> None:
    for request, operation in _plan(arena, f"thread{number}", OPERATIONS):
        perform(request, operation)
    connection.close()


async def _as_coroutines(arena: Arena, name: str, operations: Sequence[Any], perform: Callable[..., Any]) -> None:
    async def one_after_another(number: int) -> None:
        for request, operation in _plan(arena, f"{name}{number}", operations):
            await perform(request, operation)

    await asyncio.gather(*map(one_after_another, range(arena.orders["tasks"])))


def _plan(arena: Arena, name: str, operations: Sequence[Any]) -> Iterator[tuple[Request, Any]]:
    """The requests of one thread, with what each does: everything as often as everything else."""
    rng = random.Random(f"{arena.orders['seed']} {name}")
    number = arena.orders["requests"]
    plan = list(operations) * (number // len(operations) + 1)
    rng.shuffle(plan)
    for count, operation in enumerate(plan[:number]):
        yield Request(arena, rng, f"{arena.orders['seed']}.{name}.{count}"), operation
