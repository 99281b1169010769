"""Rate limits per route: atomic in Redis, strict in the process when Redis is down, told in standard headers.

A view names its limits per action::

    rate_limits = {"transfer": (Rate(30, 60, "user", "transfer"),)}

and every other action has the default. Rates of one name share one count wherever they are declared. Headers
follow draft-ietf-httpapi-ratelimit-headers-10: ``RateLimit-Policy`` says the rules, ``RateLimit`` what is
left of them.
"""

import hashlib
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from django.conf import settings
from django.http import HttpRequest
from rest_framework.exceptions import APIException, Throttled
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from fintech_core import lua
from fintech_core.addresses import client_address, network_of
from fintech_core.exceptions import DomainError

if TYPE_CHECKING:  # rest_framework.views itself imports this module, as the default throttle
    from rest_framework.views import APIView

KeyOf = Callable[[Request], str | None]
MICRO: Final = 1_000_000
FALLBACK_SHARE: Final = 4
FALLBACK_MAX_KEYS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``limit`` requests in ``per_seconds``, counted by ``key``.

    The key is ``user`` (the address while nobody is signed in), ``address``, or a function of the request
    that returns a text, or None when the rate does not concern the request. ``name`` is the policy's name in
    the headers.
    """

    limit: int
    per_seconds: int
    key: str | KeyOf
    name: str

    def __post_init__(self) -> None:
        if (
            self.limit < 1
            or self.per_seconds < 1
            or not (callable(self.key) or self.key in {"user", "address"})
        ):
            raise ValueError(f"not a rate: {self!r}")
        if not self.name.isascii() or '"' in self.name or "\\" in self.name or not self.name.isprintable():
            raise ValueError(f"not a policy name: {self.name!r}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rate says to one request; ``wait_s`` is zero when it was let through."""

    rate: Rate
    allowed: bool
    remaining: int
    wait_s: float
    reset_s: float


PER_USER: Final = (Rate(120, 60, "user", "default"),)
PER_ADDRESS: Final = (Rate(60, 60, "address", "default"),)


class RateLimitHeaders:
    """Mixin of API views: what this view's limits are, and the headers that tell them."""

    rate_limits: ClassVar[Mapping[str, tuple[Rate, ...]]] = {}
    rate_verdicts: Sequence[Verdict] = ()

    def get_rate_limits(self, request: Request) -> tuple[Rate, ...]:
        """Return the rates of this request; a view overrides it where they depend on more than the action."""
        declared = self.rate_limits.get(_action(self))
        if declared is not None:
            return declared
        return PER_USER if request.user.is_authenticated else PER_ADDRESS

    def charge(self, request: Request, rate: Rate, *, units: int) -> None:
        """Count ``units`` against a rate, for what is known only once the request was looked into.

        It goes through while one is left and owes the others, so that whoever takes many waits the longer for the
        next. Raises Throttled when none is left.
        """
        value = _value(rate, request)
        if units < 1 or value is None or not settings.RATE_LIMITS:
            return
        [verdict] = judge([(rate, _key(rate, value))], units=units)
        self.rate_verdicts = [*(one for one in self.rate_verdicts if one.rate.name != rate.name), verdict]
        if not verdict.allowed:
            raise Throttled(wait=verdict.wait_s)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Put ``RateLimit`` and ``RateLimit-Policy`` on the answer of a throttled route."""
        final: Response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]
        for name, value in rate_limit_headers(self.rate_verdicts).items():
            final[name] = value
        return final


class RouteThrottle(BaseThrottle):
    """Counts a request against its route's limits; refused by any of them, it counts against none."""

    _wait_s: float | None = None

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Say whether the request may go on, and leave the verdicts on the view for its headers."""
        limited: object = view
        if not settings.RATE_LIMITS or not isinstance(limited, RateLimitHeaders):
            return True
        keyed, unreadable = _keyed(request, limited)
        verdicts = judge(keyed)
        limited.rate_verdicts = verdicts
        waits = [verdict.wait_s for verdict in verdicts if not verdict.allowed]
        if waits:
            self._wait_s = max(waits)
            return False
        if unreadable is not None:
            raise unreadable
        return True

    def wait(self) -> float | None:
        """Return the seconds until the request would be let through: ``Retry-After``."""
        return self._wait_s


def rate_limit_headers(verdicts: Sequence[Verdict]) -> dict[str, str]:
    """Write the two header fields as structured fields (RFC 9651); no verdict, no headers."""
    if not verdicts:
        return {}
    policies = [f'"{v.rate.name}";q={v.rate.limit};w={v.rate.per_seconds}' for v in verdicts]
    states = [f'"{v.rate.name}";r={v.remaining};t={math.ceil(v.reset_s)}' for v in verdicts]
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(states)}


def judge(keyed: Sequence[tuple[Rate, str]], *, units: int = 1) -> list[Verdict]:
    """Count one request against every rate under its key, all or none; of several units one must be left."""
    if not keyed:
        return []
    try:
        return _judge_in_redis(keyed, units=units)
    except lua.RedisDown:
        return _fallback.judge(keyed, units=units)


def wait_for_page(request: HttpRequest, *, by_address: Rate, by_key: Rate, key: str) -> float:
    """Count a try on a page that is no API view; returns the seconds to wait, zero when it is let through.

    The counts are those of the API's routes with the same rates.
    """
    if not settings.RATE_LIMITS:
        return 0.0
    address = f"address:{network_of(client_address(request))}"
    verdicts = judge([(by_key, _key(by_key, f"key:{key}")), (by_address, _key(by_address, address))])
    return max(verdict.wait_s for verdict in verdicts)


def _action(view: object) -> str:
    action = getattr(view, "action", None)
    return str(action or getattr(getattr(view, "request", None), "method", "") or "").lower()


def _keyed(request: Request, view: RateLimitHeaders) -> tuple[list[tuple[Rate, str]], Exception | None]:
    """Find each rate's key. A body that cannot be read still counts against the rates that need none."""
    keyed: list[tuple[Rate, str]] = []
    unreadable: Exception | None = None
    for rate in view.get_rate_limits(request):
        try:
            value = _value(rate, request)
        except (APIException, DomainError) as error:
            unreadable = error
            continue
        if value is None:
            continue
        route = f"{type(view).__qualname__}.{_action(view)}" if rate.name == "default" else ""
        keyed.append((rate, _key(rate, value, route=route)))
    return keyed, unreadable


def _key(rate: Rate, value: str, *, route: str = "") -> str:
    counted = f"{rate.name}|{route}|{rate.limit}/{rate.per_seconds}|{value}"
    return lua.key("rate", hashlib.sha256(counted.encode()).hexdigest()[:40])


def _value(rate: Rate, request: Request) -> str | None:
    if callable(rate.key):
        found = rate.key(request)
        return None if found is None else f"key:{found}"
    if rate.key == "user" and request.user.is_authenticated:
        return f"user:{request.user.pk}"
    return f"address:{network_of(client_address(request))}"


_SCRIPT = lua.Script((Path(__file__).parent / "throttling.lua").read_text())


def _judge_in_redis(keyed: Sequence[tuple[Rate, str]], *, units: int = 1) -> list[Verdict]:
    numbers = [number for rate, _ in keyed for number in (rate.limit, rate.per_seconds)]
    answers = _SCRIPT([key for _, key in keyed], [units, *numbers])
    return [
        Verdict(rate, bool(allowed), int(remaining), int(wait) / MICRO, int(reset) / MICRO)
        for (rate, _), (allowed, remaining, wait, reset) in zip(keyed, answers, strict=True)
    ]


class LocalLimiter:
    """The same algorithm in this process, for the time Redis is down.

    Each process counts for itself, so a rate lets through a quarter of what it does otherwise, as if four
    processes served; and a table that is full refuses whom it does not know. It never lets everything
    through.
    """

    def __init__(
        self, max_keys: int = FALLBACK_MAX_KEYS, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._lock = threading.Lock()
        self._arrivals: dict[str, float] = {}
        self._max_keys = max_keys
        self._now_s = now_s

    def judge(self, keyed: Sequence[tuple[Rate, str]], *, units: int = 1) -> list[Verdict]:
        """Count one request against every rate under its key, all or none; of several units one must be left."""
        now = self._now_s()
        with self._lock:
            if len(self._arrivals) >= self._max_keys:
                self._arrivals = {key: arrival for key, arrival in self._arrivals.items() if arrival > now}
            verdicts, arrivals = [], {}
            for rate, key in keyed:
                verdict, arrivals[key] = self._judge_one(rate, key, now, units)
                verdicts.append(verdict)
            if all(verdict.allowed for verdict in verdicts):
                self._arrivals.update(arrivals)
        return verdicts

    def _judge_one(self, rate: Rate, key: str, now: float, units: int) -> tuple[Verdict, float]:
        strict = replace(rate, limit=max(1, rate.limit // FALLBACK_SHARE))
        spacing = strict.per_seconds / strict.limit
        if key not in self._arrivals and len(self._arrivals) >= self._max_keys:
            return Verdict(strict, False, 0, spacing, spacing), now
        arrival = max(self._arrivals.get(key, now), now)
        wait = arrival + spacing - strict.per_seconds - now
        following = arrival + units * spacing
        if wait > 1 / MICRO:
            return Verdict(strict, False, 0, wait, arrival - now), arrival
        remaining = math.floor((strict.per_seconds - (following - now)) / spacing + 1 / MICRO)
        return Verdict(strict, True, max(remaining, 0), 0.0, following - now), following


_fallback = LocalLimiter()
