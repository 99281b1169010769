"""The broker or the cache is down or frozen, one without the other: money moves, the rest is late (W8, W9)."""

import time
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.clients import PASSWORD, Person, eventually
from tests.flows.checkout import begin, click, fundings, intent_of
from tests.flows.crashing import paused, swept
from tests.flows.fragile import Fragile, How, gone, within
from tests.stack import Stack

BOTH_WAYS = pytest.mark.parametrize("how", ["killed", "frozen"])
QUICKLY_S = 4.0


@pytest.fixture(scope="module")
def stack(fragile: Fragile) -> Stack:
    """The stack that has a Valkey for the cache and one for the broker."""
    return fragile.stack


def told(person: Person, kind: str) -> bool:
    """Say whether somebody has a message of this kind."""
    return kind in {message["type"] for message in person.get("/notifications").json()["results"]}


class TestBrokerGone:
    @BOTH_WAYS
    def test_money_moves_and_the_rest_follows(self, stack: Stack, fragile: Fragile, how: How) -> None:
        """A transfer is done at once; a checkout and a webhook are stored, and acted on when the broker is back."""
        ada, bola, chidi = stack.person(funds="100.00"), stack.person("Bola"), stack.person("Chidi")
        open_checkout = begin(ada, "300.00")
        with gone(fragile.broker, how):
            sent = within(QUICKLY_S, lambda: ada.transfer(chidi, "40.00"))
            assert sent.status_code == 201, sent.text
            assert (ada.balance(), chidi.balance()) == ("60.00", "40.00")
            new_checkout = within(QUICKLY_S, lambda: self.fund(bola))
            assert (new_checkout.status_code, new_checkout.json()["checkout_url"]) == (202, None)
            click(open_checkout["checkout_url"])
            eventually(
                lambda: self.delivery(stack, open_checkout)["status"] == "delivered", "the webhook is taken"
            )
            assert ada.balance() == "60.00"
        swept(stack, lambda: told(chidi, "transfer.received"), "the receiver is told")
        swept(stack, lambda: ada.balance() == "360.00", "the payment is credited")
        assert self.delivery(stack, open_checkout)["attempts"] == 1
        path = new_checkout.json()["id"]
        swept(stack, lambda: bool(intent_of(bola, path)["checkout_url"]), "the checkout is started")
        click(intent_of(bola, path)["checkout_url"])
        swept(stack, lambda: bola.balance() == "300.00", "the payment is credited")
        assert fundings(bola) == [("completed", "in", "300.00")]

    @staticmethod
    def fund(person: Person) -> httpx2.Response:
        headers = {"Prefer": "wait=0"}
        return person.call("POST", "/wallet/fund", {"amount": "300.00"}, key=str(uuid4()), headers=headers)

    @staticmethod
    def delivery(stack: Stack, intent: dict[str, Any]) -> dict[str, Any]:
        sent = stack.control("GET", "deliveries")["deliveries"]
        return next(found for found in sent if found["subject"] == f"{intent['reference']}.1")

    def test_health_names_the_broker_alone(self, stack: Stack, fragile: Fragile) -> None:
        stack.sweep()
        with gone(fragile.broker, "killed"):
            answer = within(QUICKLY_S, lambda: httpx2.get(f"{stack.address}/health/detailed", timeout=10))
            checks = answer.json()["checks"]
            assert (answer.status_code, checks["broker"]["ok"]) == (503, False)
            assert (checks["cache"]["ok"], checks["database"]["ok"]) == (True, True)
            assert httpx2.get(f"{stack.address}/readyz").status_code == 200


class TestCacheGone:
    @BOTH_WAYS
    def test_signing_in_and_pins_do_not_need_it(self, stack: Stack, fragile: Fragile, how: How) -> None:
        ada, chidi = stack.person(funds="100.00"), stack.person("Chidi")
        with gone(fragile.cache, how):
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
    def test_money_comes_in_without_it(self, stack: Stack, fragile: Fragile, how: How) -> None:
        ada = stack.person()
        with gone(fragile.cache, how):
            intent = begin(ada, "300.00")
            assert intent["checkout_url"]
            click(intent["checkout_url"])
            swept(stack, lambda: ada.balance() == "300.00", "the payment is credited")
        assert fundings(ada) == [("completed", "in", "300.00")]


def test_a_worker_with_a_message_in_hand_outlives_its_broker(stack: Stack, fragile: Fragile) -> None:
    ada, pids = stack.person(), stack.worker.pids
    with paused(stack, "payments.vendor_answered") as is_reached:
        intent = begin(ada, "300.00", wait_s=0)
        is_reached()
        with gone(fragile.broker, "killed"):
            time.sleep(1.0)
    eventually(lambda: bool(intent_of(ada, intent["id"])["checkout_url"]), "the task is done")
    stack.person("Chidi", tier=0).pass_kyc()
    assert stack.worker.pids == pids
