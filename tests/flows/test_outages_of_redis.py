"""The broker or the cache is down or frozen, one without the other: money moves, the rest is late (W8, W9)."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Literal

import httpx2
import pytest

from tests import grounds
from tests.clients import PASSWORD, Person, eventually
from tests.databases import Databases
from tests.flows.checkout import begin, click, fundings, intent_of
from tests.flows.crashing import paused, swept
from tests.flows.valkeys import valkey
from tests.parts import Part
from tests.stack import Stack, free_ports

How = Literal["killed", "frozen"]
BOTH_WAYS = pytest.mark.parametrize("how", ["killed", "frozen"])
QUICKLY_S = 4.0


@dataclass(frozen=True)
class Servers:
    """The two Valkeys of the stack."""

    cache: Part
    broker: Part


@pytest.fixture(scope="module")
def ports() -> list[int]:
    """Where they listen."""
    return free_ports(2)


@pytest.fixture(scope="module")
def servers(ports: list[int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A Valkey for the cache and one for the broker."""
    folder = tmp_path_factory.mktemp("valkeys")
    with (
        valkey("cache", ports[0], folder / "cache") as cache,
        valkey("broker", ports[1], folder / "broker") as broker,
    ):
        yield Servers(cache, broker)


@pytest.fixture(scope="module")
def stack(
    databases: Databases, servers: Servers, ports: list[int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A stack with two Redis of its own."""
    cache, broker = (f"redis://127.0.0.1:{port}/0" for port in ports)
    with grounds.shared(databases) as ground:
        apart = nullcontext(replace(ground, redis_url=cache, broker_url=broker))
        with Stack.start(apart, tmp_path_factory.mktemp("apart")) as running:
            yield running


@contextmanager
def gone(server: Part, how: How) -> Iterator[None]:
    """Let a server be gone for a while: its port refuses, or it takes connections and says nothing."""
    if how == "frozen":
        server.freeze()
        try:
            yield
        finally:
            server.thaw()
        return
    server.kill()
    try:
        yield
    finally:
        server.start()


def within(limit_s: float, request: Callable[[], httpx2.Response]) -> httpx2.Response:
    """Send a request and hold it to a time."""
    started = time.monotonic()
    answer = request()
    assert time.monotonic() - started < limit_s, f"it took {time.monotonic() - started:.1f} s"
    return answer


def told(person: Person, kind: str) -> bool:
    """Say whether somebody has a message of this kind."""
    return kind in {message["type"] for message in person.get("/notifications").json()["results"]}


class TestBrokerGone:
    @BOTH_WAYS
    def test_a_transfer_is_done_and_told_later(self, stack: Stack, servers: Servers, how: How) -> None:
        ada, chidi = stack.person(funds="100.00"), stack.person("Chidi")
        with gone(servers.broker, how):
            sent = within(QUICKLY_S, lambda: ada.transfer(chidi, "40.00"))
            assert sent.status_code == 201, sent.text
            assert (ada.balance(), chidi.balance()) == ("60.00", "40.00")
        swept(stack, lambda: told(chidi, "transfer.received"), "the receiver is told")

    @BOTH_WAYS
    def test_a_funding_waits_and_is_started_later(self, stack: Stack, servers: Servers, how: How) -> None:
        ada = stack.person()
        with gone(servers.broker, how):
            answer = within(
                QUICKLY_S,
                lambda: ada.call(
                    "POST",
                    "/wallet/fund",
                    {"amount": "300.00"},
                    key=f"fund-{how}",
                    headers={"Prefer": "wait=0"},
                ),
            )
            assert (answer.status_code, answer.json()["checkout_url"]) == (202, None)
        intent = answer.json()
        swept(stack, lambda: bool(intent_of(ada, intent["id"])["checkout_url"]), "the checkout is started")
        click(intent_of(ada, intent["id"])["checkout_url"])
        swept(stack, lambda: ada.balance() == "300.00", "the payment is credited")
        assert fundings(ada) == [("completed", "in", "300.00")]

    @BOTH_WAYS
    def test_a_webhook_is_stored_and_acted_on_later(self, stack: Stack, servers: Servers, how: How) -> None:
        ada = stack.person()
        intent = begin(ada, "300.00")
        reference = f"{intent['reference']}.1"
        with gone(servers.broker, how):
            click(intent["checkout_url"])
            eventually(
                lambda: self.delivery(stack, reference)["status"] == "delivered", "the gateway got its 200"
            )
            assert ada.balance() == "0.00"
        swept(stack, lambda: ada.balance() == "300.00", "the payment is credited")
        assert fundings(ada) == [("completed", "in", "300.00")]
        assert self.delivery(stack, reference)["attempts"] == 1

    @staticmethod
    def delivery(stack: Stack, reference: str) -> dict[str, object]:
        sent = stack.control("GET", "deliveries")["deliveries"]
        return next(found for found in sent if found["subject"] == reference)

    def test_health_names_the_broker_alone(self, stack: Stack, servers: Servers) -> None:
        stack.sweep()
        with gone(servers.broker, "killed"):
            answer = within(QUICKLY_S, lambda: httpx2.get(f"{stack.address}/health/detailed", timeout=10))
            checks = answer.json()["checks"]
            assert (answer.status_code, checks["broker"]["ok"]) == (503, False)
            assert (checks["cache"]["ok"], checks["database"]["ok"]) == (True, True)
            assert httpx2.get(f"{stack.address}/readyz").status_code == 200


class TestCacheGone:
    @BOTH_WAYS
    def test_signing_in_and_pins_do_not_need_it(self, stack: Stack, servers: Servers, how: How) -> None:
        ada, chidi = stack.person(funds="100.00"), stack.person("Chidi")
        with gone(servers.cache, how):
            within(QUICKLY_S, lambda: ada.get("/users/me"))
            ada.login()
            refreshed = ada.post("/auth/refresh", {"refresh": ada.refresh})
            assert refreshed.status_code == 200
            again = ada.post("/auth/login", {"email": ada.email, "password": f"{PASSWORD}x"})
            assert (again.status_code, again.json()["code"]) == (401, "invalid_credentials")
            wrong = ada.pay("/transactions/transfer", {"to": chidi.email, "amount": "1.00", "pin": "9999"})
            assert (wrong.status_code, wrong.json()["attempts_left"]) == (403, 4)
            assert within(QUICKLY_S, lambda: ada.transfer(chidi, "1.00")).status_code == 201
        wrong = ada.pay("/transactions/transfer", {"to": chidi.email, "amount": "1.00", "pin": "9999"})
        assert wrong.json()["attempts_left"] == 4
        assert (ada.balance(), chidi.balance()) == ("99.00", "1.00")

    @BOTH_WAYS
    def test_money_comes_in_without_it(self, stack: Stack, servers: Servers, how: How) -> None:
        ada = stack.person()
        with gone(servers.cache, how):
            intent = begin(ada, "300.00")
            assert intent["checkout_url"]
            click(intent["checkout_url"])
            swept(stack, lambda: ada.balance() == "300.00", "the payment is credited")
        assert fundings(ada) == [("completed", "in", "300.00")]


def test_a_worker_with_a_message_in_hand_outlives_its_broker(stack: Stack, servers: Servers) -> None:
    ada, pids = stack.person(), stack.worker.pids
    with paused(stack, "payments.vendor_answered") as is_reached:
        intent = begin(ada, "300.00", wait_s=0)
        is_reached()
        with gone(servers.broker, "killed"):
            time.sleep(1.0)
    eventually(lambda: bool(intent_of(ada, intent["id"])["checkout_url"]), "the task is done")
    stack.person("Chidi", tier=0).pass_kyc()
    assert stack.worker.pids == pids
