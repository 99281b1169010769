"""Credits that had to wait, for tests that take them back."""

from decimal import Decimal
from uuid import uuid4

from django.db import transaction
from django.db.models import Case, F, Sum, When

from fintech_core import clock
from tests.factories import StaffFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import happened, transfer_draft
from transactions.chart import gateway_clearing
from transactions.drafts import Post, Source, funding_draft
from transactions.models import LedgerEntry, ParkedCredit, Transaction
from transactions.services import TransactionService
from transactions.services.releasing import release_for
from users.models import User
from wallet.services import freeze_wallet, unfreeze_wallet

AMOUNT, FEE = Decimal("60.00"), Decimal("1.50")


def parked_funding(user: User) -> Transaction:
    """Let ₦60, and a fee of ₦1.50, come for somebody whose wallet is frozen."""
    freeze(user)
    draft = funding_draft(
        wallet_id=main_wallet(user).pk, user_id=user.pk, amount=AMOUNT, fee=FEE, currency="NGN",
        source_account=gateway_clearing("paystack"), source=Source("payment", uuid4()),
    )  # fmt: skip
    return happened(Post(draft))


def parked_refund() -> tuple[User, User, Transaction]:
    """Let somebody whose wallet is frozen be refunded the ₦40 that they had sent the second."""
    ada, chidi = UserFactory(), UserFactory()
    fund(ada, "100.00")
    sent = happened(Post(transfer_draft(main_wallet(ada), main_wallet(chidi), "40.00")))
    freeze(ada)
    return ada, chidi, refund(sent)


def refund(sent: Transaction) -> Transaction:
    with transaction.atomic():
        return TransactionService.refund(sent, actor=StaffFactory(), reason="not sent", now=clock.now())


def freeze(user: User) -> None:
    freeze_wallet(wallet_id=main_wallet(user).pk, actor=StaffFactory(), reason="fraud alert")


def land(user: User) -> Transaction:
    """Let the one credit that waits for somebody land in their wallet, and return its release."""
    unfreeze_wallet(wallet_id=main_wallet(user).pk, actor=StaffFactory(), reason="cleared")
    assert release_for(owner_id=user.pk) == 1
    released_by = ParkedCredit.objects.get(owner=user).released_by
    assert released_by is not None
    return released_by


def spend(user: User, amount: str) -> None:
    """Send somebody's money to somebody else."""
    happened(Post(transfer_draft(main_wallet(user), main_wallet(UserFactory()), amount)))


def reverse(movement: Transaction, *, book_shortfall: bool = False, actor: User | None = None) -> Transaction:
    """Reverse a movement, committed."""
    with transaction.atomic():
        return TransactionService.reverse(
            movement, actor=actor or StaffFactory(), reason="chargeback", book_shortfall=book_shortfall,
            now=clock.now(),
        )  # fmt: skip


def account(code: str) -> Decimal:
    """Return what stands on an account, a credit as plus."""
    signed = Case(When(direction="credit", then=F("amount")), default=-F("amount"))
    total = LedgerEntry.objects.filter(account__code=code).aggregate(total=Sum(signed))["total"]
    return total or Decimal(0)
