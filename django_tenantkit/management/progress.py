"""A progress bar."""

from __future__ import annotations

from django.core.management.base import OutputWrapper

WIDTH = 20


class Progress:
    """`progress(done, total, label)` draws a bar in place on a terminal, and clears it when all is done.
    Elsewhere nothing is drawn."""

    def __init__(self, stream: OutputWrapper) -> None:
        self.stream = stream
        self.shown = stream.isatty()

    def __call__(self, done: int, total: int, label: str) -> None:
        if not self.shown:
            return
        full = WIDTH * done // max(total, 1)
        bar = "" if done >= total else f"[{'#' * full}{'.' * (WIDTH - full)}] {done}/{total} {label}"
        self.stream.write(f"\r\x1b[K{bar}", style_func=str, ending="")
        self.stream.flush()
