"""Bodies that are produced after the view has returned: in the request's tenant, and with its prefix."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Generator, Iterable
from typing import Any, Final

from django.urls import get_script_prefix, set_script_prefix

from .context import carry_tenant

_END: Final = object()


def carry_body(response: Any, prefix: str | None) -> None:
    """Have the body of a streaming `response` produced, and closed, in the tenant that is current now, with
    its guard, and with the script prefix `prefix` if one is given. A file that the server sends by itself
    is left alone."""
    if getattr(response, "file_to_stream", None) is not None:
        return
    # The view's own generator is closed by these; its `finally` belongs to the tenant too.
    response._resource_closers[:] = [carry_tenant(close) for close in response._resource_closers]
    produce = _asynchronous if response.is_async else _synchronous
    response.streaming_content = carry_tenant(produce)(response.streaming_content, prefix)


class script_prefix:  # noqa: N801 - reads as a phrase, like `tenant_context`
    """Have `reverse()` put `prefix` in front; None: leave it as it is. Django keeps it in a context
    variable, so other requests, threads and tasks do not see it."""

    __slots__ = ("found", "prefix")

    def __init__(self, prefix: str | None) -> None:
        self.prefix = prefix

    def __enter__(self) -> None:
        if self.prefix is not None:
            self.found = get_script_prefix()
            set_script_prefix(self.prefix)

    def __exit__(self, *_: object) -> None:
        if self.prefix is not None:
            set_script_prefix(self.found)


def _synchronous(content: Iterable[bytes], prefix: str | None) -> Generator[bytes, None, None]:
    parts = iter(content)
    while True:
        with script_prefix(prefix):
            part: Any = next(parts, _END)
        if part is _END:
            return
        yield part


async def _asynchronous(content: AsyncIterable[bytes], prefix: str | None) -> AsyncGenerator[bytes, None]:
    parts = aiter(content)
    while True:
        with script_prefix(prefix):
            part: Any = await anext(parts, _END)
        if part is _END:
            return
        yield part
