"""The variable: entered, left, restored, carried. Names of tenants stand in for tenants: no database."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync, sync_to_async

from django_tenantkit import carry_tenant, get_current_tenant, require_tenant, tenant_context, unscoped
from django_tenantkit.context import contained, current_scope, describe, guarded_context
from django_tenantkit.exceptions import NoCurrentTenant, TenantAccessDenied, TenantContextError

ACME = SimpleNamespace(pk=1, uid=uuid4(), slug="acme")
GLOBEX = SimpleNamespace(pk=2, uid=uuid4(), slug="globex")


def test_there_is_no_tenant_at_first():
    assert get_current_tenant() is None


def test_require_tenant_raises_and_names_the_cure():
    with pytest.raises(NoCurrentTenant, match="tenant_context"):
        require_tenant()


def test_with_enters_and_leaves():
    with tenant_context(ACME) as entered:
        assert entered is ACME is get_current_tenant() is require_tenant()
    assert get_current_tenant() is None


def test_an_exception_leaves_nothing_behind():
    with pytest.raises(ZeroDivisionError), tenant_context(ACME):
        1 / 0  # noqa: B018
    assert get_current_tenant() is None


def test_nested_contexts_restore_the_outer_one():
    with tenant_context(ACME):
        with tenant_context(GLOBEX):
            assert get_current_tenant() is GLOBEX
        assert get_current_tenant() is ACME


def test_a_context_of_none_is_no_tenant():
    with tenant_context(ACME), tenant_context(None):
        assert get_current_tenant() is None


@pytest.mark.parametrize("wrong", ["acme", 7, SimpleNamespace(pk=None, uid=uuid4(), slug="new")])
def test_only_saved_tenants_are_entered(wrong):
    with pytest.raises(TypeError, match="takes a"):
        tenant_context(wrong)


def test_one_context_can_be_entered_twice():
    context = tenant_context(ACME)
    with context, context:
        assert get_current_tenant() is ACME
    assert get_current_tenant() is None


def test_unscoped_is_no_tenant_and_has_a_reason():
    with tenant_context(ACME), unscoped(reason="report"):
        assert get_current_tenant() is None
        assert describe(current_scope()) == "unscoped (report)"
        with pytest.raises(NoCurrentTenant):
            require_tenant()


@pytest.mark.parametrize("reason", ["", "  ", None, 3])
def test_unscoped_needs_a_reason(reason):
    with pytest.raises(TypeError, match="reason"):
        unscoped(reason=reason)


def test_unscoped_is_logged_once_for_each_entry(caplog):
    with caplog.at_level(logging.INFO, "django_tenantkit.security"), unscoped(reason="monthly report"):
        pass
    assert [record.getMessage() for record in caplog.records] == ["unscoped: monthly report"]


def test_a_guard_stands_before_the_tenant():
    def deny():
        raise TenantAccessDenied()

    with guarded_context(ACME, deny):
        assert get_current_tenant() is ACME
        with pytest.raises(TenantAccessDenied):
            require_tenant()


def test_decorated_function():
    @tenant_context(ACME)
    def work(value):
        """Works."""
        return value, get_current_tenant()

    assert work(5) == (5, ACME)
    assert work.__doc__ == "Works."
    assert get_current_tenant() is None


def test_decorated_function_can_call_itself():
    @tenant_context(ACME)
    def down(n):
        return [get_current_tenant()] + (down(n - 1) if n else [])

    assert down(2) == [ACME] * 3
    assert get_current_tenant() is None


async def test_decorated_coroutine_function():
    @tenant_context(ACME)
    async def work():
        await asyncio.sleep(0)
        return get_current_tenant()

    assert asyncio.iscoroutinefunction(work)
    assert await work() is ACME
    assert get_current_tenant() is None


async def test_coroutines_side_by_side_keep_to_themselves():
    async def work(tenant):
        seen = []
        with tenant_context(tenant):
            for _ in range(20):
                await asyncio.sleep(0)
                seen.append(get_current_tenant())
        return seen

    for tenant, seen in zip((ACME, GLOBEX), await asyncio.gather(work(ACME), work(GLOBEX)), strict=True):
        assert set(map(id, seen)) == {id(tenant)}


def test_decorated_generator_gives_the_caller_its_own_tenant_back():
    @tenant_context(ACME)
    def numbers():
        got = yield get_current_tenant()
        with tenant_context(GLOBEX):
            yield got, get_current_tenant()
        return get_current_tenant()

    with tenant_context(GLOBEX):
        generator = numbers()
        assert next(generator) is ACME
        assert get_current_tenant() is GLOBEX
        assert generator.send("sent") == ("sent", GLOBEX)
    assert get_current_tenant() is None
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert stop.value.value is ACME


def test_decorated_generator_keeps_what_it_entered_across_a_yield():
    @tenant_context(ACME)
    def numbers():
        with tenant_context(GLOBEX):
            yield
            yield get_current_tenant()
        yield get_current_tenant()

    generator = numbers()
    next(generator)
    assert get_current_tenant() is None
    assert next(generator) is GLOBEX
    assert next(generator) is ACME
    assert get_current_tenant() is None


def test_decorated_generator_receives_what_is_thrown_at_it():
    @tenant_context(ACME)
    def careful():
        try:
            yield 1
        except KeyError:
            yield get_current_tenant()

    generator = careful()
    next(generator)
    assert generator.throw(KeyError()) is ACME
    assert get_current_tenant() is None


def test_closing_a_decorated_generator_cleans_up_in_its_tenant():
    seen = []

    @tenant_context(ACME)
    def numbers():
        try:
            yield 1
        finally:
            seen.append(get_current_tenant())

    generator = numbers()
    next(generator)
    generator.close()
    assert seen == [ACME]
    assert get_current_tenant() is None


def test_an_exception_in_a_decorated_generator_leaves_nothing_behind():
    @tenant_context(ACME)
    def fails():
        yield 1
        raise KeyError

    generator = fails()
    next(generator)
    with pytest.raises(KeyError):
        next(generator)
    assert get_current_tenant() is None


async def test_decorated_async_generator():
    @tenant_context(ACME)
    async def numbers():
        for _ in range(3):
            await asyncio.sleep(0)
            yield get_current_tenant()

    with tenant_context(GLOBEX):
        async for seen in numbers():
            assert seen is ACME
            assert get_current_tenant() is GLOBEX


async def test_closing_a_decorated_async_generator_cleans_up_in_its_tenant():
    seen = []

    @tenant_context(ACME)
    async def numbers():
        try:
            yield 1
        finally:
            seen.append(get_current_tenant())

    async with contextlib.aclosing(numbers()) as generator:
        await anext(generator)
    assert seen == [ACME]
    assert get_current_tenant() is None


async def test_decorated_async_generator_receives_what_is_thrown_and_sent():
    @tenant_context(ACME)
    async def echo():
        got = yield
        try:
            yield got
        except KeyError:
            yield get_current_tenant()

    generator = echo()
    await anext(generator)
    assert await generator.asend("sent") == "sent"
    assert await generator.athrow(KeyError()) is ACME
    assert get_current_tenant() is None


def test_contextmanagers_and_fixtures_keep_working():
    @contextlib.contextmanager
    def at_acme():
        with tenant_context(ACME):
            yield

    with at_acme():
        assert get_current_tenant() is ACME
    assert get_current_tenant() is None


@pytest.fixture
def in_acme():
    with tenant_context(ACME):
        yield


def test_a_fixture_holds_its_tenant_for_the_test(in_acme):
    assert get_current_tenant() is ACME


def leaking():
    with tenant_context(ACME):
        yield
        yield


def test_leaving_in_the_wrong_order_raises_and_says_what_to_write():
    generator = leaking()
    next(generator)
    with tenant_context(GLOBEX), pytest.raises(TenantContextError, match="decorate the generator"):
        generator.close()


def test_leaving_in_the_wrong_order_still_restores_the_right_tenant():
    generator = leaking()
    next(generator)
    with tenant_context(GLOBEX):
        with pytest.raises(TenantContextError):
            generator.close()
        assert get_current_tenant() is GLOBEX
    assert get_current_tenant() is None


def test_contained_restores_what_it_found_and_logs_what_was_left(caplog):
    generator = leaking()
    with contained("the test"):
        next(generator)
        assert get_current_tenant() is ACME
    assert get_current_tenant() is None
    assert "the test left tenant acme behind" in caplog.text
    with contextlib.suppress(TenantContextError):
        generator.close()
    assert get_current_tenant() is None


def test_a_thread_starts_with_no_tenant():
    seen = []
    with tenant_context(ACME):
        thread = threading.Thread(target=lambda: seen.append(get_current_tenant()))
        thread.start()
        thread.join()
    assert seen == [None]


def test_an_executor_starts_with_no_tenant_and_can_be_given_one():
    with ThreadPoolExecutor(1) as executor:
        with tenant_context(ACME):
            assert executor.submit(get_current_tenant).result() is None
            carried = carry_tenant(get_current_tenant)
        with tenant_context(GLOBEX):
            assert executor.submit(carried).result() is ACME
        assert executor.submit(get_current_tenant).result() is None


def test_carrying_unscoped_work():
    with unscoped(reason="report"):
        carried = carry_tenant(lambda: describe(current_scope()))
    assert carried() == "unscoped (report)"


def test_carried_work_leaves_the_thread_as_it_found_it_after_an_exception():
    def fails():
        raise KeyError

    with tenant_context(ACME):
        carried = carry_tenant(fails)
    with ThreadPoolExecutor(1) as executor:
        assert isinstance(executor.submit(carried).exception(), KeyError)
        assert executor.submit(get_current_tenant).result() is None


async def test_sync_to_async_and_back_carry_the_tenant():
    with tenant_context(ACME):
        assert await sync_to_async(get_current_tenant)() is ACME
        assert await sync_to_async(lambda: async_to_sync(_seen)())() is ACME
    assert get_current_tenant() is None


async def _seen():
    return get_current_tenant()


async def test_a_task_keeps_the_tenant_in_which_it_was_made():
    release = asyncio.Event()

    async def later():
        await release.wait()
        with tenant_context(GLOBEX):
            pass
        return get_current_tenant()

    with tenant_context(ACME):
        task = asyncio.create_task(later())
        await asyncio.sleep(0)
    release.set()
    assert await task is ACME
    assert get_current_tenant() is None
