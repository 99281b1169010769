"""A process dies in the middle of a funding; after its restart the sweeps bring the money in, once."""

from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from tests.clients import Person, eventually
from tests.flows.checkout import begin, checkouts, click, fundings, intent_of
from tests.flows.crashing import strike, swept
from tests.stack import Stack

AMOUNT = "2500.00"
IN_THE_JOB = ("payments.verified", "payments.before_credit_commit")


@dataclass(frozen=True)
class Wreck:
    """Somebody whose funding met a crash."""

    person: Person
    key: str
    intent: dict[str, Any]


def struck_at_intent_stored(stack: Stack) -> Wreck:
    """The web process dies after T1, before anybody was rung: the customer has no answer, only the key."""
    ada, key = stack.person(), str(uuid4())
    strike(stack, "payments.intent_stored", stack.web, lambda: begin(ada, AMOUNT, key=key))
    return Wreck(ada, key, begin(ada, AMOUNT, key=key, wait_s=0))


def struck_at_vendor_answered(stack: Stack) -> Wreck:
    """The worker dies with the gateway's link in its hands."""
    ada, key = stack.person(), str(uuid4())
    strike(stack, "payments.vendor_answered", stack.worker, lambda: begin(ada, AMOUNT, key=key, wait_s=0))
    return Wreck(ada, key, ada.get("/payments/intents").json()["results"][0])


def struck_at_webhook_stored(stack: Stack) -> Wreck:
    """The web process dies between the webhook's COMMIT and its 200; the gateway sends again."""
    ada, key = stack.person(), str(uuid4())
    intent = begin(ada, AMOUNT, key=key)
    strike(stack, "payments.webhook_stored", stack.web, lambda: click(intent["checkout_url"]))
    return Wreck(ada, key, intent)


def struck_in_the_job(stack: Stack, point: str) -> Wreck:
    """The worker dies after the gateway's word, before the credit is committed."""
    ada, key = stack.person(), str(uuid4())
    intent = begin(ada, AMOUNT, key=key)
    strike(stack, point, stack.worker, lambda: click(intent["checkout_url"]))
    assert (ada.balance(), fundings(ada)) == ("0.00", [])
    return Wreck(ada, key, intent)


WAYS = {
    "payments.intent_stored": struck_at_intent_stored,
    "payments.vendor_answered": struck_at_vendor_answered,
    "payments.webhook_stored": struck_at_webhook_stored,
    **{point: partial(struck_in_the_job, point=point) for point in IN_THE_JOB},
}


@pytest.fixture(scope="module")
def wrecks(stack: Stack) -> dict[str, Wreck]:
    """All crashes one after another, so that their leases run out together."""
    return {point: strike_so(stack) for point, strike_so in WAYS.items()}


@pytest.mark.parametrize("point", WAYS)
def test_the_money_comes_in_once(stack: Stack, wrecks: dict[str, Wreck], point: str) -> None:
    ada, intent = wrecks[point].person, wrecks[point].intent
    swept(stack, lambda: bool(intent_of(ada, intent["id"])["checkout_url"]), "there is a checkout")
    if point in {"payments.intent_stored", "payments.vendor_answered"}:
        click(intent_of(ada, intent["id"])["checkout_url"])
    swept(stack, lambda: intent_of(ada, intent["id"])["status"] == "succeeded", "the payment is credited")
    assert (ada.balance(), fundings(ada)) == (AMOUNT, [("completed", "in", AMOUNT)])
    theirs = [found for found in checkouts(stack, intent["reference"]) if found["status"] == "success"]
    ours = stack.sql("SELECT vendor_payment_id FROM payments_payment WHERE intent_id = %s", intent["id"])
    assert [row["vendor_payment_id"] for row in ours] == [str(found["id"]) for found in theirs]
    assert [found["amount"] for found in theirs] == [250000]


@pytest.mark.parametrize("point", WAYS)
def test_the_same_key_answers_with_the_same_intent(
    stack: Stack, wrecks: dict[str, Wreck], point: str
) -> None:
    wreck = wrecks[point]
    again = begin(wreck.person, AMOUNT, key=wreck.key, wait_s=0)
    assert again["id"] == wreck.intent["id"]
    assert len(wreck.person.get("/payments/intents").json()["results"]) == 1


def test_a_lost_link_is_followed_by_another_attempt_and_both_stay_watched(
    stack: Stack, wrecks: dict[str, Wreck]
) -> None:
    ada, intent = wrecks["payments.vendor_answered"].person, wrecks["payments.vendor_answered"].intent
    swept(stack, lambda: bool(intent_of(ada, intent["id"])["checkout_url"]), "there is a checkout")
    attempts = stack.sql(
        "SELECT reference, status FROM payments_checkoutattempt WHERE intent_id = %s ORDER BY number",
        intent["id"],
    )
    assert [row["reference"] for row in attempts] == [f"{intent['reference']}.1", f"{intent['reference']}.2"]
    assert attempts[0]["status"] == "lost"
    assert len(checkouts(stack, intent["reference"])) == 2


def test_the_webhook_is_in_the_inbox_once_and_was_sent_again(stack: Stack, wrecks: dict[str, Wreck]) -> None:
    reference = f"{wrecks['payments.webhook_stored'].intent['reference']}.1"

    def deliveries() -> list[dict[str, Any]]:
        sent = stack.control("GET", "deliveries")["deliveries"]
        return [found for found in sent if found["subject"] == reference]

    eventually(lambda: deliveries()[0]["status"] == "delivered", "the gateway got its 200")
    assert [found["attempts"] >= 2 for found in deliveries()] == [True]
    rows = stack.sql("SELECT status FROM payments_webhookevent WHERE subject = %s", reference)
    assert len(rows) == 1
