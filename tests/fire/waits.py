"""Coroutines: many requests at once in one thread, each in its own scope, on one connection or each on its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import connection

from django_tenantkit.exceptions import NoCurrentTenant
from tests.testapp.models import Customer, Tag

from . import trouble
from .requests import NOBODY, OPERATIONS, Request

Awaited = Callable[[Request], Coroutine[Any, Any, None]]

#: What ends the connection, which other coroutines are using.
NOT_TOGETHER = {trouble.reconnect, trouble.ended_by_an_administrator, trouble.ended_in_a_transaction}
NOT_TOGETHER |= {trouble.ended_while_fetching}


async def rows(request: Request) -> None:
    seen = await _answer(request, _all)
    request.expect("customers", seen, request.arena.customers[request.scope])


async def count(request: Request) -> None:
    seen = await _answer(request, Customer.objects.acount, 0)
    request.expect("count", seen, len(request.arena.customers[request.scope]))


async def many_scopes_at_once(request: Request) -> None:
    async def in_scope(scope: str) -> list[str]:
        with request.context(scope):
            await asyncio.sleep(0)
            return await _answer(request, _all, scope=scope)

    scopes = [request.another(), request.another(), NOBODY, request.home]
    seen = await asyncio.gather(*map(in_scope, scopes))
    for scope, found in zip(scopes, seen, strict=True):
        request.expect(f"customers of {scope}", found, request.arena.customers[scope])


async def other_scopes_between(request: Request) -> None:
    for scope in (request.another(), request.scope, request.another()):
        with request.inside(scope):
            await rows(request)
    await rows(request)


async def create(request: Request) -> None:
    with request.inside(request.another()):
        label = request.label()
        try:
            created = await Tag.objects.acreate(label=label)
        except Exception:
            request.perhaps_written.append(label)
            raise
        request.written.append(label)
        request.expect("the owner", str(created.tenant_id), request.scope)
        request.expect("the row", await Tag.objects.filter(label=label).acount(), 1)


async def iterate(request: Request) -> None:
    """With a cursor of the server, held open while other coroutines run."""
    if request.arena.pooled_by_transaction:
        return

    async def ask() -> list[str]:
        return sorted([str(customer.pk) async for customer in Customer.objects.aiterator(chunk_size=2)])

    request.expect("customers", await _answer(request, ask), request.arena.customers[request.scope])


def in_a_thread(operation: Callable[[Request], None]) -> Awaited:
    """The operation of threads as one of coroutines."""

    async def awaited(request: Request) -> None:
        await sync_to_async(operation)(request)

    awaited.__name__ = operation.__name__
    return awaited


TOGETHER = [rows, count, many_scopes_at_once, other_scopes_between, create]
TOGETHER += [in_a_thread(operation) for operation in OPERATIONS if operation not in NOT_TOGETHER]
APART = [rows, count, many_scopes_at_once, other_scopes_between, create, iterate, *map(in_a_thread, OPERATIONS)]


async def perform(request: Request, operation: Awaited) -> None:
    """Run the operation on the connection of whatever else runs here, and record it."""
    request.operation = f"async {operation.__name__}"
    again = True
    while again:
        try:
            with request.inside(request.home):
                await operation(request)
                await sync_to_async(request.clean)()
            again = False
        except Exception as error:
            again = await sync_to_async(request.failed)(error)
    request.arena.record(request)


async def perform_apart(request: Request, operation: Awaited) -> None:
    """Run it as Django's ASGI handler runs requests: in a thread of its own, whose connection ends with it."""
    async with ThreadSensitiveContext():
        await perform(request, operation)
        await sync_to_async(_close)()


def _close() -> None:
    connection.close()  # the thread's: to be looked up there


async def _all() -> list[str]:
    return sorted([str(customer.pk) async for customer in Customer.objects.all()])


async def _answer(
    request: Request, ask: Callable[[], Coroutine[Any, Any, Any]], refused: Any = None, scope: str = ""
) -> Any:
    try:
        return await ask()
    except NoCurrentTenant:
        if (scope or request.scope) != NOBODY:
            raise
        return [] if refused is None else refused
