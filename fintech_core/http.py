"""The one outgoing HTTP client: every call to a vendor or a subscriber goes through here.

What it promises to whoever decides about money:

* no call while a database transaction is open;
* ``not_sent`` only when provably no byte of the request was written, ``unknown`` for everything after that;
* no redirects, no retries, no proxy or certificate from the environment, no cookies, no compression;
* the deadline holds for the whole call: names, connecting, TLS, a header or body that drips.
"""

import atexit
import json as jsonlib
import os
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import httpx2
import structlog
from django.db import connections
from rest_framework.exceptions import APIException, ParseError

from fintech_core import circuit, outcomes, parsing
from fintech_core.transport import CONNECT_LIMIT_S, AddressRefused, Call, DeadlineTransport, current_call

log = structlog.get_logger(__name__)

MAX_ANSWER_BYTES = 1_048_576
MAX_RECEIPT_BYTES = 65_536
MAX_DECIMAL_CHARACTERS = 40
MAX_EXPONENT = 20
_NAMES_SOMETHING = re.compile(r"\d\D*\d\D*\d|[@%]")
_clients: dict[bool, httpx2.Client] = {}
_clients_lock = threading.Lock()


class NetworkInTransaction(RuntimeError):
    """A network call was attempted while a database transaction is open: a bug, never a state."""


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What came back, whole and within its limits. Header names are lower-case; ``repr`` shows no content."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"<Answer {self.status}, {len(self.body)} bytes>"

    def json(self) -> Any:
        """Read the body as strict JSON: depth, digits and exponents bounded, no NaN, no key twice.

        Numbers that are no integers are ``Decimal``. Raises ProviderError ``unknown`` (``broken_body``,
        alarm): an answer that cannot be read says nothing about what the vendor did.
        """
        try:
            return parsing.loads(self.body, parse_float=_decimal)
        except APIException as error:
            raise outcomes.unknown("broken_body", f"HTTP {self.status}: {error.detail}", alarm=True) from None

    def raise_for_server_error(self) -> None:
        """Raise ProviderError ``unknown`` when the status is 5xx: the vendor may or may not have acted."""
        if self.status >= 500:
            raise outcomes.unknown("server_error", f"The vendor answered HTTP {self.status}.")


def send(
    *,
    vendor: str,
    method: str,
    url: str,
    headers: Mapping[str, str] | None = None,
    json: Any = None,
    content: bytes | None = None,
    params: Mapping[str, str] | None = None,
    deadline_s: float,
    max_bytes: int = MAX_ANSWER_BYTES,
) -> Answer:
    """Call a vendor once and return its whole answer, whatever its status.

    ``deadline_s`` bounds the call from the first look-up to the last byte. Send ``json`` (no ``Decimal``: the
    adapter writes amounts in the vendor's own form) or ``content``. The vendor's circuit counts the outcome,
    5xx as a failure. Raises ProviderError ``not_sent`` when nothing was written, ``unknown`` when something
    may have been, and NetworkInTransaction inside a transaction.
    """
    _refuse_in_transaction()
    request = _request(method, url, headers, json, content, params)
    started = time.monotonic()
    try:
        answer = _exchange(vendor, request, deadline_s, max_bytes, public_only=False)
    except outcomes.ProviderError:
        circuit.record(vendor, ok=False, took_s=time.monotonic() - started)
        raise
    circuit.record(vendor, ok=answer.status < 500, took_s=time.monotonic() - started)
    return answer


def deliver(
    *, url: str, headers: Mapping[str, str], content: bytes, deadline_s: float, allow_private: bool = False
) -> Answer:
    """POST to an address that a customer gave (a webhook subscriber), and return its answer.

    Only public addresses are called unless ``allow_private``; the address that was checked is the one
    connected to. No circuit counts it: one subscriber's outage is no vendor's. Raises as ``send``.
    """
    _refuse_in_transaction()
    request = _request("POST", url, headers, None, content, None)
    return _exchange("subscriber", request, deadline_s, MAX_RECEIPT_BYTES, public_only=not allow_private)


def _refuse_in_transaction() -> None:
    for connection in connections.all(initialized_only=True):
        if connection.in_atomic_block:
            raise NetworkInTransaction(
                f"a transaction is open on {connection.alias!r}: commit first, then call"
            )


def _request(
    method: str,
    url: str,
    headers: Mapping[str, str] | None,
    json: Any,
    content: bytes | None,
    params: Mapping[str, str] | None,
) -> httpx2.Request:
    """Build the request; raises ProviderError ``not_sent`` when the configured address is none."""
    sent = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "fintech-core",
        **(headers or {}),
    }
    if json is not None:
        if content is not None:
            raise ValueError("send json or content, not both")
        content = jsonlib.dumps(json, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        sent.setdefault("Content-Type", "application/json")
    try:
        request = httpx2.Request(method, url, headers=sent, content=content, params=params)
    except httpx2.InvalidURL as error:
        raise outcomes.not_sent("invalid_url", str(error), alarm=True) from None
    if request.url.scheme not in {"http", "https"} or not request.url.host:
        raise outcomes.not_sent("invalid_url", "The address is not an http or https URL.", alarm=True)
    return request


def _exchange(
    vendor: str, request: httpx2.Request, deadline_s: float, max_bytes: int, *, public_only: bool
) -> Answer:
    """Send one request and read its answer within the deadline and the size; log one line about it."""
    started = time.monotonic()
    call = Call(started + deadline_s)
    token = current_call.set(call)
    connect_s = min(CONNECT_LIMIT_S, deadline_s)
    request.extensions["timeout"] = httpx2.Timeout(deadline_s, connect=connect_s, pool=connect_s).as_dict()
    result: int | str = "interrupted"
    try:
        response = _client(public_only).send(request, stream=True, follow_redirects=False)
        try:
            answer = Answer(response.status_code, dict(response.headers), _read(response, max_bytes))
        finally:
            response.close()
        result = answer.status
        return answer
    except httpx2.HTTPError as error:
        failure = _conclude(error, call)
        result = failure.code
        raise failure from error
    except outcomes.ProviderError as failure:
        result = failure.code
        raise
    finally:
        current_call.reset(token)
        log.info(
            "http_call",
            vendor=vendor,
            method=request.method,
            path=_loggable_path(request.url.path),
            result=result,
            ms=round((time.monotonic() - started) * 1000),
        )


def _read(response: httpx2.Response, max_bytes: int) -> bytes:
    """Return the body; raises ProviderError ``unknown`` when it is too large or encoded."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise outcomes.unknown(
            "encoded_body", "The answer is compressed, though nobody asked for that.", alarm=True
        )
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > max_bytes:
            raise outcomes.unknown(
                "answer_too_large", f"The answer is longer than {max_bytes} bytes.", alarm=True
            )
    return bytes(body)


def _conclude(error: httpx2.HTTPError, call: Call) -> outcomes.ProviderError:
    """Tell what a failure means: before the first written byte nothing was sent, after it nobody knows."""
    kind = type(error).__name__
    if not call.written:
        if isinstance(error.__cause__, AddressRefused):
            return outcomes.not_sent("address_refused", str(error))
        return outcomes.not_sent("connect_failed", f"The connection could not be made ({kind}: {error}).")
    if isinstance(error, httpx2.TimeoutException):
        return outcomes.unknown("timeout", f"No whole answer within the deadline ({kind}).")
    return outcomes.unknown("connection_lost", f"The exchange broke off ({kind}).")


def _client(public_only: bool) -> httpx2.Client:
    """Return this process's pooled client, made on first use."""
    with _clients_lock:
        client = _clients.get(public_only)
        if client is None:
            client = _clients[public_only] = httpx2.Client(
                transport=DeadlineTransport(public_only=public_only),
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                trust_env=False,
            )
        return client


def _forget_clients() -> None:
    """Let a forked child start with none: no two processes may share a socket, nor a held lock."""
    global _clients_lock
    _clients_lock = threading.Lock()
    _clients.clear()


@atexit.register
def _close_clients() -> None:
    """Close what this process opened."""
    for client in _clients.values():
        client.close()


os.register_at_fork(after_in_child=_forget_clients)


def _loggable_path(path: str) -> str:
    """Return the path with every segment that may name somebody or something replaced by ``*``."""
    return "/".join(
        "*" if _NAMES_SOMETHING.search(segment) else segment for segment in urlsplit(path).path.split("/")
    )


def _decimal(text: str) -> Decimal:
    """Read a vendor's non-integer exactly; raises ParseError on too many digits or a huge exponent."""
    if len(text) <= MAX_DECIMAL_CHARACTERS:
        try:
            value = Decimal(text)
        except InvalidOperation:
            raise ParseError("A number is not readable.") from None
        if value.is_zero() or abs(value.adjusted()) <= MAX_EXPONENT:
            return value
    raise ParseError("A number has too many digits.")
