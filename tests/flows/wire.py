"""A wire between a program and PostgreSQL that can be cut at a COMMIT: the only way to lose nothing but its answer.

It stands on loopback and passes bytes on. :meth:`Wire.cut` decides what becomes of the next COMMIT of one
application (named by ``application_name``, which PostgreSQL's start-up message carries).
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import Self
from urllib.parse import urlsplit

import psycopg

COMMIT = b"COMMIT\x00"
CHUNK_BYTES = 65_536
LATE_S = 1.0


class Cut(StrEnum):
    """What becomes of a COMMIT."""

    NEVER_ARRIVED = "never arrived"  # the wire is cut before it: PostgreSQL rolls back
    ANSWER_LOST = "answer lost"  # PostgreSQL has committed, the wire is cut before its answer
    ARRIVED_LATE = "arrived late"  # the program finds its wire cut, and PostgreSQL commits a second later


class Wire:
    """Passes connections on to the server of a database URL; ``url`` leads through it."""

    def __init__(self, database_url: str) -> None:
        self._target = psycopg.conninfo.conninfo_to_dict(database_url)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._lock = threading.Lock()
        self._cut: tuple[Cut, bytes] | None = None
        self._happened = threading.Event()
        user, password = self._target.get("user"), self._target.get("password")
        login = f"{user}:{password}" if password else str(user)
        port, name = self._listener.getsockname()[1], urlsplit(database_url).path
        self.url = f"postgresql://{login}@127.0.0.1:{port}{name}?sslmode=disable&gssencmode=disable"

    @classmethod
    @contextmanager
    def to(cls, database_url: str) -> Iterator[Self]:
        """Lay the wire, and take it away."""
        wire = cls(database_url)
        threading.Thread(target=wire._accept, name="wire", daemon=True).start()
        try:
            yield wire
        finally:
            wire._listener.close()

    def cut(self, how: Cut, *, application_name: str) -> None:
        """Decide what becomes of the application's next COMMIT."""
        self._happened.clear()
        with self._lock:
            self._cut = (how, application_name.encode() + b"\x00")

    def wait_until_cut(self, patience_s: float = 10.0) -> None:
        """Wait until that COMMIT has been met; fails when none comes."""
        assert self._happened.wait(patience_s), "no COMMIT came along the wire"

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was closed: the wire is taken away
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), name="wire", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, self._connect() as server, suppress(OSError):
            start_up = client.recv(CHUNK_BYTES)
            server.sendall(start_up)
            back = threading.Thread(target=_pour, args=(server, client), name="wire", daemon=True)
            back.start()
            while chunk := client.recv(CHUNK_BYTES):
                how = self._take(start_up) if COMMIT in chunk else None
                if how is not None:
                    _sever(how, chunk, client, server)
                    self._happened.set()
                    return
                server.sendall(chunk)

    def _take(self, start_up: bytes) -> Cut | None:
        with self._lock:
            if self._cut is None or self._cut[1] not in start_up:
                return None
            how, self._cut = self._cut[0], None
            return how

    def _connect(self) -> socket.socket:
        host, port = str(self._target.get("host") or "localhost"), int(self._target.get("port") or 5432)
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server


def _pour(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(CHUNK_BYTES):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


def _sever(how: Cut, commit: bytes, client: socket.socket, server: socket.socket) -> None:
    """Cut the client's side first, so that no answer can slip through, then let PostgreSQL end as told."""
    client.shutdown(socket.SHUT_RDWR)
    if how is not Cut.NEVER_ARRIVED:
        if how is Cut.ARRIVED_LATE:
            time.sleep(LATE_S)
        server.sendall(commit)
        time.sleep(0.2)  # the answer is dropped by whoever pours into the closed side
    server.shutdown(socket.SHUT_RDWR)
