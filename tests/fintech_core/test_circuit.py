"""A vendor's circuit, shared through Redis."""

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django_redis import get_redis_connection
from pytest_django.fixtures import Settings

from fintech_core import circuit, lua
from fintech_core.circuit import Seen
from tests.fintech_core.peers import closed_port


@pytest.fixture
def vendor() -> str:
    """A vendor that nobody has called."""
    return f"vendor-{uuid.uuid4().hex}"


@pytest.fixture
def redis_down(settings: Settings) -> Iterator[None]:
    """A Redis that refuses connections."""
    location = f"redis://127.0.0.1:{closed_port()}/0"
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": location}}
    yield
    time.sleep(lua.PAUSE_S)


def record(vendor: str, *, ok: int = 0, failed: int = 0) -> None:
    """Count calls."""
    for _ in range(ok):
        circuit.record(vendor, ok=True)
    for _ in range(failed):
        circuit.record(vendor, ok=False)


def wait_out_the_pause(vendor: str) -> None:
    """Move the moment at which the circuit opened far enough into the past."""
    redis = get_redis_connection("default")
    key = lua.key("circuit", f"{{{vendor}}}", "state")
    redis.hset(key, "opened_at", int(redis.hget(key, "opened_at") or 0) - circuit.PROBE_AFTER_S)


class TestOpening:
    def test_it_stays_closed_before_the_twentieth_call(self, vendor: str) -> None:
        record(vendor, failed=19)
        assert circuit.allows(vendor)
        assert circuit.status(vendor) == "slow"
        record(vendor, failed=1)
        assert not circuit.allows(vendor)
        assert circuit.status(vendor) == "down"

    def test_half_failed_is_not_more_than_half(self, vendor: str) -> None:
        record(vendor, ok=10, failed=10)
        assert circuit.allows(vendor)

    def test_only_the_last_twenty_calls_count(self, vendor: str) -> None:
        record(vendor, ok=100, failed=10)
        assert circuit.allows(vendor)
        record(vendor, failed=1)
        assert not circuit.allows(vendor)

    def test_one_vendor_does_not_open_another(self, vendor: str) -> None:
        record(vendor, failed=20)
        assert circuit.allows(f"{vendor}-other")


class TestClosing:
    def test_late_answers_do_not_close_it(self, vendor: str) -> None:
        record(vendor, failed=20)
        record(vendor, ok=5)
        assert not circuit.allows(vendor)

    def test_one_caller_of_many_gets_the_probe(self, vendor: str) -> None:
        record(vendor, failed=20)
        wait_out_the_pause(vendor)
        with ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(lambda _: circuit.allows(vendor), range(50))) == 1

    def test_a_probe_that_succeeds_closes_it(self, vendor: str) -> None:
        record(vendor, failed=20)
        wait_out_the_pause(vendor)
        record(vendor, ok=1)
        assert circuit.allows(vendor)
        assert circuit.status(vendor) == "operational"

    def test_a_probe_that_fails_opens_it_for_another_pause(self, vendor: str) -> None:
        record(vendor, failed=20)
        wait_out_the_pause(vendor)
        record(vendor, failed=1)
        assert not circuit.allows(vendor)
        assert circuit.status(vendor) == "down"


class TestJudge:
    def test_a_few_calls_say_nothing(self) -> None:
        assert circuit.judge([Seen(False, 9.0)] * 4) == "operational"

    def test_a_quarter_of_failures_is_slow(self) -> None:
        assert circuit.judge([Seen(True, 0.1)] * 6 + [Seen(False, 0.1)] * 2) == "slow"
        assert circuit.judge([Seen(True, 0.1)] * 7 + [Seen(False, 0.1)] * 2) == "operational"

    def test_long_calls_are_slow(self) -> None:
        assert circuit.judge([Seen(True, 5.0)] * 5) == "slow"


class TestRedisDown:
    def test_every_circuit_counts_as_closed(self, redis_down: None, vendor: str) -> None:
        record(vendor, failed=25)
        assert circuit.allows(vendor)
        assert circuit.status(vendor) == "operational"

    def test_redis_is_left_alone_between_tries(self, redis_down: None, vendor: str) -> None:
        started = time.monotonic()
        for _ in range(500):
            circuit.allows(vendor)
        assert time.monotonic() - started < 0.8
