"""Valkeys of a stack's own, apart for cache and broker, to be killed and frozen one without the other."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from fintech_core.embedded.layout import valkey_server
from tests.parts import Part

PING_LIMIT_S = 1.0


@contextmanager
def valkey(name: str, port: int, folder: Path) -> Iterator[Part]:
    """Run a Valkey that keeps nothing over a restart, as a cache is configured."""
    folder.mkdir()
    argv = [str(valkey_server()), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
    argv += ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]
    part = Part(name, argv, {}, folder / f"{name}.log", partial(answers_ping, port))
    with ExitStack() as cleanup:
        cleanup.callback(part.stop)
        cleanup.callback(part.thaw)
        part.start()
        yield part


def answers_ping(port: int) -> bool:
    """Say whether a Valkey answers on this port of loopback."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PING_LIMIT_S) as client:
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
    except OSError:
        return False
