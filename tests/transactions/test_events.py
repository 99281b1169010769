"""What the events of the ledger carry, word for word: subscribers read it, so nothing of it may go or change."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction

from fintech_core import clock
from notifications.models import Event
from tests.factories import ManagerFactory, StaffFactory, UnverifiedUserFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import bill_draft, happened, transfer_draft
from transactions.drafts import Authorize, Post
from transactions.models import ParkedCredit, Transaction
from transactions.services import TransactionService, adjustments, bulk, conversions, expiry, transfers
from transactions.services.bulk_items import BulkItem
from transactions.services.releasing import release_for
from users.models import User
from wallet.services import open_wallet

pytestmark = pytest.mark.django_db


def told(event: str) -> list[object]:
    """Return the payloads of one type of event, in order."""
    return list(Event.objects.filter(type=event).order_by("id").values_list("payload", flat=True))


def of(moved: Transaction, amount: str, **more: str) -> dict[str, str]:
    """Write down what every event of a movement in naira carries, and more."""
    return {
        "transaction_id": str(moved.pk), "reference": moved.reference, "amount": amount, "currency": "NGN", **more,
    }  # fmt: skip


@pytest.fixture
def ada() -> User:
    """Ada O. with ₦1,000."""
    ada = UserFactory(first_name="Ada", last_name="Obi", kyc_tier=3)
    fund(ada, "1000.00")
    return ada


@pytest.fixture
def chidi() -> User:
    """Chidi E. without money."""
    return UserFactory(first_name="Chidi", last_name="Eze")


def test_a_transfer(ada: User, chidi: User) -> None:
    sending = transfers.Sending(sender=ada, to=chidi.email, currency="NGN", amount=Decimal("40.00"))
    with transaction.atomic():
        sent = transfers.send_money(sending=sending.prefetch(), now=clock.now())
    assert told("transfer.sent") == [of(sent, "40.00", counterparty="Chidi E.")]
    assert told("transfer.received") == [of(sent, "40.00", counterparty="Ada O.")]


def test_an_item_of_a_bulk_is_told_like_a_transfer(ada: User, chidi: User) -> None:
    with transaction.atomic():
        bulk.send_all(
            sender=ada, currency="NGN", items=[BulkItem(chidi.email, Decimal("40.00"))], now=clock.now()
        )
    sent = Transaction.objects.get(type="transfer")
    assert told("transfer.received") == [of(sent, "40.00", counterparty="Ada O.")]


def test_undoing(ada: User, chidi: User) -> None:
    one, two = (
        happened(Post(transfer_draft(main_wallet(ada), main_wallet(chidi), "40.00", "1.00")))
        for _ in range(2)
    )
    how = {"actor": None, "reason": "asked for", "now": clock.now()}
    with transaction.atomic():
        mirror = TransactionService.reverse(one, **how)
        refund = TransactionService.refund(two, amount=Decimal("15.00"), **how)
    assert told("transaction.reversed") == [of(one, "40.00", reversal_id=str(mirror.pk))] * 2
    assert told("transaction.refunded") == [of(two, "15.00", refund_id=str(refund.pk))] * 2


def test_a_hold_that_ended_tells_all_that_was_held(ada: User) -> None:
    now = clock.now()
    draft = replace(bill_draft(main_wallet(ada), "40.00", "2.00"), source=None, expires_at=now)
    held = happened(Authorize(draft))
    assert expiry.expire_holds(now=now + timedelta(minutes=1)).count == 1
    assert told("hold.expired") == [of(held, "42.00")]


def test_a_correction(ada: User) -> None:
    asked = adjustments.request_adjustment(
        maker=ManagerFactory(), wallet=main_wallet(ada), amount=Decimal("40.00"), direction="debit",
        reason="counted twice", effective_at=None, now=clock.now(),
    )  # fmt: skip
    adjustments.book_adjustment(
        adjustment_id=asked.pk, checker=StaffFactory(), reason="it was", now=clock.now()
    )
    booked = Transaction.objects.get(type="adjustment")
    assert told("wallet.adjusted") == [of(booked, "40.00", direction="out")]


def test_a_conversion(ada: User) -> None:
    open_wallet(user=ada, currency="USD")
    now = clock.now()
    quote = conversions.quote_conversion(
        user=ada, from_currency="NGN", to_currency="USD", amount=Decimal("900.00"), now=now
    )
    done = conversions.convert(user=ada, quote_id=quote.pk, now=now)
    got = f"{quote.amount_to:.2f}"
    assert told("conversion.completed") == [of(done, "900.00", amount_to=got, currency_to="USD")]


def test_a_credit_that_had_to_wait() -> None:
    eve = UnverifiedUserFactory()
    funded = fund(eve, "50000.01")
    parked = ParkedCredit.objects.get()
    User.objects.filter(pk=eve.pk).update(kyc_tier=1)
    assert release_for(owner_id=eve.pk) == 1
    facts = of(funded, "50000.01", parked_credit_id=str(parked.pk))
    assert told("credit.parked") == [{**facts, "reason": parked.reason}]
    assert told("credit.released") == [facts]
