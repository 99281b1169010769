"""Campaigns to test with, and bills that are settled with their rewards, as billers settle them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from cashback import services
from cashback.evaluation import Payment
from cashback.models import Campaign, Reward
from cashback.terms import Terms
from fintech_core import clock
from fintech_core.models import AuditRecord
from notifications.models import Event
from tests.factories import StaffFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import bill_draft, settlement
from transactions.drafts import Post, Source
from transactions.models import LedgerEntry, Transaction
from transactions.services import TransactionService
from users.models import User
from wallet.models import Wallet

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
SAMPLE = "electricity-1-percent"
ZERO = Decimal(0)
# The sample campaign covers electricity; what is tested here without it is airtime.
AIRTIME = {"category": "airtime", "biller": "mtn", "product": "airtime"}
ELECTRICITY = {"category": "electricity", "biller": "ikeja-electric", "product": "prepaid"}


def terms(**changes: Any) -> Terms:
    """Terms of 10 % on airtime, at most ₦50 a payment, ₦1,000 altogether."""
    given: dict[str, Any] = {
        "code": "airtime-10",
        "name": "10 % back on airtime",
        "currency": "NGN",
        "percent_bp": 1_000,
        "cap": Decimal("50.00"),
        "min_payment": ZERO,
        "budget": Decimal("1000.00"),
        "starts_at": BEGAN,
        "category": "airtime",
    }
    return Terms(**{**given, **changes})


def draft(**changes: Any) -> Campaign:
    """A campaign that was written and not started."""
    return services.create_campaign(terms=terms(**changes), actor=StaffFactory(), reason="launch")


def running(**changes: Any) -> Campaign:
    """A campaign that gives rewards."""
    return services.start_campaign(campaign_id=draft(**changes).pk, actor=StaffFactory(), reason="as agreed")


def payment(amount: str = "100.00", **changes: Any) -> Payment:
    """A payment of airtime, as campaigns look at it."""
    facts = {"amount": Decimal(amount), "currency": "NGN", **AIRTIME, "at": clock.now(), **changes}
    return Payment(**facts)


def payer(amount: str = "40000.00") -> User:
    """A customer of tier 3 with money in the main wallet."""
    user: User = UserFactory(kyc_tier=3)
    fund(user, amount)
    return user


def held(user: User, amount: str) -> Transaction:
    """Hold money for a bill, committed where tests commit."""
    with transaction.atomic():
        return TransactionService.authorize(bill_draft(main_wallet(user), amount), now=clock.now())


def settle(bill: Transaction, *, now: datetime | None = None, **product: str) -> Reward | None:
    """Settle a held bill with its reward in one step, airtime unless told otherwise; return the reward."""
    moment = now or clock.now()
    wallet = Wallet.objects.get(pk=bill.from_wallet_id)
    assert bill.source_id is not None
    with transaction.atomic():
        drafts = services.award(
            user_id=wallet.owner_id, trigger=trigger_of(bill), amount=bill.amount, currency=bill.currency,
            now=moment, **(product or AIRTIME),
        )  # fmt: skip
        capture = settlement(bill, wallet, bill.amount, ZERO, ZERO)
        TransactionService.apply([capture, *map(Post, drafts)], now=moment)
    return Reward.objects.filter(trigger_id=bill.source_id).first()


def trigger_of(bill: Transaction) -> Source:
    """Name the document behind a bill's hold: what a reward is for."""
    assert bill.source_id is not None
    return Source(bill.source_kind, bill.source_id)


def pay(user: User, amount: str, **product: str) -> Reward | None:
    """Pay and settle one bill; return the reward."""
    return settle(held(user, amount), **product)


def earn(user: User, amount: str) -> Reward:
    """Let somebody earn an amount by airtime that is given back whole."""
    if not Campaign.objects.filter(code="all-back").exists():
        everything = {"percent_bp": 10_000, "cap": Decimal(10_000), "budget": Decimal(1_000_000)}
        running(code="all-back", name="Everything back", **everything)
    fund(user, amount)
    reward = pay(user, amount)
    assert reward is not None
    return reward


def cashback_wallet(user: User, currency: str = "NGN") -> Wallet:
    """Return the user's cashback wallet as it stands now."""
    return Wallet.objects.get(owner=user, kind="cashback", currency=currency)


def purse(user: User) -> tuple[Decimal, Decimal]:
    """Return what the main and the cashback wallet have."""
    cashback = Wallet.objects.filter(owner=user, kind="cashback", currency="NGN").first()
    return main_wallet(user).balance, cashback.balance if cashback else ZERO


def spent(campaign_id: UUID) -> Decimal:
    """Return what a campaign has spent by now."""
    return Campaign.objects.get(pk=campaign_id).spent


def books() -> tuple[Any, ...]:
    """Return what a refusal must leave as it was."""
    return (
        LedgerEntry.objects.count(),
        sorted(Transaction.objects.values_list("pk", "status")),
        sorted(Wallet.objects.filter(owner__is_staff=False).values_list("pk", "balance", "held", "status")),
        sorted(Campaign.objects.values_list("pk", "status", "spent", "budget", "percent_bp", "name")),
        sorted(Reward.objects.values_list("pk", "status", "amount")),
        AuditRecord.objects.count(),
        Event.objects.count(),
    )
