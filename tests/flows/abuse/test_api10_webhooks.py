"""API10, unsafe consumption of APIs: webhooks that are forged, repeated, broken, or say what is not so."""

import base64
import hashlib
import hmac
import json
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings

from tests.clients import eventually
from tests.flows.abuse.cast import Cast
from tests.flows.abuse.conftest import Refusals
from tests.flows.abuse.fingerprint import Fingerprint
from tests.flows.abuse.wire import Answer, Wire, check_manners, check_problem
from tests.flows.checkout import all_told
from tests.stack import WEBHOOK_TOKEN, Stack

PAYSTACK = "/payments/webhooks/paystack"
VTPASS = "/payments/webhooks/vtpass"
INBOX = ("payments_webhookevent",)
LIMIT = 1_000_000


def signature(raw: bytes, key: str = "") -> str:
    """Sign bytes as Paystack does."""
    secret = key or settings.PAYSTACK_SECRET_KEY
    return hmac.new(secret.encode(), raw, hashlib.sha512).hexdigest()


def charge(
    reference: str, *, amount: Any = 500_000, currency: Any = "NGN", event_id: int = 0, **more: Any
) -> bytes:
    """Write a ``charge.success`` event over an amount in kobo."""
    data = {
        "id": event_id or uuid4().int >> 96,
        "reference": reference,
        "amount": amount,
        "currency": currency,
    }
    return json.dumps({"event": "charge.success", "data": {"status": "success", **data, **more}}).encode()


@pytest.fixture
def deliver(wire: Wire) -> Any:
    """Deliver a signed webhook and return the answer."""

    def send(raw: bytes) -> Answer:
        answer = wire.send(
            "POST", f"/api/v1{PAYSTACK}", raw=raw, headers={"x-paystack-signature": signature(raw)}
        )
        check_manners(answer)
        return answer

    return send


def wait_until_read(stack: Stack) -> None:
    """Wait until a worker has looked at every stored event."""
    waiting = "SELECT 1 FROM payments_webhookevent WHERE status = 'received' AND checks = 0"
    eventually(lambda: not stack.sql(waiting), "every event was looked at")


def attempt_of(stack: Stack, intent_id: str) -> str:
    """Return our reference at the gateway."""
    rows = stack.sql("SELECT reference FROM payments_checkoutattempt WHERE intent_id = %s", intent_id)
    return str(rows[0]["reference"])


class TestSignatures:
    def test_10_01_no_signature_but_the_right_one(self, refused: Refusals) -> None:
        raw = charge("FND-nobody.1")
        right = signature(raw)
        digest = hmac.new(settings.PAYSTACK_SECRET_KEY.encode(), raw, hashlib.sha512).digest()
        wrong = [
            "", "0", right[:-1], right + "0", right[:64], right.upper(), right[::-1], base64.b64encode(digest).decode(),
            f"sha512={right}", f"{right},{right}", f"x {right}", "0" * 128, signature(raw + b"\n"), signature(b""),
            signature(raw, "sk_test_another"), signature(raw, " "), hashlib.sha512(raw).hexdigest(),
            hmac.new(settings.PAYSTACK_SECRET_KEY.encode(), raw, hashlib.sha256).hexdigest(), "é" * 64, "null", "None",
        ]  # fmt: skip
        for given in wrong:
            headers = {"x-paystack-signature": given}
            refused(
                "nobody", "POST", PAYSTACK, raw=raw, headers=headers, status=401, code="invalid_signature"
            )

    @pytest.mark.parametrize("name", ["x-signature", "verif-hash", "authorization", "x-paystack-signature-2"])
    def test_10_01_nor_under_another_name(self, refused: Refusals, name: str) -> None:
        raw = charge("FND-nobody.1")
        headers = {name: signature(raw)}
        refused("nobody", "POST", PAYSTACK, raw=raw, headers=headers, status=401, code="invalid_signature")

    def test_10_01_a_signature_covers_every_byte(self, refused: Refusals) -> None:
        raw = charge("FND-nobody.1")
        headers = {"x-paystack-signature": signature(raw)}
        for other in (
            raw + b" ",
            b" " + raw,
            raw.replace(b"500000", b"500001"),
            raw.replace(b": ", b":"),
            b"",
            b"{}",
        ):
            refused(
                "nobody", "POST", PAYSTACK, raw=other, headers=headers, status=401, code="invalid_signature"
            )

    def test_10_01_being_signed_in_is_no_signature(self, refused: Refusals) -> None:
        for who in ("ada", "staff"):
            refused(who, "POST", PAYSTACK, raw=charge("FND-nobody.1"), status=401, code="invalid_signature")

    @pytest.mark.parametrize(
        "token",
        [
            "x",
            WEBHOOK_TOKEN[:-1],
            WEBHOOK_TOKEN + "x",
            WEBHOOK_TOKEN.upper(),
            "%C3%A9",
            "null",
            "..",
            f"{WEBHOOK_TOKEN}%20",
        ],
    )
    def test_10_01_a_wrong_address_of_vtpass_is_not_there(self, refused: Refusals, token: str) -> None:
        raw = b'{"type":"transaction-update","data":{"requestId":"x"}}'
        refused("nobody", "POST", f"{VTPASS}/{token}", raw=raw, status=404, code="not_found")

    @pytest.mark.parametrize("path", [PAYSTACK, f"{VTPASS}/{WEBHOOK_TOKEN}"])
    def test_10_01_a_webhook_has_a_measure(self, refused: Refusals, path: str) -> None:
        raw = b'{"a":"%s"}' % (b"x" * LIMIT)
        headers = {"x-paystack-signature": signature(raw)}
        refused("nobody", "POST", path, raw=raw, headers=headers, status=413, code="payload_too_large")


class TestSignedNonsense:
    @pytest.mark.parametrize(
        "raw",
        [b"", b"{", b"null", b"[]", b"5", b'"x"', b"\xff\xfe", b"\x00", b'{"a":"\x00"}', b"{}", b'{"event":5}',
         b'{"event":"charge.success"}', b'{"event":"charge.success","data":null}',
         b'{"event":"charge.success","data":[]}',
         b'{"event":"charge.success","data":{}}', b'{"event":"charge.success","data":{"reference":5}}',
         b'{"event":"charge.success","data":{"reference":"\\u0000"}}',
         b'{"event":"charge.success","data":{"reference":null}}',
         b'{"event":"charge.success","data":{"reference":"\\ud800"}}', b'{"event":"x\\u0000","data":{"id":1}}',
         b'{"event":"charge.success","data":{"reference":"' + b"x" * 5_000 + b'","id":1}}',
         b'{"event":"' + b"x" * 5_000 + b'","data":{"id":1}}', b'{"event":"charge.success","data":{"id":1e400}}',
         b'{"event":"charge.success","data":{"id":' + b"9" * 5_000 + b"}}", b"[" * 20_000, b'{"a":' * 20_000,
         b'{"event":"charge.success","event":"charge.failed","data":{"id":2,"id":3}}', b"<xml/>", b"a=1&b=2",
         b'{"event":{"a":1},"data":{"reference":{"a":1}}}', b'{"event":"charge.success","data":{"id":{"a":[1]}}}'],
        ids=lambda raw: ascii(raw[:40]),
    )  # fmt: skip
    @pytest.mark.parametrize("vendor", ["paystack", "vtpass"])
    def test_10_07_what_cannot_be_read_moves_nothing(
        self, wire: Wire, stack: Stack, watch: Fingerprint, vendor: str, raw: bytes
    ) -> None:
        path = PAYSTACK if vendor == "paystack" else f"{VTPASS}/{WEBHOOK_TOKEN}"
        with watch.unchanged(but=INBOX):
            answer = wire.send(
                "POST", f"/api/v1{path}", raw=raw, headers={"x-paystack-signature": signature(raw)}
            )
            check_manners(answer)
            assert answer.status in {200, 400}, answer
            wait_until_read(stack)


class TestSignedUntruths:
    def test_10_07_an_unknown_reference_credits_nobody(
        self, cast: Cast, stack: Stack, watch: Fingerprint, deliver: Any
    ) -> None:
        references = [
            "FND-nobody.1",
            cast.facts["ada_intent"],
            cast.ada.email,
            cast.facts["ada_wallet"],
            "",
            "1",
            "x" * 100,
        ]
        with watch.unchanged(but=INBOX):
            for reference in references:
                assert deliver(charge(reference)).status == 200
            wait_until_read(stack)

    def test_10_07_what_the_gateway_does_not_confirm_is_not_credited(
        self, cast: Cast, stack: Stack, watch: Fingerprint, deliver: Any
    ) -> None:
        intent = cast.ada.pay("/wallet/fund", {"amount": "5000.00"}).json()
        reference = attempt_of(stack, intent["id"])
        watch.settle()
        before = cast.ada.balance()
        assert deliver(charge(reference)).status == 200
        wait_until_read(stack)
        watch.settle()
        assert cast.ada.balance() == before
        assert cast.ada.get(f"/payments/intents/{intent['id']}").json()["status"] != "succeeded"

    def test_10_05_the_same_event_with_another_amount_credits_once(
        self, cast: Cast, stack: Stack, watch: Fingerprint, deliver: Any
    ) -> None:
        intent = cast.ada.fund("1000.00")
        reference = attempt_of(stack, intent["id"])
        all_told(stack, cast.ada)
        watch.settle()
        with watch.unchanged(but=INBOX):
            for amount in (100_000, 999_999_900, 1, 0, -100_000, "100000", 1000.5, None, True):
                assert deliver(charge(reference, amount=amount, event_id=77)).status == 200
                wait_until_read(stack)

    @pytest.mark.parametrize("currency", ["USD", "ngn", "XXX", "", None, 566])
    def test_10_09_another_currency_credits_nothing_more(
        self, cast: Cast, stack: Stack, watch: Fingerprint, deliver: Any, currency: Any
    ) -> None:
        reference = attempt_of(stack, cast.facts["ada_intent"])
        with watch.unchanged(but=INBOX):
            assert deliver(charge(reference, currency=currency)).status == 200
            wait_until_read(stack)

    def test_10_05_a_repeat_is_received_again_and_stored_once(
        self, stack: Stack, watch: Fingerprint, deliver: Any
    ) -> None:
        raw = charge(f"FND-{uuid4().hex}.1")
        with watch.unchanged(but=INBOX):
            assert [deliver(raw).status for _ in range(5)] == [200] * 5
            wait_until_read(stack)
        digest = hashlib.sha256(raw).hexdigest()
        assert len(stack.sql("SELECT 1 FROM payments_webhookevent WHERE body_sha256 = %s", digest)) == 1

    @pytest.mark.parametrize("status", ["delivered", "failed", "reversed", "refunded", "pending"])
    def test_10_07_a_hint_about_a_paid_bill_or_about_none_moves_nothing(
        self, cast: Cast, wire: Wire, stack: Stack, watch: Fingerprint, status: str
    ) -> None:
        """It is a reason to ask the vendor, whose word stands."""
        payment = cast.facts["ada_payment"]
        rows = stack.sql("SELECT vendor_reference FROM billers_billattempt WHERE payment_id = %s", payment)
        with watch.unchanged(but=INBOX):
            for reference in (rows[0]["vendor_reference"], payment, "202611210000nobody", ""):
                transaction = {"status": status, "amount": 1_000_000, "unique_element": "1111000000000"}
                data = {"code": "000", "requestId": reference, "content": {"transactions": transaction}}
                body = {"type": "transaction-update", "data": data}
                answer = wire.send("POST", f"/api/v1{VTPASS}/{WEBHOOK_TOKEN}", body)
                check_manners(answer)
                assert (answer.status, answer.json()) == (200, {"response": "success"})
            wait_until_read(stack)
        assert cast.ada.get(f"/bills/payments/{payment}").json()["status"] == "completed"

    def test_10_07_a_gateway_that_is_none_is_not_there(self, wire: Wire) -> None:
        for name in ("flutterwave", "stripe", "vtpass", "paystack2", "Paystack", "..%2fpaystack", "sandbox"):
            raw = charge("x")
            answer = wire.send("POST", f"/api/v1/payments/webhooks/{name}", raw=raw)
            check_problem(answer, 404, "not_found")
