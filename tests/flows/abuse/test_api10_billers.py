"""API10, unsafe consumption of APIs: a vendor of bills that lies, forgets or never ends.

The vendor here says what a test wants to hear, and days pass by the clock, so the worker's job runs in this process,
over a database that the module shares: each test has a payer of its own, and commits are real.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import structlog
from django.utils import timezone
from pytest_django import Settings
from pytest_django.plugin import DjangoDbBlocker
from rest_framework.test import APIClient

from backoffice import queues
from billers.models import BillPayment
from cashback.models import Reward
from tests.billers import bench
from tests.billers.scripted import DELIVERED, NOT_FOUND, PENDING, Script, answer, scripted
from tests.databases import Databases
from transactions.models import LedgerEntry, Transaction

HELD, PAID = (Decimal(50000), Decimal(10000)), (Decimal(40000), Decimal(0))
ApiMaker = Callable[..., APIClient]

LIES: dict[str, Any] = {
    "no token": answer(token=..., purchased_code=""),
    "an empty token": answer(token="", purchased_code=""),
    "a token that is none": answer(token="Token : pending", purchased_code="call 0800-BILLER"),
    "a short token": answer(token="1234", purchased_code="1234"),
    "a token of another type": answer(token=26362054405982757802, purchased_code=["2636"]),
    "another order's reference": answer(requestId="202611210000another"),
    "no reference": answer(requestId=...),
    "a reference of another type": answer(requestId=["{reference}"]),
    "another amount": answer(order={"amount": "9999.99"}),
    "a hundredfold amount": answer(order={"amount": "1000000"}),
    "a negative amount": answer(order={"amount": "-10000"}),
    "an amount in words": answer(order={"amount": "ten thousand"}),
    "an amount that is none": answer(order={"amount": True}),
    "another customer's number": answer(order={"unique_element": "1111999999999"}),
    "another customer's number, alike at its end": answer(order={"unique_element": "9991111111111"}),
    "no order": answer(status=None),
    "a list": [DELIVERED],
}


@pytest.fixture(scope="module", autouse=True)
def bills_db(
    databases: Databases, django_db_blocker: DjangoDbBlocker, django_db_setup: None
) -> Iterator[None]:
    """The database of this module."""
    with django_db_blocker.unblock(), databases.another("bills"):
        yield


@pytest.fixture
def script(settings: Settings) -> Iterator[Script]:
    """A vendor that answers by script."""
    bench.close_circuit()
    with scripted(settings) as made:
        yield made
    bench.close_circuit()


def later(payment: BillPayment) -> BillPayment:
    """Let a worker ask as soon as the payment is due."""
    assert payment.next_check_at is not None
    return bench.work(payment, after_s=(payment.next_check_at - timezone.now()).total_seconds() + 0.1)


def is_open_and_held(payment: BillPayment, api: ApiMaker) -> dict[str, Any]:
    """Hold an order without an outcome to its promise: shown as under way, nothing taken, given or booked."""
    found = api(payment.user).get(f"/api/v1/bills/payments/{payment.pk}")
    assert found.status_code == 200
    shown = dict(found.json())
    assert (shown["status"], shown["is_final"], shown["token"]) == ("processing", False, None)
    assert bench.wallet_of(payment.user) == HELD
    assert not Reward.objects.filter(user=payment.user).exists()
    assert Transaction.objects.get(pk=payment.transaction_id).status == "pending"
    assert not LedgerEntry.objects.filter(transaction_id=payment.transaction_id).exists()
    return shown


@pytest.mark.parametrize("lie", LIES)
def test_10_17_a_success_that_is_not_proved_is_no_delivery(script: Script, api: ApiMaker, lie: str) -> None:
    """Told once by pay and once by requery; then the truth settles the same order, once."""
    script.say(LIES[lie], LIES[lie], DELIVERED)
    with structlog.testing.capture_logs() as lines:
        payment = bench.work(bench.new_payment())
    is_open_and_held(payment, api)
    assert lie == "no order" or {"warning", "error"} & {line["log_level"] for line in lines}
    assert not any("26362054405982757802" in str(line) for line in lines)
    is_open_and_held(later(payment), api)
    assert later(payment).status == "completed"
    assert (bench.wallet_of(payment.user), script.operations()) == (PAID, ["pay", "requery", "requery"])


@pytest.mark.parametrize("number", ["1111111111111", "1111-1111-11111", ""])
def test_10_17_our_customers_number_in_another_spelling_is_ours(script: Script, number: str) -> None:
    script.say(answer(order={"unique_element": number}))
    assert bench.work(bench.new_payment()).status == "completed"


@pytest.mark.parametrize("number", ["08011111111", "+2348011111111", "2348011111111", "8011111111"])
def test_10_17_a_phone_number_is_one_number_in_all_its_spellings(script: Script, number: str) -> None:
    script.say(answer(order={"unique_element": number, "amount": "100", "total_amount": 97}))
    airtime = bench.new_payment(
        biller="mtn", product="airtime", customer_id="08011111111", amount=Decimal(100)
    )
    assert bench.work(airtime).status == "completed"


def test_10_19_not_found_right_after_accepting_means_nothing(script: Script, api: ApiMaker) -> None:
    """The order was accepted, its answer lost; a second later the vendor does not know it yet."""
    script.say(b"", NOT_FOUND, NOT_FOUND, DELIVERED)
    payment = bench.work(bench.new_payment())
    BillPayment.objects.filter(pk=payment.pk).update(next_check_at=timezone.now() + timedelta(seconds=1))
    bench.work(payment, after_s=1.1)
    is_open_and_held(payment, api)
    BillPayment.objects.filter(pk=payment.pk).update(next_check_at=timezone.now() + timedelta(seconds=2))
    bench.work(payment, after_s=2.1)
    is_open_and_held(payment, api)
    assert (later(payment).status, bench.wallet_of(payment.user)) == ("completed", PAID)
    assert script.operations() == ["pay", "requery", "requery", "requery"]


def test_10_21_pending_for_72_hours_is_escalated_after_24(script: Script, api: ApiMaker) -> None:
    """The customer sees it open, staff see it in their queue, and it ends as soon as the vendor says so."""
    script.say(PENDING)
    payment = bench.work(bench.new_payment())
    before = queues.BILLS_TO_REVIEW.count()
    with structlog.testing.capture_logs() as lines:
        for hour in range(1, 73):
            bench.work(payment, after_s=hour * 3600)
            assert payment.needs_review == (hour >= 24), hour
    assert [line["event"] for line in lines if line["log_level"] == "error"].count("bill_needs_review") == 1
    shown = is_open_and_held(payment, api)
    assert shown["resolve_by"] is not None
    assert (queues.BILLS_TO_REVIEW.count(), script.operations().count("pay")) == (before + 1, 1)
