"""A process dies in the middle of a bill; after its restart the sweep settles it, with one delivery and one debit."""

from dataclasses import dataclass
from uuid import uuid4

import httpx2
import pytest

from tests.clients import PIN, Person
from tests.flows.billing import DELIVERED, bookings, cashback_of, deliveries, meter, orders, payment_of
from tests.flows.crashing import strike, swept
from tests.stack import Stack

AMOUNT = "1000.00"
# Where the process dies, and whether the vendor has delivered by then.
POINTS = {
    "billers.after_t1": False,
    "billers.after_claim": False,
    "billers.vendor_acted": True,
    "billers.before_t2_commit": True,
}


@dataclass(frozen=True)
class Wreck:
    """Somebody whose bill met a crash."""

    person: Person
    key: str
    meter: str

    def pay(self) -> httpx2.Response:
        """Send the request, the same one each time."""
        body = {"biller": "ikeja-electric", "product": "prepaid", "customer_id": self.meter, "amount": AMOUNT}
        body |= {"phone": "+2348011111111", "pin": PIN}
        return self.person.call("POST", "/bills/pay", body, key=self.key, headers={"Prefer": "wait=0"})

    def payments(self) -> list[dict[str, object]]:
        """Return the bill payments of this person."""
        return list(self.person.get("/bills/payments").json()["results"])


def struck(stack: Stack, point: str) -> Wreck:
    """Pay a bill while a process kills itself at the point: the web server after T1, the worker elsewhere."""
    wreck = Wreck(stack.person(funds="5000.00"), str(uuid4()), meter(DELIVERED))
    part = stack.web if point == "billers.after_t1" else stack.worker
    strike(stack, point, part, wreck.pay)
    wallet = wreck.person.wallet()
    assert (wallet["balance"], wallet["held"], wallet["available"]) == ("5000.00", AMOUNT, "4000.00")
    assert cashback_of(wreck.person)["lifetime"] == "0.00"
    assert deliveries(stack, wreck.meter) == int(POINTS[point])
    return wreck


@pytest.fixture(scope="module")
def wrecks(stack: Stack) -> dict[str, Wreck]:
    """All crashes one after another, so that their leases run out together."""
    return {point: struck(stack, point) for point in POINTS}


@pytest.mark.parametrize("point", POINTS)
def test_it_is_delivered_once_and_paid_once(stack: Stack, wrecks: dict[str, Wreck], point: str) -> None:
    wreck = wrecks[point]
    ada = wreck.person
    [payment] = wreck.payments()
    swept(stack, lambda: payment_of(ada, str(payment["id"]))["status"] == "completed", "the bill is settled")
    wallet = ada.wallet()
    assert (wallet["balance"], wallet["held"], wallet["available"]) == ("4000.00", "0.00", "4000.00")
    assert (deliveries(stack, wreck.meter), len(orders(stack, wreck.meter))) == (1, 1)
    assert bookings(ada, "bill_payment") == [("completed", AMOUNT)]
    assert cashback_of(ada) == {"available": "10.00", "lifetime": "10.00"}
    assert str(payment_of(ada, str(payment["id"]))["token"]).isdigit()


@pytest.mark.parametrize("point", POINTS)
def test_the_same_key_answers_from_the_payment(stack: Stack, wrecks: dict[str, Wreck], point: str) -> None:
    """Whatever died, the key answers: 202 while the payment is open, 201 once it is settled, never 409 for ever."""
    wreck = wrecks[point]
    [payment] = wreck.payments()
    first = wreck.pay()
    assert (first.status_code, first.json()["id"]) in {(201, payment["id"]), (202, payment["id"])}
    swept(stack, lambda: wreck.pay().status_code == 201, "the key has its final answer")
    assert wreck.pay().headers["Idempotent-Replayed"] == "true"
    assert [found["id"] for found in wreck.payments()] == [payment["id"]]


@pytest.mark.parametrize("point", POINTS)
def test_what_left_under_our_reference_left_once(stack: Stack, wrecks: dict[str, Wreck], point: str) -> None:
    wreck = wrecks[point]
    [payment] = wreck.payments()
    swept(stack, lambda: wreck.pay().status_code == 201, "the bill is settled")
    ours = stack.sql("SELECT vendor_reference FROM billers_billattempt WHERE payment_id = %s", payment["id"])
    theirs = [order["request_id"] for order in orders(stack, wreck.meter)]
    assert [row["vendor_reference"] for row in ours] == theirs
