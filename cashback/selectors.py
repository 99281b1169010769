"""Reads of this app, scoped by owner."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db.models import QuerySet, Sum

from cashback.enums import RewardStatus
from cashback.models import Reward
from fintech_core.money import ZERO
from transactions.enums import ParkedCreditStatus
from users.models import User
from wallet.enums import WalletKind
from wallet.models import Wallet


@dataclass(frozen=True, slots=True)
class CashbackSummary:
    """What a customer has of cashback, in major units of ``currency``.

    ``pending`` was earned and waits to land (the wallet was frozen), ``expiring_soon`` is zero while no campaign
    lets rewards expire.
    """

    currency: str
    pending: Decimal
    available: Decimal
    lifetime: Decimal
    expiring_soon: Decimal


def list_rewards_for(
    *, user: User, currency: str | None = None, status: str | None = None
) -> QuerySet[Reward]:
    """Return what the user earned or would have earned."""
    rewards = Reward.objects.filter(user=user).select_related("campaign")
    if currency:
        rewards = rewards.filter(currency=currency)
    return rewards.filter(status=status) if status else rewards


def get_summary_for(*, user: User, currency: str) -> CashbackSummary:
    """Return the user's cashback in one currency."""
    earned = Reward.objects.filter(user=user, currency=currency, status=RewardStatus.EARNED)
    waiting = earned.filter(transaction__parked_credit__status=ParkedCreditStatus.PARKED)
    wallet = find_cashback_wallet(user_id=user.pk, currency=currency)
    return CashbackSummary(
        currency=currency,
        pending=_sum(waiting),
        available=wallet.available if wallet else ZERO,
        lifetime=_sum(earned),
        expiring_soon=ZERO,
    )


def find_cashback_wallet(*, user_id: UUID, currency: str) -> Wallet | None:
    """Return the user's cashback wallet in this currency, None before the first reward."""
    return Wallet.objects.filter(owner_id=user_id, kind=WalletKind.CASHBACK, currency=currency).first()


def rewards_of(*, user_id: UUID, trigger_kind: str, trigger_ids: Collection[UUID]) -> dict[UUID, Reward]:
    """Return the rewards that business documents earned their owner, by the document's id, for the documents' app."""
    rewards = Reward.objects.filter(user_id=user_id, trigger_kind=trigger_kind, trigger_id__in=trigger_ids)
    return {reward.trigger_id: reward for reward in rewards}


def _sum(rewards: QuerySet[Reward]) -> Decimal:
    total: Decimal | None = rewards.aggregate(total=Sum("amount"))["total"]
    return total or ZERO
