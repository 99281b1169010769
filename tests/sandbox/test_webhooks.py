"""Webhooks: what is sent, how it is signed, when it is sent again, and every way it can go wrong."""

import hashlib
import hmac
import json
from typing import Any

import pytest

from sandbox.paystack.webhooks import sign
from tests.sandbox.actors import SECRET_KEY, Merchant, Received, Receiver, eventually


def signature(body: bytes, key: str = SECRET_KEY) -> str:
    return hmac.new(key.encode(), body, hashlib.sha512).hexdigest()


def pay(merchant: Merchant, reference: str, **more: Any) -> None:
    merchant.initialize(reference, **more)
    merchant.control("paystack/pay", reference=reference, outcome="success")


def references(received: list[Received]) -> list[str]:
    return [json.loads(hook.body)["data"]["reference"] for hook in received]


class TestSignature:
    def test_it_agrees_with_the_known_vector(self) -> None:
        body = b'{"event":"charge.success","data":{"id":1,"reference":"r1"}}'

        assert sign("sk_test_0123456789abcdef", body) == (
            "1fb715f15ce0aae90e3abc3d7072185149bd5622c9b9bb2b1d48c70a2e8a0a75"
            "d87b2eac2f144f070ce254a5662ac297a7514e570f3546e65fcc663da072e8e7"
        )

    def test_a_success_is_signed_over_the_bytes_sent(self, merchant: Merchant, inbox: Receiver) -> None:
        pay(merchant, "wal-1", metadata={"name": "Ọlá / Ada"})

        hook = inbox.wait_for(1)[0]

        event = json.loads(hook.body)
        assert hook.headers["x-paystack-signature"] == signature(hook.body)
        assert event["event"] == "charge.success"
        assert event["data"]["id"] == merchant.verify().json()["data"]["id"]
        assert event["data"]["metadata"] == {"name": "Ọlá / Ada"}

    def test_the_key_that_initialised_signs(self, merchant: Merchant, inbox: Receiver) -> None:
        merchant.bearer = {"Authorization": "Bearer sk_test_rotated"}
        pay(merchant, "wal-1")

        hook = inbox.wait_for(1)[0]

        assert hook.headers["x-paystack-signature"] == signature(hook.body, "sk_test_rotated")

    @pytest.mark.parametrize("outcome", ["declined", "abandoned"])
    def test_nothing_is_sent_unless_somebody_paid(
        self, merchant: Merchant, inbox: Receiver, outcome: str
    ) -> None:
        merchant.initialize()
        merchant.control("paystack/pay", reference="wal-1", outcome=outcome)

        assert merchant.deliveries() == []


class TestRetries:
    def test_anything_but_200_is_tried_again(self, merchant: Merchant, inbox: Receiver) -> None:
        inbox.answers = [(500, b""), (302, b""), (200, b"")]
        pay(merchant, "wal-1")
        for tries in (1, 2):
            inbox.wait_for(tries)
            eventually(lambda tries=tries: merchant.deliveries()[0]["attempts"] == tries)
            merchant.control("clock", advance_s=3)

        bodies = {hook.body for hook in inbox.wait_for(3)}

        assert len(bodies) == 1
        eventually(lambda: merchant.delivery_states() == ["delivered"])

    def test_paystack_gives_up_after_ten_hourly_tries(self, merchant: Merchant, inbox: Receiver) -> None:
        inbox.answers = [(500, b"")]
        pay(merchant, "wal-1")

        for tries in range(1, 14):
            eventually(lambda tries=tries: merchant.deliveries()[0]["attempts"] == tries)
            assert merchant.delivery_states() == ["pending"]
            merchant.control("clock", advance_s=3600)

        eventually(lambda: merchant.delivery_states() == ["given_up"])
        assert len(inbox.received) == 14

    def test_vtpass_wants_its_word_of_receipt_and_tries_five_times(
        self, merchant: Merchant, inbox: Receiver
    ) -> None:
        inbox.answers = [(200, b'{"response": "thanks"}')]
        order = merchant.order()
        merchant.vtpass("pay", **order)
        merchant.control("vtpass/resolve", request_id=order["request_id"], outcome="reversed")

        for tries in range(1, 5):
            eventually(lambda tries=tries: merchant.deliveries()[0]["attempts"] == tries)
            merchant.control("clock", advance_s=60)

        eventually(lambda: merchant.delivery_states() == ["given_up"])
        assert len(inbox.received) == 5
        assert "x-paystack-signature" not in inbox.received[0].headers

    def test_vtpass_stops_at_its_word_of_receipt(self, merchant: Merchant, inbox: Receiver) -> None:
        inbox.answers = [(200, b'{"response":"success"}')]
        order = merchant.order()
        merchant.vtpass("pay", **order)
        merchant.control("vtpass/resolve", request_id=order["request_id"], outcome="reversed")

        eventually(lambda: merchant.delivery_states() == ["delivered"])

    def test_a_receiver_that_is_not_there_is_noted(self, merchant: Merchant) -> None:
        merchant.control("webhooks", vendor="paystack", url="http://127.0.0.1:9/nobody")
        pay(merchant, "wal-1")

        eventually(lambda: merchant.deliveries()[0]["attempts"] == 1)

        assert "ConnectError" in merchant.deliveries()[0]["error"]

    def test_a_delivery_can_be_sent_again_by_hand(self, merchant: Merchant, inbox: Receiver) -> None:
        pay(merchant, "wal-1")
        inbox.wait_for(1)
        first = merchant.deliveries()[0]["id"]

        assert merchant.control(f"deliveries/{first}/resend")["id"] > first

        one, two = inbox.wait_for(2)
        assert (one.body, one.headers["x-paystack-signature"]) == (
            two.body,
            two.headers["x-paystack-signature"],
        )

    def test_without_an_address_it_is_kept_but_not_sent(self, merchant: Merchant) -> None:
        pay(merchant, "wal-1")

        assert merchant.delivery_states() == ["unrouted"]


class TestWebhookFaults:
    def test_drop(self, merchant: Merchant, inbox: Receiver) -> None:
        merchant.fault("paystack", "webhook", "webhook_drop", match={"reference": "wal-1"})
        pay(merchant, "wal-1")
        pay(merchant, "wal-2")

        assert references(inbox.wait_for(1)) == ["wal-2"]
        assert merchant.delivery_states()[0] == "dropped"

    def test_delay(self, merchant: Merchant, inbox: Receiver) -> None:
        merchant.fault("paystack", "webhook", "webhook_delay", seconds=3600)
        pay(merchant, "wal-1")
        pay(merchant, "wal-2")

        assert references(inbox.wait_for(1)) == ["wal-2"]
        merchant.control("clock", advance_s=3600)
        assert references(inbox.wait_for(2)) == ["wal-2", "wal-1"]

    def test_duplicate(self, merchant: Merchant, inbox: Receiver) -> None:
        merchant.fault("paystack", "webhook", "webhook_duplicate")
        pay(merchant, "wal-1")

        one, two = inbox.wait_for(2)

        assert one.body == two.body

    def test_reorder(self, merchant: Merchant, inbox: Receiver) -> None:
        merchant.fault("paystack", "webhook", "webhook_reorder", seconds=3600)
        pay(merchant, "wal-1")
        pay(merchant, "wal-2")

        assert references(inbox.wait_for(2)) == ["wal-2", "wal-1"]

    def test_bad_signature(self, merchant: Merchant, inbox: Receiver) -> None:
        merchant.fault("paystack", "webhook", "webhook_bad_signature")
        pay(merchant, "wal-1")

        hook = inbox.wait_for(1)[0]

        assert len(hook.headers["x-paystack-signature"]) == 128
        assert hook.headers["x-paystack-signature"] != signature(hook.body)

    def test_before_the_answer_of_initialize(self, merchant: Merchant, inbox: Receiver) -> None:
        merchant.fault("paystack", "initialize", "webhook_before_answer")

        response = merchant.initialize("wal-1")

        assert response.json()["status"] is True
        assert references(inbox.received) == ["wal-1"]
        assert merchant.verify().json()["data"]["status"] == "success"

    def test_before_the_answer_of_pay_it_ends_a_pending_order(
        self, merchant: Merchant, inbox: Receiver
    ) -> None:
        merchant.fault("vtpass", "pay", "webhook_before_answer")

        answer = merchant.vtpass("pay", **merchant.order("2010000000000")).json()

        assert answer["content"]["transactions"]["status"] == "pending"
        told = json.loads(inbox.received[0].body)
        assert told["data"]["content"]["transactions"]["status"] == "delivered"

    def test_before_the_browser_is_sent_back(self, merchant: Merchant, inbox: Receiver) -> None:
        merchant.fault("paystack", "webhook", "webhook_before_answer")
        path = merchant.checkout_path(callback_url="https://app.example.com/back")

        merchant.http.post(f"{path}/act", data={"outcome": "success"})

        assert references(inbox.received) == ["wal-1"]
