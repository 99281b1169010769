"""Lua scripts on Redis: atomic, one round trip; a Redis that is down is left alone for a moment."""

import threading
import time
from collections.abc import Sequence
from typing import Any, Final

import structlog
from django.conf import settings
from django_redis import get_redis_connection
from redis.exceptions import NoScriptError, RedisError

log = structlog.get_logger(__name__)

PAUSE_S: Final = 1.0
COMPLAIN_EVERY_S: Final = 60.0


class RedisDown(Exception):
    """Redis did not answer: the caller has a fallback of its own."""


class _Health:
    """What this process knows of Redis: until when it leaves it alone, and when it last complained."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._down_until = 0.0
        self._complain_at = 0.0

    def is_paused(self) -> bool:
        return time.monotonic() < self._down_until

    def failed(self, error: Exception) -> None:
        now = time.monotonic()
        with self._lock:
            self._down_until = now + PAUSE_S
            complain = now >= self._complain_at
            if complain:
                self._complain_at = now + COMPLAIN_EVERY_S
        if complain:
            log.error("redis_down", error=type(error).__name__)


_health = _Health()


def key(*parts: str) -> str:
    """Build a key of ours: the project's prefix and the parts, joined by colons."""
    return ":".join((str(settings.CACHES["default"]["KEY_PREFIX"]), *parts))


class Script:
    """One Lua script, loaded on first use and again whenever Redis has forgotten it."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._sha = ""

    def __call__(self, keys: Sequence[str], arguments: Sequence[str | int | float]) -> Any:
        """Run the script; raises RedisDown. After a failure Redis is left alone for a second."""
        if _health.is_paused():
            raise RedisDown
        try:
            client = get_redis_connection("default")
            if not self._sha:
                self._sha = str(client.script_load(self._source))
            try:
                return client.evalsha(self._sha, len(keys), *keys, *(str(value) for value in arguments))
            except NoScriptError:
                return client.eval(self._source, len(keys), *keys, *(str(value) for value in arguments))
        except (RedisError, OSError) as error:
            _health.failed(error)
            raise RedisDown from error
