"""Requests as bytes on a socket, since a polite HTTP client cannot send what an attacker sends."""

import json
import re
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

SOCKET_TIMEOUT_S = 15.0
ANSWER_LIMIT_S = 3.0
# Stacks, SQL, paths and versions: what an answer never shows, whatever was sent.
LEAKS = re.compile(
    r'Traceback|File \\?"|line \d+, in |psycopg|site-packages|SELECT |INSERT INTO|UPDATE "|relation \\?"|DETAIL:|'
    r"IntegrityError|DataError|granian|Python/|PostgreSQL|/usr/|/home/|/root/|/tmp/|\.py\b",
)
PROBLEM = frozenset({"type", "title", "status", "detail", "code", "request_id", "retryable"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and after how long."""

    status: int
    headers: Message
    body: bytes
    elapsed_s: float

    def json(self) -> Any:
        """Read the body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """The problem's code, if this is a problem."""
        is_problem = self.headers.get_content_type() == "application/problem+json"
        return str(self.json()["code"]) if is_problem else None

    @property
    def fields(self) -> dict[str, str]:
        """The codes of a validation problem by field."""
        return {error["field"]: error["code"] for error in self.json().get("errors", [])}

    def __str__(self) -> str:
        return f"{self.status} {self.headers.get('Content-Type')} {self.body[:600]!r} after {self.elapsed_s:.2f} s"


@dataclass(frozen=True, slots=True)
class Wire:
    """The way to one web server, for everything from polite JSON to raw bytes; all of 127/8 may be its source."""

    address: str
    source: str = "127.0.0.1"

    @property
    def host(self) -> str:
        """Host and port, as in ``Host``."""
        return urlsplit(self.address).netloc

    def exchange(self, raw: bytes) -> Answer:
        """Send bytes on a connection of their own and read one answer."""
        parts = urlsplit(self.address)
        started = time.monotonic()
        target = (parts.hostname, parts.port)
        with socket.create_connection(target, SOCKET_TIMEOUT_S, (self.source, 0)) as connection:
            with suppress(ConnectionError):  # refused while it was sent: the answer is there to be read
                connection.sendall(raw)
            return self._read(connection, raw, started)

    @staticmethod
    def _read(connection: socket.socket, raw: bytes, started: float) -> Answer:
        response = HTTPResponse(connection, method=raw.split(b" ", 1)[0].decode("latin-1"))
        try:
            response.begin()
            body = response.read()
        finally:
            response.close()
        return Answer(response.status, response.msg, body, time.monotonic() - started)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        token: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request: ``body`` as JSON or ``raw`` as it is; a header of this call replaces the usual one."""
        sent = {"Host": self.host, "Connection": "close", "Accept": "application/json"}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None:
            raw = json.dumps(body).encode()
        if raw is not None:
            sent |= {"Content-Type": "application/json", "Content-Length": str(len(raw))}
        sent |= dict(headers or {})
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items() if value)]
        return self.exchange("\r\n".join([*lines, "", ""]).encode() + (raw or b""))


def check_manners(answer: Answer) -> None:
    """Hold an answer to what every one of them promises: prompt, no fault of ours, nothing told, not cached."""
    assert answer.status < 500, answer
    assert answer.elapsed_s <= ANSWER_LIMIT_S, answer
    assert LEAKS.search(answer.body.decode(errors="replace")) is None, answer
    for name in ("Server", "X-Powered-By", "Via"):
        assert not re.search(r"\d", answer.headers.get(name, "")), (name, answer.headers[name])
    if answer.headers.get("X-Request-ID"):  # refused by our code, not by the HTTP server before it
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        # What can be polled by its ETag may be kept, but is asked about each time.
        kept = answer.headers.get("Cache-Control", "no-store")
        assert kept == "private, no-cache" or "no-store" in kept, kept


def check_problem(answer: Answer, status: int, code: str) -> None:
    """Hold a refusal to its status, its code and the shape of RFC 9457."""
    check_manners(answer)
    assert (answer.status, answer.code) == (status, code), answer
    problem = answer.json()
    assert problem.keys() >= PROBLEM, answer
    assert problem["status"] == status
    assert problem["type"].endswith(f"/errors/{code}")
    assert problem["request_id"] == answer.headers["X-Request-ID"]
    assert answer.headers["Cache-Control"] == "no-store"
    if status == 401:
        assert answer.headers["WWW-Authenticate"] == "Bearer"
