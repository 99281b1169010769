"""Paying bills: what is held, taken and given back, and what the vendor's book says about it."""

from uuid import uuid4

import httpx2
import pytest

from tests.clients import PIN, Person, eventually
from tests.flows.billing import (
    ANSWER_LOST,
    BROKEN_ANSWER,
    DELIVERED,
    NEVER_ARRIVED,
    PENDING,
    REFUSED,
    bookings,
    cashback_of,
    deliveries,
    meter,
    orders,
    payment_of,
)
from tests.flows.checkout import begin, click, credited
from tests.flows.crashing import swept
from tests.stack import Stack

ELECTRICITY = {"biller": "ikeja-electric", "product": "prepaid"}
NO_WAIT = {"Prefer": "wait=0"}


def pay(
    person: Person, customer_id: str, amount: str, *, key: str | None = None, path: str = "/bills/pay"
) -> httpx2.Response:
    """Pay prepaid electricity without waiting for the outcome."""
    body = {
        **ELECTRICITY,
        "customer_id": customer_id,
        "amount": amount,
        "phone": "+2348011111111",
        "pin": PIN,
    }
    return person.call("POST", path, body, key=key or str(uuid4()), headers=NO_WAIT)


def messages(person: Person) -> set[str]:
    """Return the kinds of messages somebody has."""
    return {message["type"] for message in person.get("/notifications").json()["results"]}


class TestStory:
    def test_from_signing_up_to_redeeming_cashback(self, stack: Stack) -> None:
        ada, chidi, customer_id = stack.person(), stack.person("Chidi"), meter(DELIVERED)
        assert (ada.get("/users/me").json()["kyc_tier"], ada.balance()) == (1, "0.00")

        intent = begin(ada, "50000.00")
        click(intent["checkout_url"])
        credited(ada, intent["id"])
        assert ada.transfer(chidi, "5000.00").status_code == 201
        assert (ada.balance(), chidi.balance()) == ("45000.00", "5000.00")

        quote = ada.post("/bills/validate", {**ELECTRICITY, "customer_id": customer_id, "amount": "10000.00"})
        assert quote.status_code == 200, quote.text
        told = quote.json()
        assert (told["fee"], told["cashback"], told["total"]) == ("0.00", "100.00", "10000.00")
        assert told["customer_name"]

        key = str(uuid4())
        paid = ada.pay_bill(customer_id, "10000.00", key=key, quote_id=told["quote_id"])
        assert paid.status_code == 201, paid.text
        bill = paid.json()
        assert (bill["status"], bill["amount"], bill["fee"], bill["total"], bill["is_final"]) == (
            "completed",
            "10000.00",
            "0.00",
            "10000.00",
            True,
        )
        assert bill["cashback"]["amount"] == "100.00"
        assert bill["token"].isdigit()
        assert bill["customer_name"] == told["customer_name"]
        wallet = ada.wallet()
        assert (wallet["balance"], wallet["held"], wallet["available"]) == ("35000.00", "0.00", "35000.00")
        assert cashback_of(ada) == {"available": "100.00", "lifetime": "100.00"}

        again = ada.pay_bill(customer_id, "10000.00", key=key, quote_id=told["quote_id"])
        assert (again.status_code, again.json()) == (201, bill)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert (ada.balance(), deliveries(stack, customer_id)) == ("35000.00", 1)

        redeemed = ada.pay("/cashback/redeem", {})
        assert redeemed.status_code == 201, redeemed.text
        assert (ada.balance(), cashback_of(ada)["available"]) == ("35100.00", "0.00")
        news = {"bill_payment.completed", "cashback.earned", "cashback.redeemed"}
        eventually(lambda: news <= messages(ada), "all of it is told")

    def test_the_entries_are_the_vendors_figures(self, stack: Stack) -> None:
        ada, customer_id = stack.person(funds="20000.00"), meter(DELIVERED)
        bill = ada.pay_bill(customer_id, "10000.00").json()
        [order] = orders(stack, customer_id)
        cost = f"{order['total_amount']:.2f}"
        margin = f"{10000 - order['total_amount']:.2f}"
        lines = ada.get(f"/transactions/{bill['transaction_id']}/entries").json()["results"]
        assert sorted((line["account"], line["direction"], line["amount"]) for line in lines) == [
            ("biller_commission", "credit", margin),
            ("biller_float:vtpass", "credit", cost),
            ("wallet:main", "debit", "10000.00"),
        ]
        [history] = ada.get("/cashback/history").json()["results"]
        reward = ada.get(f"/transactions/{history['transaction_id']}/entries").json()["results"]
        assert [
            (line["account"], line["direction"], line["amount"], line["balance_after"]) for line in reward
        ] == [
            ("cashback_expense", "debit", "100.00", None),
            ("wallet:cashback", "credit", "100.00", "100.00"),
        ]


class TestRefusals:
    """A refusal takes nothing and holds nothing."""

    @staticmethod
    def is_untouched(ada: Person, balance: str) -> None:
        wallet = ada.wallet()
        assert (wallet["balance"], wallet["held"], wallet["available"]) == (balance, "0.00", balance)

    def test_an_unknown_customer(self, stack: Stack) -> None:
        ada = stack.person(funds="5000.00")
        answer = ada.post(
            "/bills/validate", {**ELECTRICITY, "customer_id": meter(REFUSED), "amount": "1000.00"}
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "customer_not_found")

    def test_a_refusal_at_the_vendor_gives_the_money_back(self, stack: Stack) -> None:
        ada, customer_id, key = stack.person(funds="5000.00"), meter(REFUSED), str(uuid4())
        answer = ada.pay_bill(customer_id, "1000.00", key=key)
        assert (answer.status_code, answer.json()["code"]) == (422, "bill_declined"), answer.text
        assert payment_of(ada, answer.json()["payment_id"])["status"] == "failed"
        self.is_untouched(ada, "5000.00")
        assert cashback_of(ada)["lifetime"] == "0.00"
        again = ada.pay_bill(customer_id, "1000.00", key=key)
        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (422, "true")

    def test_more_than_there_is(self, stack: Stack) -> None:
        ada, customer_id = stack.person(funds="500.00"), meter(DELIVERED)
        answer = ada.pay_bill(customer_id, "1000.00")
        assert (answer.status_code, answer.json()["code"]) == (422, "insufficient_funds")
        self.is_untouched(ada, "500.00")
        assert orders(stack, customer_id) == []

    def test_the_same_bill_again_within_seconds(self, stack: Stack) -> None:
        ada, customer_id = stack.person(funds="5000.00"), meter(DELIVERED)
        assert ada.pay_bill(customer_id, "1000.00").status_code == 201
        again = ada.pay_bill(customer_id, "1000.00")
        assert (again.status_code, again.json()["code"]) == (409, "possible_duplicate")
        assert (ada.balance(), deliveries(stack, customer_id)) == ("4000.00", 1)
        meant = ada.pay_bill(customer_id, "1000.00", allow_duplicate=True)
        assert meant.status_code == 201, meant.text
        assert (ada.balance(), deliveries(stack, customer_id)) == ("3000.00", 2)


@pytest.fixture(scope="module")
def started(stack: Stack) -> dict[str, tuple[Person, str, str]]:
    """One bill for each fate, sent together so that they are asked about together: person, payment, meter."""
    found = {}
    for fate in (ANSWER_LOST, BROKEN_ANSWER, PENDING, NEVER_ARRIVED):
        ada, customer_id = stack.person(funds="5000.00"), meter(fate)
        answer = pay(ada, customer_id, "1000.00")
        assert answer.status_code == 202, answer.text
        assert answer.headers["Location"].endswith(answer.json()["id"])
        wallet = ada.wallet()
        assert (wallet["balance"], wallet["held"], wallet["available"]) == ("5000.00", "1000.00", "4000.00")
        found[fate] = (ada, answer.json()["id"], customer_id)
    return found


class TestUnknownOutcomes:
    """Money is held, never given back on a guess, and never sent a second time on a guess."""

    def settled(self, stack: Stack, person: Person, payment_id: str) -> str:
        swept(stack, lambda: bool(payment_of(person, payment_id)["is_final"]), "the bill is final")
        assert person.wallet()["held"] == "0.00"
        return str(payment_of(person, payment_id)["status"])

    def test_a_lost_answer_is_asked_for_and_settled(
        self, stack: Stack, started: dict[str, tuple[Person, str, str]]
    ) -> None:
        ada, payment_id, customer_id = started[ANSWER_LOST]
        assert self.settled(stack, ada, payment_id) == "completed"
        assert payment_of(ada, payment_id)["token"].isdigit()
        assert (ada.balance(), deliveries(stack, customer_id)) == ("4000.00", 1)
        assert len(orders(stack, customer_id)) == 1

    def test_an_order_that_failed_behind_a_broken_answer_gives_the_money_back(
        self, stack: Stack, started: dict[str, tuple[Person, str, str]]
    ) -> None:
        ada, payment_id, customer_id = started[BROKEN_ANSWER]
        assert self.settled(stack, ada, payment_id) == "failed"
        assert (ada.balance(), deliveries(stack, customer_id)) == ("5000.00", 0)
        assert bookings(ada, "bill_payment")[0][0] in {"failed", "cancelled"}
        assert cashback_of(ada)["lifetime"] == "0.00"

    def test_the_vendors_hint_settles_a_pending_order_at_once(
        self, stack: Stack, started: dict[str, tuple[Person, str, str]]
    ) -> None:
        ada, payment_id, customer_id = started[PENDING]
        eventually(lambda: bool(orders(stack, customer_id)), "the order has arrived")
        [order] = orders(stack, customer_id)
        stack.control("POST", "vtpass/resolve", {"request_id": order["request_id"], "outcome": "delivered"})
        eventually(lambda: bool(payment_of(ada, payment_id)["is_final"]), "the hint is acted on")
        assert (ada.balance(), ada.wallet()["held"], deliveries(stack, customer_id)) == ("4000.00", "0.00", 1)
        assert cashback_of(ada) == {"available": "10.00", "lifetime": "10.00"}

    @pytest.mark.long
    def test_an_order_that_never_arrived_ends_without_a_debit(
        self, stack: Stack, started: dict[str, tuple[Person, str, str]]
    ) -> None:
        ada, payment_id, customer_id = started[NEVER_ARRIVED]
        swept(
            stack, lambda: bool(payment_of(ada, payment_id)["is_final"]), "the bill is final", patience_s=150
        )
        assert payment_of(ada, payment_id)["status"] == "failed"
        assert (ada.balance(), ada.wallet()["held"], deliveries(stack, customer_id)) == ("5000.00", "0.00", 0)


class TestRoutes:
    def test_both_routes_are_one_operation(self, stack: Stack) -> None:
        ada, customer_id, key = stack.person(funds="5000.00"), meter(DELIVERED), str(uuid4())
        first = pay(ada, customer_id, "1000.00", key=key)
        eventually(lambda: bool(payment_of(ada, first.json()["id"])["is_final"]), "the bill is paid")
        other = pay(ada, customer_id, "1000.00", key=key, path="/payments/pay-bill")
        assert (other.status_code, other.json()["id"]) == (201, first.json()["id"])
        assert other.headers["Idempotent-Replayed"] == "true"
        assert (ada.balance(), deliveries(stack, customer_id)) == ("4000.00", 1)
