"""The network below ``http``: every connect, read and write is held to the deadline of the call it belongs
to.

httpx2's time-outs count from byte to byte, so a peer that drips one byte a second is never late. Here the
stream itself knows the call's deadline, and it knows the one fact that decides about money: whether a byte of
the request may have left.
"""

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpcore2
import httpx2

CONNECT_LIMIT_S = 5.0
# Idle connections are dropped before the usual server does it (Node: 5 s), so that no request is written into
# one that is just being closed: its outcome would be unknown.
POOL_LIMITS = httpx2.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=4.0)

SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


@dataclass(slots=True)
class Call:
    """One call in flight: when it must be over (monotonic clock), whether any of it may have been sent."""

    deadline: float
    written: bool = False


current_call: ContextVar[Call] = ContextVar("current_call")


def time_left_s(limit_s: float | None, expired: type[Exception]) -> float:
    """Return the seconds the current call may still take, at most the limit; raises ``expired`` at zero."""
    left = current_call.get().deadline - time.monotonic()
    if left <= 0:
        raise expired("the deadline of the call has passed")
    return left if limit_s is None else min(left, limit_s)


class AddressRefused(httpcore2.ConnectError):
    """The name leads to an address that must not be called: loopback, private, link-local, reserved."""


class _DeadlineStream(httpcore2.NetworkStream):
    """A stream whose every operation ends with the call's deadline."""

    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, time_left_s(timeout, httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        left = time_left_s(timeout, httpcore2.WriteTimeout)
        current_call.get().written = True
        self._inner.write(buffer, left)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        left = time_left_s(timeout, httpcore2.ConnectTimeout)
        return _DeadlineStream(self._inner.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _DeadlineBackend(httpcore2.NetworkBackend):
    """Resolves within the deadline, connects to the address it has checked, and wraps the stream."""

    def __init__(self, *, public_only: bool) -> None:
        self._public_only = public_only
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore2.NetworkStream:
        addresses = _resolve(host, port, time_left_s(timeout, httpcore2.ConnectTimeout))
        if self._public_only and not all(ipaddress.ip_address(address).is_global for address in addresses):
            raise AddressRefused(f"{host} does not lead to public addresses only")
        give_up = time.monotonic() + time_left_s(timeout, httpcore2.ConnectTimeout)
        for address in addresses[:-1]:
            share = max(0.1, (give_up - time.monotonic()) / 2)
            try:
                left = time_left_s(share, httpcore2.ConnectTimeout)
                return self._connect(address, port, left, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        left = time_left_s(max(0.1, give_up - time.monotonic()), httpcore2.ConnectTimeout)
        return self._connect(addresses[-1], port, left, local_address, socket_options)

    def _connect(
        self,
        address: str,
        port: int,
        timeout_s: float,
        local_address: str | None,
        socket_options: Iterable[SocketOption] | None,
    ) -> httpcore2.NetworkStream:
        stream = self._inner.connect_tcp(address, port, timeout_s, local_address, socket_options)
        return _DeadlineStream(stream)


def _resolve(host: str, port: int, timeout_s: float) -> list[str]:
    """Return the name's addresses, looked up in a thread, since the resolver cannot be interrupted."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(info[4][0]).partition("%")[0] for info in found)))
        except OSError as error:
            answers.put(error)

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=timeout_s)
    except queue.Empty:
        raise httpcore2.ConnectTimeout(f"the name {host} was not resolved in time") from None
    if isinstance(answer, OSError) or not answer:
        raise httpcore2.ConnectError(f"the name {host} cannot be resolved")
    return answer


class DeadlineTransport(httpx2.HTTPTransport):
    """httpx2's transport over a pool that resolves, connects, reads and writes within the call's deadline.

    httpx2 offers no argument for httpcore2's ``network_backend``, so the pool it made is replaced; nothing
    was opened on it yet. ``public_only`` refuses every address that is not public, checked on the address
    that is connected to, so that a name cannot change its mind in between.
    """

    def __init__(self, *, public_only: bool) -> None:
        super().__init__(trust_env=False, retries=0, limits=POOL_LIMITS)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpx2.create_ssl_context(trust_env=False),
            max_connections=POOL_LIMITS.max_connections,
            max_keepalive_connections=POOL_LIMITS.max_keepalive_connections,
            keepalive_expiry=POOL_LIMITS.keepalive_expiry,
            retries=0,
            network_backend=_DeadlineBackend(public_only=public_only),
        )
