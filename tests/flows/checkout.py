"""Customers at the sandbox's checkout, which knows nothing of us but what we told it."""

from typing import Any
from uuid import uuid4

import httpx2

from tests.clients import Person, eventually
from tests.stack import Stack


def begin(
    person: Person, amount: str, *, key: str | None = None, wait_s: int | None = None
) -> dict[str, Any]:
    """Ask for a checkout and return the intent as the API answered it."""
    headers = {} if wait_s is None else {"Prefer": f"wait={wait_s}"}
    answer = person.call("POST", "/wallet/fund", {"amount": amount}, key=key or str(uuid4()), headers=headers)
    assert answer.status_code in {201, 202}, answer.text
    return dict(answer.json())


def intent_of(person: Person, intent_id: str) -> dict[str, Any]:
    """Return an intent as it stands."""
    answer = person.get(f"/payments/intents/{intent_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def click(checkout_url: str, outcome: str = "success") -> httpx2.Response:
    """Press a button of the checkout page."""
    answer = httpx2.post(f"{checkout_url}/act", data={"outcome": outcome})
    assert answer.status_code in {200, 303}, answer.text
    return answer


def credited(person: Person, intent_id: str) -> dict[str, Any]:
    """Wait until the intent has succeeded, and return it."""
    eventually(lambda: intent_of(person, intent_id)["status"] == "succeeded", "the payment is credited")
    return intent_of(person, intent_id)


def checkouts(stack: Stack, reference: str) -> list[dict[str, Any]]:
    """Return the gateway's own transactions for an intent, the oldest first."""
    book = stack.control("GET", "state")["paystack"]["transactions"]
    return [found for found in book if found["reference"].startswith(f"{reference}.")]


def fundings(person: Person) -> list[tuple[str, str, str]]:
    """Return what was credited: status, direction and amount of each funding, the newest first."""
    rows = person.get("/transactions", type="funding").json()["results"]
    return [(row["status"], row["direction"], row["amount"]) for row in rows]


def all_told(stack: Stack, person: Person) -> None:
    """Wait until the gateway has sent every webhook about this person's payments, and nobody else's."""
    intents = person.get("/payments/intents").json()["results"]
    subjects = tuple(f"{intent['reference']}." for intent in intents)

    def is_told() -> bool:
        sent = stack.control("GET", "deliveries")["deliveries"]
        waiting = {row["subject"] for row in sent if row["status"] in {"pending", "sending"}}
        return not any(subject.startswith(subjects) for subject in waiting)

    eventually(is_told, "the gateway has sent its webhooks")
