"""Lesson 26: a check that was skipped on one path. Every way in which money leaves a wallet meets the same check.

Each path is asked for a kobo more than there is, and refused with nothing changed; then for all there is, and the
wallet is empty.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction

from cashback import services as cashback
from fintech_core import clock
from tests.factories import ManagerFactory, StaffFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import bill_draft, happened, settlement, transfer_draft
from transactions import chart
from transactions.drafts import Authorize, Post, Source, TransactionDraft, credit_wallet, debit_account
from transactions.enums import Direction
from transactions.errors import CaptureExceedsHold, InsufficientFunds
from transactions.models import LedgerEntry, Transaction
from transactions.services import TransactionService, adjustments, conversions, transfers
from transactions.verification import verify
from users.models import User
from wallet.models import Wallet
from wallet.services import ensure_cashback_wallet, open_wallet

pytestmark = pytest.mark.django_db
HUNDRED, KOBO = Decimal("100.00"), Decimal("0.01")


@dataclass
class Scene:
    """Ada, who has 100.00 and nothing else, and the others."""

    ada: User
    chidi: User


@pytest.fixture
def scene() -> Scene:
    ada: User = UserFactory(kyc_tier=3)
    fund(ada, "100.00")
    return Scene(ada, UserFactory(kyc_tier=3))


def drafted(scene: Scene, amount: Decimal) -> TransactionDraft:
    return transfer_draft(main_wallet(scene.ada), main_wallet(scene.chidi), f"{amount}")


def transfer(scene: Scene, amount: Decimal) -> None:
    sending = transfers.Sending(scene.ada, scene.chidi.email, "NGN", amount)
    transfers.send_money(sending=sending.prefetch(), now=clock.now())


def post(scene: Scene, amount: Decimal) -> None:
    happened(Post(drafted(scene, amount)))


def post_many(scene: Scene, amount: Decimal) -> None:
    """Two that fit one by one, and not together."""
    with transaction.atomic():
        TransactionService.post_many(
            [drafted(scene, amount - 1), drafted(scene, Decimal(1))], now=clock.now()
        )


def post_each(scene: Scene, amount: Decimal) -> None:
    with transaction.atomic():
        (result,) = TransactionService.post_each([drafted(scene, amount)], now=clock.now())
    if isinstance(result, Exception):
        raise result


def hold(scene: Scene, amount: Decimal) -> None:
    held = happened(Authorize(bill_draft(main_wallet(scene.ada), f"{amount}")))
    happened(settlement(held, main_wallet(scene.ada), held.amount, Decimal(0), Decimal(0)))


def capture(scene: Scene, amount: Decimal) -> None:
    """Capture more than was held, while the hold is all that there is."""
    held = happened(Authorize(bill_draft(main_wallet(scene.ada), "100.00")))
    try:
        happened(settlement(held, main_wallet(scene.ada), amount, Decimal(0), Decimal(0)))
    except CaptureExceedsHold:
        with transaction.atomic():
            TransactionService.void(held, failure_code="declined", now=clock.now())
        raise


def beside_a_hold(scene: Scene, amount: Decimal) -> None:
    """Post in one step with a hold that leaves too little."""
    held = bill_draft(main_wallet(scene.ada), "1.00")
    with transaction.atomic():
        TransactionService.apply([Authorize(held), Post(drafted(scene, amount - 1))], now=clock.now())


def received(scene: Scene, amount: Decimal) -> Transaction:
    """Let Chidi send Ada what makes her wallet the amount, and let her spend what she had."""
    fund(scene.chidi, f"{amount}")
    sent = happened(Post(transfer_draft(main_wallet(scene.chidi), main_wallet(scene.ada), f"{amount}")))
    happened(Post(transfer_draft(main_wallet(scene.ada), main_wallet(UserFactory(kyc_tier=3)), f"{amount}")))
    return sent


def reverse(scene: Scene, amount: Decimal) -> None:
    with transaction.atomic():
        sent = received(scene, amount)
        TransactionService.reverse(sent, actor=None, reason="error", now=clock.now())


def refund(scene: Scene, amount: Decimal) -> None:
    with transaction.atomic():
        sent = received(scene, amount)
        TransactionService.refund(sent, amount=amount, actor=None, reason="goods came back", now=clock.now())


def convert(scene: Scene, amount: Decimal) -> None:
    with transaction.atomic():
        open_wallet(user=scene.ada, currency="USD")
        quote = conversions.quote_conversion(
            user=scene.ada, from_currency="NGN", to_currency="USD", amount=amount, now=clock.now()
        )
        conversions.convert(user=scene.ada, quote_id=quote.pk, now=clock.now())


def adjust(scene: Scene, amount: Decimal) -> None:
    with transaction.atomic():
        asked = adjustments.request_adjustment(
            wallet=main_wallet(scene.ada), maker=ManagerFactory(), now=clock.now(), direction=Direction.DEBIT,
            amount=amount, effective_at=None, reason="Case 4711",
        )  # fmt: skip
        adjustments.book_adjustment(
            adjustment_id=asked.pk, checker=StaffFactory(), reason="seen", now=clock.now()
        )


PATHS: dict[str, Callable[[Scene, Decimal], None]] = {
    "transfer": transfer, "post": post, "post_many": post_many, "post_each": post_each, "hold": hold,
    "capture": capture, "beside_a_hold": beside_a_hold, "reverse": reverse, "refund": refund, "convert": convert,
    "adjust": adjust,
}  # fmt: skip


def books() -> tuple[Any, ...]:
    return (
        sorted(Wallet.objects.values_list("pk", "balance", "held", "spent_today")),
        LedgerEntry.objects.count(),
        Transaction.objects.filter(status="completed").count(),
    )


class TestEveryPath:
    @pytest.mark.parametrize("path", PATHS)
    def test_lesson_26_no_path_takes_more_than_there_is(self, scene: Scene, path: str) -> None:
        before = [wallet for wallet in books()[0] if wallet[0] == main_wallet(scene.ada).pk], books()[1:]
        with pytest.raises((InsufficientFunds, CaptureExceedsHold)):
            PATHS[path](scene, HUNDRED + KOBO)
        assert (
            [wallet for wallet in books()[0] if wallet[0] == main_wallet(scene.ada).pk],
            books()[1:],
        ) == before
        PATHS[path](scene, HUNDRED)
        wallet = main_wallet(scene.ada)
        assert wallet.balance - wallet.held == 0
        assert verify().findings == ()

    def test_lesson_26_redeeming_takes_no_more_cashback_than_there_is(self, scene: Scene) -> None:
        purse = ensure_cashback_wallet(user_id=scene.ada.pk, currency="NGN")
        value = Decimal("5.00")
        legs = (
            debit_account(chart.CASHBACK_EXPENSE, value, "NGN"),
            credit_wallet(purse.pk, value, "NGN", kind="cashback"),
        )
        happened(
            Post(TransactionDraft(type="cashback", currency="NGN", amount=value, legs=legs, to_wallet_id=purse.pk,
                                  to_user_id=scene.ada.pk, source=Source("bonus", uuid4())))
        )  # fmt: skip
        with pytest.raises(InsufficientFunds):
            cashback.redeem(user=scene.ada, amount=value + KOBO, currency="NGN", now=clock.now())
        cashback.redeem(user=scene.ada, amount=value, currency="NGN", now=clock.now())
        assert main_wallet(scene.ada).balance == HUNDRED + value
