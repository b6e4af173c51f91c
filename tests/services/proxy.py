"""A proxy in front of a PostgreSQL server that counts what goes through it: messages, round trips, packets.

    with proxy.start(settings) as (through, traffic):
        DATABASES = {"default": through}
        ...
        traffic.reset()
        Customer.objects.count()
        assert traffic.round_trips == 1

What the client has received was counted before, so nobody has to wait. The messages are those of the
protocol's documentation: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import selectors
import socket
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

#: What one packet carries over Ethernet: 1,500 bytes less the headers of IP and TCP with time stamps.
SEGMENT = 1448

#: The first message of a client has no type.
STARTUP = "startup"


class Traffic:
    """What went through since the last `reset()`. `asked` and `answered` count the messages of the client
    and of the server by type: one letter, as in the protocol."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Count from here."""
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.bytes_out = 0
        self.bytes_in = 0
        self.texts: list[bytes] = []
        self._turns: list[list[int]] = []

    @property
    def round_trips(self) -> int:
        """How often the client had to wait: until the server was ready for a query, or for COPY's rows."""
        return self.answered["Z"] + self.answered["G"]

    @property
    def packets_out(self) -> int:
        """The packets that the client's bytes need, turn by turn."""
        return sum(-(-out // SEGMENT) for out, _ in self._turns)

    @property
    def packets_in(self) -> int:
        """The packets that the server's bytes need, turn by turn."""
        return sum(-(-back // SEGMENT) for _, back in self._turns)

    def count_asked(self, size: int, starts_turn: bool) -> None:
        """`size` bytes from the client, the first of them since the server spoke if they start a turn."""
        self.bytes_out += size
        if starts_turn or not self._turns:
            self._turns.append([0, 0])
        self._turns[-1][0] += size

    def count_answered(self, size: int) -> None:
        """`size` bytes from the server."""
        self.bytes_in += size
        if not self._turns:
            self._turns.append([0, 0])
        self._turns[-1][1] += size

    def __repr__(self) -> str:
        asked = " ".join(f"{count}{kind}" for kind, count in sorted(self.asked.items()))
        return (
            f"<{asked}: {self.round_trips} round trips, {self.bytes_out} bytes in {self.packets_out} packets out, "
            f"{self.bytes_in} bytes in {self.packets_in} packets in>"
        )


class Messages:
    """Cuts a stream of bytes into messages."""

    def __init__(self, begins: bool) -> None:
        self._rest = b""
        self._begins = begins

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """The type and body of each message that is complete now."""
        self._rest += data
        while True:
            head = 0 if self._begins else 1
            if len(self._rest) < head + 4:
                return
            end = head + int.from_bytes(self._rest[head : head + 4], "big")
            if len(self._rest) < end:
                return
            kind = STARTUP if self._begins else chr(self._rest[0])
            body, self._rest, self._begins = self._rest[head + 4 : end], self._rest[end:], False
            yield kind, body


class _Pair:
    """One client and its connection to the server."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.asked = Messages(begins=True)
        self.answered = Messages(begins=False)
        self.server_spoke = True


class _Proxy:
    def __init__(self, settings: dict[str, Any], home: Path, traffic: Traffic) -> None:
        self._host = str(settings.get("HOST") or "127.0.0.1")
        self._port = int(settings.get("PORT") or 5432)
        self._traffic = traffic
        self._selector = selectors.DefaultSelector()
        self._listener = _listening(str(home / f".s.PGSQL.{self._port}"))
        self._stop, self._stopped = socket.socketpair()
        for known in (self._listener, self._stopped):
            self._selector.register(known, selectors.EVENT_READ)

    def run(self) -> None:
        """Pass on what arrives, in one thread, until stopped."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._stopped:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                elif key.data.client.fileno() >= 0:  # its other end may just have closed it
                    self._pass_on(key.fileobj, key.data)

    def stop(self) -> None:
        """End `run()`."""
        self._stop.send(b".")

    def close(self) -> None:
        """Hang up on everybody."""
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()
        self._stop.close()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        pair = _Pair(client, self._connect())
        for end in (pair.client, pair.server):
            self._selector.register(end, selectors.EVENT_READ, pair)

    def _connect(self) -> socket.socket:
        if not self._host.startswith("/"):
            return socket.create_connection((self._host, self._port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{self._host}/.s.PGSQL.{self._port}")
        return server

    def _pass_on(self, source: Any, pair: _Pair) -> None:
        data = b""
        with suppress(ConnectionError):
            data = source.recv(1 << 16)
        if data and source is pair.client:
            self._count_asked(data, pair)
        elif data:
            self._count_answered(data, pair)
        try:
            (pair.server if source is pair.client else pair.client).sendall(data)
        except (ConnectionError, OSError):
            data = b""
        if not data:
            for end in (pair.client, pair.server):
                self._selector.unregister(end)
                end.close()

    def _count_asked(self, data: bytes, pair: _Pair) -> None:
        traffic = self._traffic
        traffic.count_asked(len(data), starts_turn=pair.server_spoke)
        pair.server_spoke = False
        for kind, body in pair.asked.feed(data):
            traffic.asked[kind] += 1
            if kind in {"Q", "P"}:
                traffic.texts.append(body)

    def _count_answered(self, data: bytes, pair: _Pair) -> None:
        self._traffic.count_answered(len(data))
        pair.server_spoke = True
        for kind, _ in pair.answered.feed(data):
            self._traffic.answered[kind] += 1


def _listening(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    return listener


@contextmanager
def start(settings: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Traffic]]:
    """Run one in front of the server of `settings`, an entry of DATABASES. Gives the entry that leads
    through it, and what it counts."""
    with tempfile.TemporaryDirectory(prefix="tenantkit-proxy-", dir="/tmp") as home:
        traffic = Traffic()
        proxy = _Proxy(settings, Path(home), traffic)
        thread = threading.Thread(target=proxy.run, daemon=True)
        thread.start()
        try:
            yield {**settings, "HOST": home}, traffic
        finally:
            proxy.stop()
            thread.join()
            proxy.close()
