"""Bills at the same instant: what is held never exceeds what is there, and the vendor is asked once for each."""

import time
from collections import Counter
from uuid import uuid4

import httpx2
import pytest

from tests.clients import PIN, Person
from tests.flows.billing import DELIVERED, bookings, cashback_of, deliveries, meter, orders
from tests.flows.crashing import swept
from tests.flows.parallel import at_once
from tests.stack import Stack

ROUTES = ("/bills/pay", "/payments/pay-bill")
MOST_REPEATS = 100
rounds = pytest.mark.parametrize(
    "round_", [0, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, 10))]
)


def pay(
    person: Person, customer_id: str, amount: str, *, key: str, path: str = "/bills/pay"
) -> httpx2.Response:
    """Pay prepaid electricity without waiting; a busy key is tried again, as it asks for."""
    body = {"biller": "ikeja-electric", "product": "prepaid", "customer_id": customer_id, "amount": amount}
    body |= {"phone": "+2348011111111", "pin": PIN}
    for _ in range(MOST_REPEATS):
        answer = person.call("POST", path, body, key=key, headers={"Prefer": "wait=0"})
        if answer.status_code != 409:
            break
        assert (answer.json()["code"], answer.headers["Retry-After"]) == ("idempotency_in_progress", "1")
        time.sleep(0.1)
    return answer


@rounds
def test_one_key_on_both_routes_is_one_bill(stack: Stack, round_: int) -> None:
    ada, customer_id, key = stack.person(funds="5000.00"), meter(DELIVERED), str(uuid4())
    answers = at_once(20, lambda number: pay(ada, customer_id, "1000.00", key=key, path=ROUTES[number % 2]))
    assert {answer.status_code for answer in answers} <= {201, 202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    swept(stack, lambda: bookings(ada, "bill_payment") == [("completed", "1000.00")], "the bill is settled")
    assert (ada.balance(), ada.wallet()["held"], deliveries(stack, customer_id)) == ("4000.00", "0.00", 1)
    assert cashback_of(ada) == {"available": "10.00", "lifetime": "10.00"}


@rounds
def test_bills_and_transfers_share_what_is_there(stack: Stack, round_: int) -> None:
    """Twenty requests of 1,000.00 for 5,000.00: five get through, whichever they are."""
    ada, chidi = stack.person(funds="5000.00"), stack.person("Chidi")
    meters = [meter(DELIVERED) for _ in range(10)]

    def spend(number: int) -> httpx2.Response:
        if number % 2:
            return ada.transfer(chidi, "1000.00")
        return pay(ada, meters[number // 2], "1000.00", key=str(uuid4()))

    answers = at_once(20, spend)
    verdicts = Counter(answer.json().get("code", "taken") for answer in answers)
    assert verdicts == {"taken": 5, "insufficient_funds": 15}
    swept(stack, lambda: (ada.balance(), ada.wallet()["held"]) == ("0.00", "0.00"), "every bill is settled")
    delivered = sum(deliveries(stack, customer_id) for customer_id in meters)
    assert delivered + float(chidi.balance()) / 1000 == 5
    assert sum(len(orders(stack, customer_id)) for customer_id in meters) == delivered
    assert cashback_of(ada)["lifetime"] == f"{delivered * 10}.00"
