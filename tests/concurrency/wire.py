"""A wire between a client and PostgreSQL that can be cut around COMMIT."""

import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db import connection

LOSE_THE_REQUEST = "COMMIT never arrives"
LOSE_THE_ANSWER = "COMMIT is done, its answer is lost"
CUT_WHILE_IT_RUNS = "COMMIT still runs when the client is cut off"
PORT = "5432"


class Wire:
    """Carries every connection of a Unix socket to PostgreSQL; ``cut`` says what happens to the next COMMIT."""

    def __init__(self, folder: Path, target: dict[str, Any]) -> None:
        self.cut: str | None = None
        self.cuts = 0
        self._target = target
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(folder / f".s.PGSQL.{PORT}"))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = _connect(self._target)
                threading.Thread(target=self._to_server, args=(client, server), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        """Carry what the client sends; a second thread carries the answers."""
        lost = threading.Event()
        threading.Thread(target=_to_client, args=(server, client, lost), daemon=True).start()
        with contextlib.suppress(OSError):
            while data := client.recv(65_536):
                if self.cut and b"COMMIT" in data:
                    self._cut_here(client, server, data, lost)
                    return
                server.sendall(data)
        _end(server)

    def _cut_here(
        self, client: socket.socket, server: socket.socket, data: bytes, lost: threading.Event
    ) -> None:
        how, self.cut = self.cut, None
        self.cuts += 1
        lost.set()
        if how == LOSE_THE_REQUEST:
            _end(server)
        else:
            server.sendall(data)
        if how == CUT_WHILE_IT_RUNS:
            _end(client)
        # Otherwise the thread that reads the answers ends the client once the server has answered.


def _to_client(server: socket.socket, client: socket.socket, lost: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while data := server.recv(65_536):
            if lost.is_set():
                break
            client.sendall(data)
    _end(client)
    _end(server)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def _connect(target: dict[str, Any]) -> socket.socket:
    """Connect to the real server as its settings say: by folder of its Unix socket, or by host."""
    host, port = str(target["HOST"] or "localhost"), int(target["PORT"] or PORT)
    if not host.startswith("/"):
        return socket.create_connection((host, port))
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.connect(f"{host}/.s.PGSQL.{port}")
    return server


@contextlib.contextmanager
def wired() -> Iterator[Wire]:
    """Let this thread's connection run over a wire."""
    direct = connection.settings_dict
    connection.close()
    with tempfile.TemporaryDirectory() as folder:
        wire = Wire(Path(folder), direct)
        connection.settings_dict = {**direct, "HOST": folder, "PORT": PORT}
        try:
            yield wire
        finally:
            connection.close()
            connection.settings_dict = direct
            wire.close()
