"""A private Redis for tests, reached by a socket.

with redis.start() as location:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": location}}
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Names a program that is not in the PATH.
PROGRAM = "TENANTKIT_REDIS"

HOW_TO_INSTALL = (
    "Redis is not installed. Debian and Ubuntu: apt-get install redis-server; macOS: brew install redis; or name the "
    f"program in {PROGRAM}."
)


class RedisError(Exception):
    """Redis did not start."""


def find() -> str | None:
    """The program, or None."""
    return os.environ.get(PROGRAM) or shutil.which("redis-server")


@contextmanager
def start() -> Iterator[str]:
    """Run one, and give the address of it as Django's LOCATION. Raises `RedisError`."""
    if (program := find()) is None:
        raise RedisError(HOW_TO_INSTALL)
    with tempfile.TemporaryDirectory(prefix="tenantkit-redis-", dir="/tmp") as name:
        path = Path(name) / "socket"
        options = ["--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no", "--dir", name]
        process = subprocess.Popen([program, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            _wait_until_it_answers(process, path)
            yield f"unix://{path}"
        finally:
            process.kill()
            process.communicate()


def _wait_until_it_answers(process: subprocess.Popen[str], path: Path) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RedisError(f"Redis ended: {process.communicate()[0]}")
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(str(path))
                connection.sendall(b"PING\r\n")
                if connection.recv(100).startswith(b"+PONG"):
                    return
        except OSError:
            time.sleep(0.02)
    raise RedisError("Redis did not answer within 30 seconds.")
