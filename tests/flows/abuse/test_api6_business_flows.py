"""API6, unrestricted access to sensitive business flows: keys used again, receivers and senders that may not."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.flows.abuse.cast import CANARY_PIN, Cast, Customer
from tests.flows.abuse.conftest import Refusals
from tests.flows.abuse.fingerprint import Fingerprint
from tests.flows.abuse.tables import MONEY
from tests.flows.abuse.wire import Wire
from tests.stack import Stack

TRANSFER = "/transactions/transfer"


class TestKeys:
    def test_6_04_a_key_belongs_to_one_body(self, cast: Cast, refused: Refusals, watch: Fingerprint) -> None:
        key = str(uuid4())
        body = {"to": cast.bola.email, "amount": "3.00", "pin": CANARY_PIN}
        assert cast.ada.pay(TRANSFER, body, key=key).status_code == 201
        watch.settle()
        for change in (
            {"amount": "4.00"},
            {"to": "{nneka_email}"},
            {"description": "x"},
            {"metadata": {"a": "1"}},
        ):
            refused(
                "ada", "POST", TRANSFER, {**body, **change}, headers={"Idempotency-Key": key},
                status=422, code="idempotency_key_reused",
            )  # fmt: skip

    def test_6_04_the_same_again_answers_alike_for_any_agent_and_needs_no_pin(
        self, cast: Cast, wire: Wire, watch: Fingerprint
    ) -> None:
        key = str(uuid4())
        body = {"to": cast.bola.email, "amount": "3.00"}
        first = cast.ada.pay(TRANSFER, {**body, "pin": CANARY_PIN}, key=key)
        watch.settle()
        for sent in (
            {**body, "pin": CANARY_PIN},
            body,
            {**body, "pin": "000000"},
            dict(reversed(body.items())),
        ):
            with watch.unchanged():
                again = wire.send(
                    "POST", f"/api/v1{TRANSFER}", sent, token=cast.ada.access,
                    headers={"Idempotency-Key": key, "User-Agent": f"agent {len(sent)}"},
                )  # fmt: skip
            assert (again.status, again.json()) == (201, first.json())
            assert again.headers["Idempotent-Replayed"] == "true"

    def test_6_04_two_routes_to_one_operation_share_a_key(
        self, cast: Cast, wire: Wire, watch: Fingerprint
    ) -> None:
        key = str(uuid4())
        first = cast.ada.pay("/wallet/fund", {"amount": "101.00"}, key=key)
        assert first.status_code in {201, 202}, first.text
        watch.settle()
        with watch.unchanged():
            again = wire.send(
                "POST", "/api/v1/payments/intents", {"amount": "101.00"},
                token=cast.ada.access, headers={"Idempotency-Key": key},
            )  # fmt: skip
        assert again.json()["id"] == first.json()["id"]

    def test_6_04_another_operation_and_another_person_have_keys_of_their_own(
        self, cast: Cast, watch: Fingerprint
    ) -> None:
        key = str(uuid4())
        body = {"to": cast.nneka.email, "amount": "2.00", "pin": CANARY_PIN}
        assert cast.ada.pay(TRANSFER, body, key=key).status_code == 201
        assert cast.bola.pay(TRANSFER, body, key=key).status_code == 201
        assert cast.ada.pay("/wallet/fund", {"amount": "100.00"}, key=key).status_code in {201, 202}
        watch.settle()

    @pytest.mark.parametrize("path", sorted(MONEY))
    def test_6_04_no_key_no_money(self, refused: Refusals, path: str) -> None:
        headers = {"Idempotency-Key": ""}
        refused("ada", "POST", path, MONEY[path], headers=headers, status=400, code="idempotency_key_missing")

    @pytest.mark.parametrize("key", ["a b", "x" * 256, "k\u00e9y", "k\u00a0", "clé", "k\ty"])
    def test_6_04_a_key_is_visible_ascii(self, refused: Refusals, key: str) -> None:
        headers = {"Idempotency-Key": key}
        body = MONEY[TRANSFER]
        refused("ada", "POST", TRANSFER, body, headers=headers, status=400, code="idempotency_key_invalid")


@pytest.fixture(scope="module")
def frozen(stack: Stack, cast: Cast, watch: Fingerprint) -> Iterator[Customer]:
    """Somebody with money whose wallet staff have stopped."""
    stopped = Customer(stack.address, first_name="Hadiza")
    stopped.set_pin()
    stopped.pass_kyc()
    assert (
        cast.ada.pay(TRANSFER, {"to": stopped.email, "amount": "50.00", "pin": CANARY_PIN}).status_code == 201
    )
    wallet = stopped.get("/wallet").json()["id"]
    answer = cast.staff.post(f"/admin/wallets/{wallet}/freeze", {"reason": "suspected fraud"})
    assert answer.status_code == 200, answer.text
    watch.settle()
    yield stopped
    stopped.close()


class TestReceiversAndSenders:
    def test_6_10_nobody_pays_a_frozen_wallet(self, refused: Refusals, frozen: Customer) -> None:
        body = {"to": frozen.email, "amount": "1.00", "pin": "{pin}"}
        refused("ada", "POST", TRANSFER, body, status=422, code="recipient_cannot_receive")

    def test_6_10_a_frozen_wallet_pays_nobody(self, refused: Refusals, frozen: Customer) -> None:
        refused(
            "nobody", "POST", TRANSFER, MONEY[TRANSFER], token=frozen.access, status=403, code="wallet_frozen"
        )

    @pytest.mark.parametrize(
        ("to", "status", "code"),
        [
            ("nobody.at.all@example.com", 404, "recipient_not_found"),
            ("+2348012345678", 404, "recipient_not_found"),
            ("{ada_email}", 422, "same_wallet"),
        ],
    )
    def test_6_10_receivers_that_are_none(self, refused: Refusals, to: str, status: int, code: str) -> None:
        refused(
            "ada", "POST", TRANSFER, {"to": to, "amount": "1.00", "pin": "{pin}"}, status=status, code=code
        )

    def test_6_10_an_unverified_sender_sends_nothing(
        self, stack: Stack, cast: Cast, refused: Refusals, watch: Fingerprint
    ) -> None:
        unknown = Customer(stack.address, first_name="Ini")
        unknown.set_pin()
        body = {"to": unknown.email, "amount": "5.00", "pin": CANARY_PIN}
        assert cast.ada.pay(TRANSFER, body).status_code == 201
        watch.settle()
        refused(
            "nobody", "POST", TRANSFER, MONEY[TRANSFER], token=unknown.access, status=403, code="kyc_required"
        )
        unknown.close()

    @pytest.mark.parametrize("amount", ["45000.00", "999999999999999.00"])
    def test_6_10_more_than_there_is(self, refused: Refusals, amount: str) -> None:
        body = {**MONEY[TRANSFER], "amount": amount}
        refused("ada", "POST", TRANSFER, body, status=422, code="insufficient_funds")
