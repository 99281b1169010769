"""A peer on a real socket that behaves as badly as a test wants."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Script = Callable[[socket.socket, bytes], None]


@dataclass
class Peer:
    """Where the peer listens, and what it was sent."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def answer(body: bytes = b"{}", status: str = "200 OK", headers: str = "") -> Script:
    """Answer properly and keep the connection open."""

    def script(connection: socket.socket, request: bytes) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        connection.sendall(head.encode() + body)

    return script


def drip(head: bytes, rest: bytes, pause_s: float = 0.05) -> Script:
    """Send ``head`` at once and ``rest`` byte by byte."""

    def script(connection: socket.socket, request: bytes) -> None:
        connection.sendall(head)
        for byte in rest:
            connection.sendall(bytes((byte,)))
            time.sleep(pause_s)

    return script


def reset(connection: socket.socket, request: bytes) -> None:
    """Take the request and cut the connection with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def close(connection: socket.socket, request: bytes) -> None:
    """Take the request and close the connection."""
    connection.close()


def hang(connection: socket.socket, request: bytes) -> None:
    """Take the request and say nothing."""
    time.sleep(5)


@contextmanager
def listening(script: Script) -> Iterator[Peer]:
    """Run a peer that plays the script for every request, each connection in its own thread."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    peer = Peer(listener.getsockname()[1])

    def serve(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while request := _read_request(connection):
                peer.requests.append(request)
                script(connection, request)

    def accept() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                peer.connections += 1
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield peer
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def closed_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _read_request(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(65_536)
        if not part:
            return b""
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        part = connection.recv(65_536)
        if not part:
            break
        body += part
    return head + b"\r\n\r\n" + body
