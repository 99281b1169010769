"""API6, unrestricted access to sensitive business flows: bills, their quotes, their end, and what they earn."""

from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from fintech_core.ids import uuid7
from tests.clients import eventually
from tests.flows.abuse.cast import CANARY_PIN, Cast, Customer
from tests.flows.abuse.conftest import Refusals
from tests.flows.abuse.fingerprint import Fingerprint
from tests.flows.abuse.tables import BILL
from tests.flows.abuse.wire import Wire
from tests.flows.billing import DELIVERED, REFUSED, bookings, deliveries, meter, payment_of
from tests.flows.crashing import paused, swept
from tests.flows.parallel import at_once
from tests.stack import WEBHOOK_TOKEN, Stack

PAY, OTHER = "/bills/pay", "/payments/pay-bill"
VALIDATE = "/bills/validate"
LIES = ("failed", "reversed", "delivered", "pending", "refunded")


def bill(customer_id: str, amount: str = "500.00", **changes: Any) -> dict[str, Any]:
    """Return the body of a bill that is good."""
    return {**BILL, "customer_id": customer_id, "amount": amount, "pin": CANARY_PIN, **changes}


def begin(customer: Customer, body: dict[str, Any], *, key: str | None = None) -> httpx2.Response:
    """Pay without waiting for the outcome."""
    return customer.call("POST", PAY, body, key=key or str(uuid4()), headers={"Prefer": "wait=0"})


class TestKeys:
    def test_6_04_a_key_belongs_to_one_bill(self, cast: Cast, refused: Refusals, watch: Fingerprint) -> None:
        key, body = str(uuid4()), bill(meter(DELIVERED))
        assert cast.ada.pay(PAY, body, key=key).status_code == 201
        watch.settle()
        changes = [
            {"amount": "501.00"}, {"customer_id": meter(DELIVERED)}, {"product": "postpaid"},
            {"biller": "eko-electric"}, {"phone": "+2348022222222"}, {"allow_duplicate": True},
            {"quote_id": "{ada_quote}"}, {"currency": "USD"},
        ]  # fmt: skip
        for number, change in enumerate(changes):
            refused(
                "ada", "POST", (PAY, OTHER)[number % 2], {**body, **change}, headers={"Idempotency-Key": key},
                status=422, code="idempotency_key_reused",
            )  # fmt: skip

    def test_6_04_the_same_again_is_answered_alike_and_needs_no_pin(
        self, cast: Cast, wire: Wire, watch: Fingerprint, stack: Stack
    ) -> None:
        key, body = str(uuid4()), bill(meter(DELIVERED))
        first = cast.ada.pay(PAY, body, key=key).json()
        cast.secrets.add(first["token"])
        watch.settle()
        for path, pin in ((PAY, CANARY_PIN), (PAY, "000000"), (OTHER, None)):
            sent = {**body, "pin": pin} if pin else {name: body[name] for name in body if name != "pin"}
            with watch.unchanged():
                again = wire.send(
                    "POST", f"/api/v1{path}", sent, token=cast.ada.access, headers={"Idempotency-Key": key}
                )
            assert (again.status, again.json()) == (201, first)
            assert again.headers["Idempotent-Replayed"] == "true"
        assert deliveries(stack, body["customer_id"]) == 1

    def test_6_04_the_same_bill_under_another_key_is_noticed(
        self, cast: Cast, refused: Refusals, watch: Fingerprint
    ) -> None:
        body = bill(meter(DELIVERED))
        assert cast.ada.pay(PAY, body).status_code == 201
        watch.settle()
        refused("ada", "POST", OTHER, body, status=409, code="possible_duplicate")


@pytest.fixture(scope="module")
def frozen(stack: Stack, cast: Cast, watch: Fingerprint) -> Iterator[Customer]:
    """Somebody with money whose wallet staff have stopped."""
    stopped = Customer(stack.address, first_name="Halima")
    stopped.set_pin()
    stopped.pass_kyc()
    body = {"to": stopped.email, "amount": "1200.00", "pin": CANARY_PIN}
    assert cast.ada.pay("/transactions/transfer", body).status_code == 201
    wallet = stopped.get("/wallet").json()["id"]
    answer = cast.staff.post(f"/admin/wallets/{wallet}/freeze", {"reason": "suspected fraud"})
    assert answer.status_code == 200, answer.text
    watch.settle()
    yield stopped
    stopped.close()


class TestPayers:
    @pytest.mark.parametrize("path", [PAY, OTHER])
    def test_6_10_a_frozen_wallet_pays_no_bill(self, refused: Refusals, frozen: Customer, path: str) -> None:
        refused("nobody", "POST", path, BILL, token=frozen.access, status=403, code="wallet_frozen")

    def test_6_10_an_unverified_customer_pays_no_bill(
        self, stack: Stack, refused: Refusals, cast: Cast, watch: Fingerprint
    ) -> None:
        unknown = Customer(stack.address, first_name="Ini")
        unknown.set_pin()
        body = {"to": unknown.email, "amount": "1200.00", "pin": CANARY_PIN}
        assert cast.ada.pay("/transactions/transfer", body).status_code == 201
        watch.settle()
        refused("nobody", "POST", PAY, BILL, token=unknown.access, status=403, code="kyc_required")
        unknown.close()

    @pytest.mark.parametrize("amount", ["45000.00", "1000000.00"])
    def test_6_10_more_than_there_is(self, refused: Refusals, amount: str) -> None:
        refused("ada", "POST", PAY, {**BILL, "amount": amount}, status=422, code="insufficient_funds")


class TestPrices:
    """What a bill costs is the catalogue's and the vendor's word, never the client's."""

    @pytest.mark.parametrize("path", [PAY, OTHER, VALIDATE])
    @pytest.mark.parametrize(
        ("biller", "product", "amount"),
        [("mtn-data", "mtn-10mb-100", "1.00"), ("mtn-data", "mtn-10mb-100", "100.01"), ("dstv", "dstv-padi", "0.01"),
         ("ikeja-electric", "prepaid", "0.01"), ("ikeja-electric", "prepaid", "499.99"),
         ("ikeja-electric", "prepaid", "1000000.01"), ("mtn", "airtime", "999999999999999.00")],
    )  # fmt: skip
    def test_3_05_an_amount_is_the_products(
        self, refused: Refusals, path: str, biller: str, product: str, amount: str
    ) -> None:
        number = "1212121212" if biller == "dstv" else "08011111111"
        body = {**BILL, "biller": biller, "product": product, "amount": amount, "customer_id": number}
        if biller == "ikeja-electric":
            body["customer_id"] = BILL["customer_id"]
        if path == VALIDATE:
            body = {name: body[name] for name in ("biller", "product", "customer_id", "amount")}
        refused("ada", "POST", path, body, status=422, code="amount_not_allowed")

    @pytest.mark.parametrize("path", [PAY, OTHER, VALIDATE])
    @pytest.mark.parametrize(
        ("biller", "product"),
        [("nowhere-electric", "prepaid"), ("ikeja-electric", "airtime"), ("IKEJA-ELECTRIC", "prepaid"),
         ("mtn", "prepaid")],
    )  # fmt: skip
    def test_1_03_nothing_is_sold_that_the_catalogue_has_not(
        self, refused: Refusals, path: str, biller: str, product: str
    ) -> None:
        body = {"biller": biller, "product": product, "customer_id": "{ada_meter}", "amount": "600.00"}
        if path != VALIDATE:
            body["pin"] = CANARY_PIN
        refused("ada", "POST", path, body, status=404, code="not_found")

    @pytest.mark.parametrize("subscription", ["renew", "change"])
    def test_3_05_only_tv_is_renewed(self, refused: Refusals, subscription: str) -> None:
        body = {**BILL, "subscription": subscription}
        refused(
            "ada", "POST", PAY, body, status=400, code="validation_error", fields={"subscription": "invalid"}
        )

    @pytest.mark.parametrize("value", ["true", 1, "yes", None, [], "false"])
    def test_8_05_a_wish_for_a_duplicate_is_a_boolean(self, refused: Refusals, value: Any) -> None:
        body = {**BILL, "allow_duplicate": value}
        answer = refused("ada", "POST", PAY, body, status=400, code="validation_error")
        assert "allow_duplicate" in answer.fields

    @pytest.mark.parametrize(
        "number",
        ["", "123", " 1111111111111", "1111111111111 ", "1111 1111", "1111\n1111", "１１１１", "١١١١", "<script>",
         "=1+1", "1' OR '1'='1", "../../etc", "1111;DROP", "\u202e1111", "1" * 65, "-", "@@@@"],
    )  # fmt: skip
    @pytest.mark.parametrize("path", [PAY, VALIDATE])
    def test_8_15_a_customer_number_is_plain(self, refused: Refusals, path: str, number: str) -> None:
        body = {"biller": "ikeja-electric", "product": "prepaid", "customer_id": number, "amount": "600.00"}
        answer = refused("ada", "POST", path, body, status=400, code="validation_error")
        assert "customer_id" in answer.fields

    def test_1_03_a_number_that_nobody_has_is_not_quoted(self, refused: Refusals) -> None:
        body = {"biller": "ikeja-electric", "product": "prepaid", "customer_id": meter(REFUSED)}
        refused("ada", "POST", VALIDATE, body, status=422, code="customer_not_found")


class TestQuotes:
    @pytest.mark.parametrize(
        "change",
        [{"customer_id": "{bola_meter}"}, {"customer_id": "1111000000000"}, {"product": "postpaid"},
         {"biller": "eko-electric"}, {"biller": "mtn", "product": "airtime", "customer_id": "08011111111"}],
    )  # fmt: skip
    def test_6_24_a_quote_is_bound_to_customer_and_product(
        self, refused: Refusals, change: dict[str, str]
    ) -> None:
        body = {**BILL, "quote_id": "{ada_quote}", **change}
        refused("ada", "POST", PAY, body, status=422, code="quote_mismatch")

    @pytest.mark.parametrize("path", [PAY, OTHER])
    def test_6_24_a_quote_for_an_amount_is_bound_to_it(
        self, cast: Cast, refused: Refusals, watch: Fingerprint, path: str
    ) -> None:
        asked = {name: BILL[name] for name in ("biller", "product", "customer_id")} | {"amount": "900.00"}
        quote = cast.ada.post(VALIDATE, cast.fill(asked)).json()
        watch.settle()
        body = {**BILL, "quote_id": quote["quote_id"], "amount": "900.01"}
        refused("ada", "POST", path, body, status=422, code="quote_mismatch")

    def test_1_03_somebody_elses_quote_is_told_like_one_that_is_not(self, refused: Refusals) -> None:
        told = [
            refused(
                "ada", "POST", PAY, {**BILL, "customer_id": "{bola_meter}", "quote_id": quote},
                status=404, code="not_found",
            ).json()["detail"]
            for quote in ("{bola_quote}", str(uuid7()), "{ada_payment}")
        ]  # fmt: skip
        assert len(set(told)) == 1

    def test_1_07_a_reference_finds_only_own_payments(self, cast: Cast) -> None:
        reference = cast.bola.get(f"/bills/payments/{cast.facts['bola_payment']}").json()["reference"]
        assert cast.bola.get("/bills/payments", reference=reference).json()["results"]
        found = cast.ada.get("/bills/payments", reference=reference)
        assert (found.status_code, found.json()["results"]) == (200, [])


class TestEndings:
    """A bill is delivered or given back, never both, whoever pulls at it while it is sent."""

    def test_6_20_nobody_cancels_a_bill_while_it_is_sent(
        self, cast: Cast, stack: Stack, refused: Refusals, watch: Fingerprint
    ) -> None:
        before, body = float(cast.ada.balance()), bill(meter(DELIVERED))
        with paused(stack, "billers.after_claim") as is_reached:
            started = begin(cast.ada, body).json()
            is_reached()
            watch.wait_for_relay()
            held = f"/transactions/{started['transaction_id']}"
            payment = f"/bills/payments/{started['id']}"
            for path in (f"{payment}/cancel", f"{payment}/refund", f"{held}/cancel", f"{held}/void"):
                refused("ada", "POST", path, {}, status=404, code="not_found")
            refused("ada", "DELETE", payment, status=405, code="method_not_allowed")
            refused("ada", "PATCH", payment, {"status": "failed"}, status=405, code="method_not_allowed")
            refused(
                "staff", "POST", f"/admin{held}/reverse", {"reason": "they asked"}, status=422, code="not_reversible"
            )  # fmt: skip
        eventually(lambda: bool(payment_of(cast.ada, started["id"])["is_final"]), "the bill is paid")
        assert payment_of(cast.ada, started["id"])["status"] == "completed"
        assert (float(cast.ada.balance()), deliveries(stack, body["customer_id"])) == (before - 500, 1)

    @pytest.mark.parametrize("count", [4, pytest.param(20, marks=pytest.mark.long)])
    def test_6_20_ten_forged_hints_for_each_bill_that_is_being_sent_refund_nothing(
        self, stack: Stack, count: int
    ) -> None:
        payers = [stack.person(f"Payer{number}", funds="5000.00") for number in range(2)]
        bodies = [bill(meter(DELIVERED), pin="5083") for _ in range(count)]

        def pay_and_lie(number: int) -> dict[str, Any]:
            payer = payers[number % 2]
            headers = {"Prefer": "wait=0"}
            started = payer.call("POST", PAY, bodies[number], key=str(uuid4()), headers=headers).json()
            [attempt] = stack.sql(
                "SELECT vendor_reference FROM billers_billattempt WHERE payment_id = %s", started["id"]
            )
            for lie in range(10):
                self.hint(stack, attempt["vendor_reference"], LIES[lie % len(LIES)], lie)
            return dict(started)

        started = at_once(count, pay_and_lie)
        for number, found in enumerate(started):
            payer = payers[number % 2]
            swept(stack, lambda p=payer, f=found: bool(payment_of(p, f["id"])["is_final"]), "it is final")  # type: ignore[misc]
        for number, payer in enumerate(payers):
            assert bookings(payer, "bill_payment") == [("completed", "500.00")] * (count // 2)
            assert bookings(payer, "refund") == bookings(payer, "reversal") == []
            assert (float(payer.balance()), payer.wallet()["held"]) == (5000 - 250 * count, "0.00")
            assert all(deliveries(stack, body["customer_id"]) == 1 for body in bodies[number::2])

    @staticmethod
    def hint(stack: Stack, reference: str, status: str, number: int) -> None:
        transaction = {"status": status, "amount": 1, "number": number}
        data = {"code": "000", "requestId": reference, "content": {"transactions": transaction}}
        answer = httpx2.post(
            f"{stack.address}/api/v1/payments/webhooks/vtpass/{WEBHOOK_TOKEN}",
            json={"type": "transaction-update", "data": data},
            timeout=30,
        )
        assert (answer.status_code, answer.json()) == (200, {"response": "success"})


PROMOTION = """
from datetime import timedelta
from decimal import Decimal
from cashback.models import Campaign
from fintech_core import clock
Campaign.objects.create(
    code="{code}", name="Three only", status="running", currency="NGN", percent_bp=2000, cap=Decimal(100),
    budget=Decimal(300), biller="9mobile", starts_at=clock.now(), ends_at=clock.now() + timedelta(hours=1),
)
"""


def test_6_12_a_promotion_with_a_budget_for_three_is_claimed_50_times(stack: Stack) -> None:
    code = f"three-{uuid4().hex[:8]}"
    made = stack.manage("shell", "-v0", "-c", PROMOTION.format(code=code))
    assert made.returncode == 0, made.stderr
    people = [stack.person(f"Buyer{number}", funds="12500.00") for number in range(2)]

    def claim(number: int) -> httpx2.Response:
        body = bill(meter(DELIVERED), biller="9mobile", product="airtime", pin="5083")
        return people[number % 2].call(
            "POST", PAY, body, key=str(uuid4()), headers={"Prefer": "wait=0"}
        )  # fmt: skip

    assert {answer.status_code for answer in at_once(50, claim)} <= {201, 202}
    unsettled = (
        "SELECT 1 FROM billers_billpayment payment JOIN users_user payer ON payer.id = payment.user_id"
        " WHERE payer.id = ANY(%s) AND payment.status = 'processing'"
    )
    ids = [person.id for person in people]
    swept(stack, lambda: not stack.sql(unsettled, ids), "every bill is settled")
    rewards = stack.sql(
        "SELECT reward.status, reward.amount FROM cashback_reward reward JOIN cashback_campaign campaign"
        " ON campaign.id = reward.campaign_id WHERE campaign.code = %s",
        code,
    )
    statuses = Counter(row["status"] for row in rewards)
    assert (statuses["earned"], sum(row["amount"] for row in rewards if row["status"] == "earned")) == (
        3,
        300,
    )
    [campaign] = stack.sql("SELECT spent, budget FROM cashback_campaign WHERE code = %s", code)
    assert campaign["spent"] == campaign["budget"]
    earned = [person.get("/cashback/summary").json()["available"] for person in people]
    assert sum(float(amount) for amount in earned) == 300
