"""Broker, cache, database or vendor is gone while bills are paid: held or given back, delivered once (W8, W9, W10)."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from uuid import uuid4

import httpx2
import pytest

from tests.clients import PIN, Person, eventually
from tests.flows.billing import (
    DELIVERED,
    PENDING,
    bookings,
    cashback_of,
    deliveries,
    meter,
    orders,
    payment_of,
)
from tests.flows.crashing import back_at_work, paused, swept
from tests.flows.fragile import Fragile, How, gone, within
from tests.outages import down
from tests.stack import Stack

BOTH_WAYS = pytest.mark.parametrize("how", ["killed", pytest.param("frozen", marks=pytest.mark.long)])
BILL = {"biller": "ikeja-electric", "product": "prepaid"}
QUICKLY_S = 4.0
PAID = ("4000.00", "0.00")
HELD = ("5000.00", "1000.00")
UNTOUCHED = ("5000.00", "0.00")
CALLS_UNTIL_OPEN = 40


def pay(person: Person, customer_id: str, *, key: str | None = None, wait_s: int = 0) -> httpx2.Response:
    """Pay a thousand naira of electricity."""
    body = {**BILL, "customer_id": customer_id, "amount": "1000.00", "pin": PIN}
    return person.call(
        "POST", "/bills/pay", body, key=key or str(uuid4()), headers={"Prefer": f"wait={wait_s}"}
    )


def money(person: Person) -> tuple[str, str]:
    """Return balance and held."""
    wallet = person.wallet()
    return wallet["balance"], wallet["held"]


def pay_up_to(stack: Stack, pauses: ExitStack, point: str, person: Person, customer_id: str) -> str:
    """Pay, and let the worker stand at the point until the pauses end; returns the payment's id."""
    is_reached = pauses.enter_context(paused(stack, point))
    payment_id = str(pay(person, customer_id).json()["id"])
    is_reached()
    return payment_id


def is_final(person: Person, payment_id: str) -> bool:
    """Say whether a payment has its outcome."""
    return bool(payment_of(person, payment_id)["is_final"])


def is_settled_once(stack: Stack, person: Person, customer_id: str) -> None:
    """Hold a bill to one debit, one delivery and one reward."""
    assert (money(person), deliveries(stack, customer_id), len(orders(stack, customer_id))) == (PAID, 1, 1)
    assert bookings(person, "bill_payment") == [("completed", "1000.00")]
    assert cashback_of(person) == {"available": "10.00", "lifetime": "10.00"}


class TestBrokerGone:
    @BOTH_WAYS
    def test_a_bill_is_held_at_once_and_paid_when_the_broker_is_back(
        self, fragile: Fragile, how: How
    ) -> None:
        stack = fragile.stack
        ada, customer_id = stack.person(funds="5000.00"), meter(DELIVERED)
        with gone(fragile.broker, how):
            answer = within(QUICKLY_S, lambda: pay(ada, customer_id))
            assert (answer.status_code, answer.json()["status"]) == (202, "processing"), answer.text
            assert (money(ada), orders(stack, customer_id)) == (HELD, [])
        swept(stack, lambda: is_final(ada, answer.json()["id"]), "the bill is paid")
        is_settled_once(stack, ada, customer_id)
        back_at_work(stack)

    def test_a_worker_with_the_vendors_answer_in_hand_needs_no_broker(self, fragile: Fragile) -> None:
        stack = fragile.stack
        ada, customer_id = stack.person(funds="5000.00"), meter(DELIVERED)
        with ExitStack() as pauses:
            payment_id = pay_up_to(stack, pauses, "billers.vendor_acted", ada, customer_id)
            with gone(fragile.broker, "killed"):
                pauses.close()
                eventually(lambda: is_final(ada, payment_id), "the bill is settled without a broker")
        is_settled_once(stack, ada, customer_id)


class TestCacheGone:
    @BOTH_WAYS
    def test_a_bill_is_quoted_and_paid_without_it(self, fragile: Fragile, how: How) -> None:
        """A circuit that nobody can look at counts as closed; PINs are counted in the database."""
        stack = fragile.stack
        ada, customer_id = stack.person(funds="5000.00"), meter(DELIVERED)
        with gone(fragile.cache, how):
            asked = {**BILL, "customer_id": customer_id, "amount": "1000.00"}
            quote = within(QUICKLY_S, lambda: ada.post("/bills/validate", asked))
            assert quote.status_code == 200, quote.text
            wrong = ada.pay("/bills/pay", {**asked, "pin": "9999"})
            assert (wrong.status_code, wrong.json()["attempts_left"]) == (403, 4)
            answer = within(QUICKLY_S, lambda: pay(ada, customer_id))
            assert answer.status_code in {201, 202}, answer.text
            swept(stack, lambda: is_final(ada, answer.json()["id"]), "the bill is paid")
        is_settled_once(stack, ada, customer_id)


class TestDatabaseGone:
    def test_bills_at_every_step_are_settled_once_when_it_is_back(self, lonely: Stack) -> None:
        """One bill is asked for while PostgreSQL is down, one is claimed, of one the vendor's answer is in hand."""
        asked, claimed, acted = people = [lonely.person(funds="5000.00") for _ in range(3)]
        meters, key = {person.id: meter(DELIVERED) for person in people}, str(uuid4())
        started = {}
        with ExitStack() as pauses:
            for person, point in ((acted, "billers.vendor_acted"), (claimed, "billers.after_claim")):
                started[person.id] = pay_up_to(lonely, pauses, point, person, meters[person.id])
            with down(lonely.ground, "postgres"):
                refused = within(3.0, lambda: pay(asked, meters[asked.id], key=key))
                assert (refused.status_code, refused.json()["retryable"]) == (503, True)
                assert int(refused.headers["Retry-After"]) >= 1
                pauses.close()
                time.sleep(1.0)
        eventually(lambda: asked.get("/wallet").status_code == 200, "the web server is back")
        assert (money(asked), orders(lonely, meters[asked.id])) == (UNTOUCHED, [])
        assert [money(claimed), money(acted)] == [HELD, HELD]
        assert orders(lonely, meters[claimed.id]) == []
        assert deliveries(lonely, meters[acted.id]) == 1
        again = pay(asked, meters[asked.id], key=key)
        assert again.status_code in {201, 202}
        assert "Idempotent-Replayed" not in again.headers
        started[asked.id] = again.json()["id"]
        for person in people:
            swept(lonely, lambda p=person: is_final(p, started[p.id]), "the bill is settled")  # type: ignore[misc]
            is_settled_once(lonely, person, meters[person.id])


@contextmanager
def vendor_gone(stack: Stack) -> Iterator[None]:
    """Let nobody listen at the vendor's address for a while."""
    stack.sandbox.kill()
    try:
        yield
    finally:
        stack.sandbox.start()


class TestVendorGone:
    @pytest.fixture(autouse=True)
    def circuit(self, fragile: Fragile) -> Iterator[None]:
        """Forget the circuit afterwards, with everything else that the cache knows."""
        yield
        with gone(fragile.cache, "killed"):
            pass

    def test_nobody_is_debited_and_what_is_under_way_goes_on(self, fragile: Fragile) -> None:
        stack = fragile.stack
        ada, chidi = stack.person(funds="5000.00"), stack.person("Chidi", funds="5000.00")
        pending, customer_id, key = meter(PENDING), meter(DELIVERED), str(uuid4())
        under_way = pay(ada, pending).json()["id"]
        eventually(lambda: bool(orders(stack, pending)), "the order has arrived")
        with vendor_gone(stack):
            self.ask_until_the_circuit_opens(stack, chidi, customer_id)
            self.is_refused_before_any_debit(chidi, pay(chidi, customer_id, key=key))
            stack.sweep()
            assert (money(ada), is_final(ada, under_way)) == (HELD, False)
        self.is_refused_before_any_debit(chidi, pay(chidi, customer_id, key=key))
        [order] = orders(stack, pending)
        stack.control("POST", "vtpass/resolve", {"request_id": order["request_id"], "outcome": "delivered"})
        swept(stack, lambda: is_final(ada, under_way), "what was under way is settled behind an open circuit")
        is_settled_once(stack, ada, pending)
        with gone(fragile.cache, "killed"):
            pass
        again = pay(chidi, customer_id, key=key, wait_s=8)
        assert again.status_code == 201, again.text
        assert "Idempotent-Replayed" not in again.headers
        is_settled_once(stack, chidi, customer_id)

    @staticmethod
    def ask_until_the_circuit_opens(stack: Stack, person: Person, customer_id: str) -> None:
        def status() -> str:
            found = stack.client().get("/billers/status").json()["results"]
            return str(next(row["status"] for row in found if row["code"] == BILL["biller"]))

        for _ in range(CALLS_UNTIL_OPEN):
            answer = person.post("/bills/validate", {**BILL, "customer_id": customer_id})
            assert (answer.status_code, answer.json()["code"]) == (503, "biller_unavailable")
            if status() == "down":
                return
        raise AssertionError("the circuit stays closed")

    @staticmethod
    def is_refused_before_any_debit(person: Person, answer: httpx2.Response) -> None:
        assert (answer.status_code, answer.json()["code"]) == (503, "biller_unavailable"), answer.text
        assert answer.json()["retryable"] is True
        assert int(answer.headers["Retry-After"]) >= 1
        assert money(person) == UNTOUCHED
        assert person.get("/bills/payments").json()["results"] == bookings(person, "bill_payment") == []

    @pytest.mark.long
    def test_a_bill_that_cannot_be_sent_gives_the_money_back_within_30_s(self, fragile: Fragile) -> None:
        """The vendor went away after the last look at it: nothing left, so nothing has to be asked."""
        stack = fragile.stack
        ada, customer_id = stack.person(funds="5000.00"), meter(DELIVERED)
        with vendor_gone(stack):
            payment_id = pay(ada, customer_id).json()["id"]
            assert money(ada) == HELD
            swept(stack, lambda: is_final(ada, payment_id), "the money is back", patience_s=30)
        assert payment_of(ada, payment_id)["status"] == "failed"
        assert (money(ada), orders(stack, customer_id)) == (UNTOUCHED, [])
        assert cashback_of(ada)["lifetime"] == "0.00"
