"""Redis, the broker or PostgreSQL is down: money is right, refusals are quick, and what waited is done afterwards."""

import time
from uuid import uuid4

import httpx2
import pytest

from tests.clients import Person, eventually
from tests.outages import down
from tests.stack import Stack

LOGIN_LIMIT = 10


@pytest.fixture(scope="module")
def people(lonely: Stack) -> tuple[Person, Person]:
    """Somebody with money and somebody without."""
    return lonely.person(funds="5000.00"), lonely.person("Chidi")


def titles(person: Person) -> list[str]:
    """Name the messages in somebody's inbox by their type."""
    return [message["type"] for message in person.get("/notifications").json()["results"]]


class TestRedisDown:
    def test_money_moves_and_the_news_follow(self, lonely: Stack, people: tuple[Person, Person]) -> None:
        ada, chidi = people[0], lonely.person("Chidi")
        before = float(ada.balance())
        with down(lonely.ground, "valkey"):
            sent = ada.transfer(chidi, "100.00")
            assert sent.status_code == 201, sent.text
            assert (float(ada.balance()), chidi.balance()) == (before - 100, "100.00")
            assert "transfer.received" not in titles(chidi)

        def news_arrived() -> bool:
            lonely.sweep()
            return "transfer.received" in titles(chidi)

        eventually(news_arrived, "the relay catches up")

    def test_limits_are_stricter_not_absent(self, lonely: Stack) -> None:
        guess = {"email": f"{uuid4().hex}@example.com", "password": "a-wrong-password-1"}
        with down(lonely.ground, "valkey"):
            answers = [lonely.client().post("/auth/login", guess) for _ in range(LOGIN_LIMIT + 1)]
        statuses = [answer.status_code for answer in answers]
        assert statuses[0] == 401
        assert statuses.count(401) < LOGIN_LIMIT
        assert (statuses[-1], "retry-after" in answers[-1].headers) == (429, True)

    def test_health_tells_it(self, lonely: Stack) -> None:
        with down(lonely.ground, "valkey"):
            answer = httpx2.get(f"{lonely.address}/health/detailed", timeout=10)
            checks = answer.json()["checks"]
            assert (answer.status_code, checks["cache"]["ok"], checks["broker"]["ok"]) == (503, False, False)
            assert checks["database"]["ok"]


class TestPostgresDown:
    def test_requests_are_refused_quickly_and_have_no_half_effect(
        self, lonely: Stack, people: tuple[Person, Person]
    ) -> None:
        ada, chidi = people
        before, key = ada.balance(), str(uuid4())
        with down(lonely.ground, "postgres"):
            started = time.monotonic()
            refused = ada.transfer(chidi, "10.00", key=key)
            assert time.monotonic() - started < 3
            assert (refused.status_code, refused.json()["retryable"]) == (503, True)
            assert int(refused.headers["retry-after"]) >= 1
        eventually(lambda: ada.get("/wallet").status_code == 200, "the web server is back")
        assert ada.balance() == before
        assert ada.transfer(chidi, "10.00", key=key).status_code == 201
        assert ada.transfer(chidi, "10.00", key=key).headers["idempotent-replayed"] == "true"
        assert float(ada.balance()) == float(before) - 10

    def test_health_is_red_and_turns_green(self, lonely: Stack) -> None:
        with down(lonely.ground, "postgres"):
            assert httpx2.get(f"{lonely.address}/readyz", timeout=10).status_code == 503
            assert httpx2.get(f"{lonely.address}/health", timeout=10).status_code == 200
        eventually(lambda: httpx2.get(f"{lonely.address}/readyz").status_code == 200, "health is green")

    def test_the_worker_goes_on_afterwards(self, lonely: Stack) -> None:
        chidi = lonely.person("Chidi", tier=0)
        with down(lonely.ground, "postgres"):
            lonely.sweep()
        chidi.pass_kyc()
        assert chidi.get("/users/me").json()["kyc_tier"] == 1
