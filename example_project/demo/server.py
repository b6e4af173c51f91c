"""The site on a port of this machine, served by threads of this process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application


def listen(port: int) -> ThreadedWSGIServer:
    """A server that is ready to serve. Port 0 takes any that is free; see its `server_port`."""
    server = ThreadedWSGIServer(("127.0.0.1", port), WSGIRequestHandler)
    server.set_app(StaticFilesHandler(get_wsgi_application()))
    return server


@contextmanager
def serving(server: ThreadedWSGIServer) -> Iterator[None]:
    """Serve while the caller does something else, such as sending requests."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the server's log of requests, and the security log, out of a list that shows each anyway."""
    loggers = [logging.getLogger(name) for name in ("django.server", "django.request", "django_tenantkit.security")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
