"""A pooler that does what one must not do: it hands its one server connection on inside a transaction, or it
splits messages of several statements. It speaks as much of the protocol as simple queries need:
https://www.postgresql.org/docs/current/protocol-flow.html
"""

from __future__ import annotations

import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

READY, QUERY = b"Z", b"Q"


class Careless:
    """Gives every client the same connection to the server. `splits`: each statement of a message is sent by
    itself. `hands_on`: also inside a transaction."""

    def __init__(self, settings: dict[str, Any], home: str, *, splits: bool, hands_on: bool) -> None:
        self.splits, self.hands_on = splits, hands_on
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{home}/.s.PGSQL.5432")
        self.listener.listen()
        self.server = socket.socket(socket.AF_UNIX)
        self.server.connect(f"{settings['HOST']}/.s.PGSQL.{settings.get('PORT') or 5432}")
        names = b"".join(
            f"{name}\0{settings[key]}\0".encode() for name, key in (("user", "USER"), ("database", "NAME"))
        )
        self.server.sendall(struct.pack("!ii", len(names) + 9, 196608) + names + b"\0")
        self.greeting = b"".join(_message(kind, body) for kind, body in _until_ready(self.server))
        self.turn = threading.Lock()

    def serve(self) -> None:
        """Accept clients, each with a thread of its own, until the listener is closed."""
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._talk, args=[client], daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        with suppress(ConnectionError), client:
            while (code := struct.unpack("!i", _startup(client)[:4])[0]) != 196608:
                assert code in (80877103, 80877104)  # encryption is asked for, and refused
                client.sendall(b"N")
            client.sendall(self.greeting)
            inside = False
            while True:
                kind, body = _read(client)
                if kind != QUERY:
                    break
                if not inside:
                    self.turn.acquire()
                status = self._ask(client, body)
                inside = status != b"I" and not self.hands_on
                if not inside:
                    self.turn.release()

    def _ask(self, client: socket.socket, body: bytes) -> bytes:
        """Send a message on and its answers back; returns the state of the transaction."""
        parts = body.rstrip(b"\0").split(b"; ") if self.splits else [body.rstrip(b"\0")]
        answers = []
        for part in parts:
            self.server.sendall(_message(QUERY, part + b"\0"))
            *answer, ready = _until_ready(self.server)
            answers += answer
        client.sendall(b"".join(_message(kind, body) for kind, body in [*answers, ready]))
        return ready[1]


@contextmanager
def careless(settings: dict[str, Any], *, splits: bool = False, hands_on: bool = False) -> Iterator[dict[str, Any]]:
    """Run one in front of the server of `settings`, an entry of DATABASES, which asks for no password. Gives
    the entry that leads through it."""
    with tempfile.TemporaryDirectory(prefix="tenantkit-careless-", dir="/tmp") as home:
        pooler = Careless(settings, home, splits=splits, hands_on=hands_on)
        threading.Thread(target=pooler.serve, daemon=True).start()
        try:
            yield {**settings, "HOST": home, "PORT": ""}
        finally:
            pooler.listener.shutdown(socket.SHUT_RDWR)
            pooler.listener.close()
            pooler.server.close()


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _startup(connection: socket.socket) -> bytes:
    return _exactly(connection, struct.unpack("!i", _exactly(connection, 4))[0] - 4)


def _read(connection: socket.socket) -> tuple[bytes, bytes]:
    kind = _exactly(connection, 1)
    return kind, _exactly(connection, struct.unpack("!i", _exactly(connection, 4))[0] - 4)


def _until_ready(server: socket.socket) -> list[tuple[bytes, bytes]]:
    messages = [_read(server)]
    while messages[-1][0] != READY:
        messages.append(_read(server))
    return messages


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        if not (more := connection.recv(size - len(found))):
            raise ConnectionError("hung up")
        found += more
    return found
