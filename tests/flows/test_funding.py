"""Money in through the gateway: checkout, signed webhook, the gateway's own word, one credit."""

from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.clients import Person, eventually
from tests.flows.checkout import begin, checkouts, click, credited, fundings, intent_of
from tests.flows.crashing import swept
from tests.stack import Stack


class TestCheckout:
    def test_a_paid_checkout_is_in_the_wallet(self, stack: Stack) -> None:
        ada = stack.person()
        intent = begin(ada, "50000.00")
        assert (intent["status"], intent["amount"], intent["fee"], intent["gateway"]) == (
            "pending",
            "50000.00",
            "0.00",
            "paystack",
        )
        page = httpx2.get(intent["checkout_url"])
        assert (page.status_code, "50,000.00" in page.text, ada.email in page.text) == (200, True, True)
        assert ada.balance() == "0.00"
        click(intent["checkout_url"])
        paid = credited(ada, intent["id"])
        assert (paid["is_final"], paid["next_poll_at"]) == (True, None)
        wallet = ada.wallet()
        assert (wallet["balance"], wallet["held"], wallet["available"]) == ("50000.00", "0.00", "50000.00")
        lines = ada.get(f"/transactions/{paid['transaction_id']}/entries").json()["results"]
        told = [(line["account"], line["direction"], line["amount"], line["balance_after"]) for line in lines]
        assert told == [
            ("gateway_clearing:paystack", "debit", "50000.00", None),
            ("wallet:main", "credit", "50000.00", "50000.00"),
        ]
        eventually(lambda: "funding.succeeded" in self.messages(ada), "the owner is told")

    @staticmethod
    def messages(person: Person) -> list[str]:
        return [message["type"] for message in person.get("/notifications").json()["results"]]

    def test_our_books_and_the_gateways_agree(self, stack: Stack) -> None:
        ada = stack.person()
        intent = begin(ada, "1234.56")
        click(intent["checkout_url"])
        credited(ada, intent["id"])
        theirs = checkouts(stack, intent["reference"])
        assert [(found["status"], found["amount"], found["payments"]) for found in theirs] == [
            ("success", 123456, 1)
        ]
        ours = stack.sql(
            "SELECT vendor_payment_id, amount::text, state FROM payments_payment WHERE intent_id = %s",
            intent["id"],
        )
        assert ours == [
            {"vendor_payment_id": str(theirs[0]["id"]), "amount": "1234.5600", "state": "credited"}
        ]

    def test_a_repeat_with_the_same_key_is_the_same_intent(self, stack: Stack) -> None:
        ada, key = stack.person(), str(uuid4())
        first = begin(ada, "10.00", key=key)
        again = ada.pay("/payments/intents", {"amount": "10.00"}, key=key)
        assert (again.status_code, again.json()["id"]) == (201, first["id"])
        assert again.headers["Idempotent-Replayed"] == "true"
        assert len(ada.get("/payments/intents").json()["results"]) == 1
        assert len(checkouts(stack, first["reference"])) == 1

    def test_a_declined_card_may_be_followed_by_a_paid_one(self, stack: Stack) -> None:
        ada = stack.person()
        intent = begin(ada, "300.00")
        click(intent["checkout_url"], "declined")
        ada.post(f"/payments/intents/{intent['id']}/verify")
        after = intent_of(ada, intent["id"])
        assert (after["is_final"], fundings(ada), ada.balance()) == (False, [], "0.00")
        click(intent["checkout_url"])
        credited(ada, intent["id"])
        assert ada.balance() == "300.00"

    def test_a_cancelled_intent_is_credited_when_it_is_paid_after_all(self, stack: Stack) -> None:
        ada = stack.person()
        intent = begin(ada, "300.00")
        cancelled = ada.post(f"/payments/intents/{intent['id']}/cancel")
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
        click(intent["checkout_url"])
        credited(ada, intent["id"])
        assert fundings(ada) == [("completed", "in", "300.00")]


class TestGateway:
    def test_a_webhook_that_never_comes_is_made_up_for_by_asking(self, stack: Stack) -> None:
        ada = stack.person()
        intent = begin(ada, "300.00")
        drop = {"reference": intent["reference"]}
        stack.fault("paystack", "webhook", "webhook_drop", times=None, match=drop)
        click(intent["checkout_url"])
        assert ada.balance() == "0.00"
        asked = ada.post(f"/payments/intents/{intent['id']}/verify")
        assert (asked.status_code, asked.json()["status"]) == (200, "succeeded")
        assert ada.balance() == "300.00"

    @pytest.mark.parametrize("kind", ["webhook_duplicate", "webhook_delay", "webhook_bad_signature"])
    def test_whatever_happens_to_its_webhook_it_is_credited_once(self, stack: Stack, kind: str) -> None:
        ada = stack.person()
        intent = begin(ada, "300.00")
        more = {"seconds": 1} if kind == "webhook_delay" else {}
        stack.fault("paystack", "webhook", kind, match={"reference": intent["reference"]}, **more)
        click(intent["checkout_url"])
        ada.post(f"/payments/intents/{intent['id']}/verify")
        credited(ada, intent["id"])
        assert (ada.balance(), fundings(ada)) == ("300.00", [("completed", "in", "300.00")])

    def test_a_checkout_that_could_not_be_started_is_started_again(self, stack: Stack) -> None:
        """Whatever the gateway did the first time: one of its checkouts gets paid, and that one is credited."""

        def has_link(one: tuple[Person, dict[str, Any]]) -> bool:
            return bool(intent_of(one[0], one[1]["id"])["checkout_url"])

        started = {}
        for kind in ("timeout_before", "timeout_after", "error_before", "error_after", "reset", "garbage"):
            ada = stack.person()
            stack.fault("paystack", "initialize", kind, match={"email": ada.email})
            started[kind] = (ada, begin(ada, "300.00", wait_s=0))
        swept(stack, lambda: all(map(has_link, started.values())), "every checkout is there")
        for ada, intent in started.values():
            click(intent_of(ada, intent["id"])["checkout_url"])
        for kind, (ada, intent) in started.items():
            credited(ada, intent["id"])
            assert fundings(ada) == [("completed", "in", "300.00")], kind
            assert sum(found["payments"] for found in checkouts(stack, intent["reference"])) == 1, kind


class TestDoor:
    BODY = b'{"event":"charge.success","data":{"id":1,"reference":"FND-1.1","amount":100000000}}'

    @pytest.mark.parametrize(
        "headers", [{}, {"x-paystack-signature": "0" * 128}, {"x-paystack-signature": "nonsense"}]
    )
    def test_a_webhook_without_the_right_signature_is_refused_and_not_stored(
        self, stack: Stack, headers: dict[str, str]
    ) -> None:
        before = stack.sql("SELECT count(*) FROM payments_webhookevent")
        answer = httpx2.post(
            f"{stack.address}/api/v1/payments/webhooks/paystack", content=self.BODY, headers=headers
        )
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")
        assert stack.sql("SELECT count(*) FROM payments_webhookevent") == before
