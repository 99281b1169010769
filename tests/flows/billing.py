"""Bills as the customer and the vendor see them. The vendor is the sandbox; a meter's first digits choose its fate."""

import secrets
from typing import Any

from tests.clients import Person
from tests.stack import Stack

DELIVERED, PENDING, ANSWER_LOST, NEVER_ARRIVED, BROKEN_ANSWER, REFUSED = (
    "1111",
    "2010",
    "3000",
    "4000",
    "5000",
    "999",
)


def meter(fate: str) -> str:
    """Return a meter number that nobody else has, with the given fate."""
    return f"{fate}{secrets.randbelow(10**9):09d}"


def payment_of(person: Person, payment_id: str) -> dict[str, Any]:
    """Return a bill payment as it stands."""
    answer = person.get(f"/bills/payments/{payment_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def orders(stack: Stack, customer_id: str) -> list[dict[str, Any]]:
    """Return the vendor's own orders for a meter."""
    book = stack.control("GET", "state")["vtpass"]["orders"]
    return [order for order in book if order["billersCode"] == customer_id]


def deliveries(stack: Stack, customer_id: str) -> int:
    """Count how often the vendor delivered to a meter."""
    return sum(int(order["delivered"]) for order in orders(stack, customer_id))


def cashback_of(person: Person) -> dict[str, str]:
    """Return what is available and what was ever earned."""
    summary = person.get("/cashback/summary").json()
    return {"available": summary["available"], "lifetime": summary["lifetime"]}


def bookings(person: Person, kind: str) -> list[tuple[str, str]]:
    """Return status and amount of each movement of this kind, the newest first."""
    rows = person.get("/transactions", type=kind).json()["results"]
    return [(row["status"], row["amount"]) for row in rows]
