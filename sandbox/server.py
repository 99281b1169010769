"""HTTP, with full control over how a connection ends.

The standard library's server is enough here: one thread a connection, and nothing between us and the socket,
so that an answer can be held, cut, reset or stopped half-way.
"""

import http
import logging
import re
import socket
import struct
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from sandbox.exchange import Answer, Ending, Request, json_answer

logger = logging.getLogger("sandbox.server")

MAX_BODY_BYTES: Final = 1_000_000
IDLE_CONNECTION_S: Final = 75
SANDBOX_HEADER: Final = ("X-Sandbox", "fintech-core")
_LINGER_ZERO: Final = struct.pack("ii", 1, 0)
_LENGTH = re.compile(r"\d{1,9}")


class SandboxServer(ThreadingHTTPServer):
    """Listens on loopback and answers each request with `answer`, to be set before it serves."""

    answer: Callable[[Request], Answer]

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), Exchange)

    def shutdown_request(self, request: Any) -> None:
        """End a connection; one that is to be reset must not say goodbye first."""
        lingers, _ = struct.unpack("ii", request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))
        if lingers:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Note a broken connection in one line; anything else is an error of ours and gets its traceback."""
        error = sys.exc_info()[1]
        if isinstance(error, ConnectionError | TimeoutError):
            logger.debug("connection %r from %s broke: %s", request, client_address, error)
        else:
            logger.exception("connection %r from %s failed", request, client_address)


class Exchange(BaseHTTPRequestHandler):
    """Reads one request, asks for the answer, writes it the way it is to be written."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_CONNECTION_S
    disable_nagle_algorithm = True
    server: SandboxServer

    def do_GET(self) -> None:
        """Answer any method alike; the dispatcher knows which routes exist."""
        started = time.monotonic()
        answer = self._answer()
        answer_s = time.monotonic() - started
        logger.info(
            "%s %s -> %s in %.0f ms", self.command, urlsplit(self.path).path, _told(answer), answer_s * 1000
        )
        self._write(answer)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _answer(self) -> Answer:
        if "transfer-encoding" in self.headers:
            self.close_connection = True
            return json_answer({"error": "Send a Content-Length; chunked bodies are not read."}, status=411)
        length = self.headers.get("content-length", "0")
        if not _LENGTH.fullmatch(length) or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            return json_answer({"error": f"A body has at most {MAX_BODY_BYTES} bytes."}, status=413)
        parts = urlsplit(self.path)
        return self.server.answer(
            Request(
                method=self.command,
                path=unquote(parts.path, errors="replace"),
                query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(int(length)),
                client_ip=str(self.client_address[0]),
            )
        )

    def _write(self, answer: Answer) -> None:
        if answer.hold_s:
            time.sleep(answer.hold_s)
        if answer.ending is Ending.RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        if answer.ending is not Ending.SEND:
            self.close_connection = True
        if answer.ending in {Ending.CUT, Ending.RESET}:
            return
        head = self._head(answer)
        body = answer.body if answer.ending is Ending.SEND else answer.body[: len(answer.body) // 2]
        self.wfile.write(head + body)

    def _head(self, answer: Answer) -> bytes:
        reason = http.HTTPStatus(answer.status).phrase
        lines = [f"HTTP/1.1 {answer.status} {reason}", f"Date: {self.date_time_string()}"]
        headers = [SANDBOX_HEADER, ("Content-Type", answer.content_type), *answer.headers.items()]
        headers.append(("Content-Length", str(len(answer.body))))
        if self.close_connection:
            headers.append(("Connection", "close"))
        lines += [f"{name}: {_one_line(value)}" for name, value in headers]
        return "\r\n".join([*lines, "", ""]).encode("latin-1", errors="replace")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what the server itself refuses, such as a malformed request line, in our own shape."""
        self.close_connection = True
        self._write(json_answer({"error": message or explain or http.HTTPStatus(code).phrase}, status=code))

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing here: the one line per request is written where the answer is known."""


def _one_line(value: str) -> str:
    return value.replace("\r", "").replace("\n", "")


def _told(answer: Answer) -> str:
    return str(answer.status) if answer.ending is Ending.SEND else answer.ending.value
