"""Valkey out of its wheel: an append-only file in LOCAL_DIR, a Unix socket."""

import signal
import socket
from pathlib import Path
from typing import ClassVar

from .layout import valkey_server
from .server import Server

ANSWER_TIMEOUT_S = 1.0
ANSWER_LIMIT_BYTES = 4096


class Valkey(Server):
    program: ClassVar[str] = "valkey-server"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    @property
    def folder(self) -> Path:
        return self.layout.valkey_data

    @property
    def log(self) -> Path:
        return self.layout.valkey_log

    def prepare(self) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.layout.give_to_owner(self.folder)
        # Without the old socket, whoever answers at it is the process that is about to start.
        self.layout.valkey_socket.unlink(missing_ok=True)

    def command(self) -> list[str]:
        return [
            str(valkey_server()), "--port", "0", "--unixsocket", str(self.layout.valkey_socket),
            "--unixsocketperm", "700", "--dir", str(self.folder), "--appendonly", "yes", "--save", "",
            "--maxmemory-policy", "noeviction", "--daemonize", "no", "--set-proc-title", "no",
        ]  # fmt: skip

    def is_ready(self, pid: int) -> bool:
        path = self.layout.valkey_socket
        return answers_ping(path) and f"process_id:{pid}\r\n".encode() in _ask(path, b"INFO server")


def answers_ping(path: Path) -> bool:
    """Whether a Valkey at this socket answers and has finished loading its data."""
    return _ask(path, b"PING").startswith(b"+PONG")


def _ask(path: Path, command: bytes) -> bytes:
    """Send an inline command and return the first bytes of the answer, none when nobody answers."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(ANSWER_TIMEOUT_S)
        try:
            client.connect(str(path))
            client.sendall(command + b"\r\n")
            return client.recv(ANSWER_LIMIT_BYTES)
        except OSError:
            return b""
