"""Taking back: a payment that was reversed, or refunded in full, keeps no reward.

A refund of a part leaves the reward as it is, since the bill stays paid; the refund that gives back the last of it
takes the whole reward. A reward moves one way: what was taken back stays taken, even when that refund is itself
reversed later.

The ledger's events ring, a sweep looks again, and the rewards themselves say what is to do. Each reward is a step of
its own: killed before COMMIT, nothing has happened; run twice, the row's lock and its status let one of them through.
"""

from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from cashback.enums import REWARD_SOURCES, RewardStatus
from cashback.models import Campaign, Reward
from fintech_core import state
from transactions.enums import ParkedCreditStatus
from transactions.errors import AlreadyReversed, InsufficientFunds, NotReversible
from transactions.models import Transaction
from transactions.selectors import given_back
from transactions.services import TransactionService
from wallet.enums import WalletKind
from wallet.models import Wallet

log = structlog.get_logger(__name__)

SWEEP_LIMIT = 200
ALREADY_REVERSED = Q(transaction__reversed_by__isnull=False)


def take_back_for(*, user_id: UUID, now: datetime) -> int:
    """Take back what payments that were given back had earned this user; return how many rewards were."""
    return _take_back(_unearned().filter(user_id=user_id), now)


def sweep(*, now: datetime) -> int:
    """Take back what payments that were given back had earned anybody, where it can be taken; return how many were.

    Who redeemed the reward before gives it back out of the next ones; one that is parked is taken out of suspense.
    """
    purse = Wallet.objects.filter(
        owner_id=OuterRef("user_id"), kind=WalletKind.CASHBACK, currency=OuterRef("currency")
    ).filter(balance__gte=F("held") + OuterRef("amount"))
    waits = Q(transaction__parked_credit__status=ParkedCreditStatus.PARKED)
    return _take_back(_unearned().filter(ALREADY_REVERSED | waits | Exists(purse)), now)


def waiting() -> int:
    """Count the rewards that should be taken back and were not, since they are spent, so that staff may look."""
    return _unearned().count()


def _unearned() -> QuerySet[Reward]:
    """Return earned rewards whose payment was given back as a whole, or whose own transaction staff have reversed."""
    purchase = given_back().filter(source_kind=OuterRef("trigger_kind"), source_id=OuterRef("trigger_id"))
    return Reward.objects.filter(status=RewardStatus.EARNED).filter(ALREADY_REVERSED | Exists(purchase))


def _take_back(rewards: QuerySet[Reward], now: datetime) -> int:
    found = list(rewards.order_by("created_at").values_list("pk", flat=True)[:SWEEP_LIMIT])
    return sum(_take_back_one(reward_id, now) for reward_id in found)


def _take_back_one(reward_id: UUID, now: datetime) -> bool:
    """Reverse one reward and give its amount back to the budget; False where it is too late or somebody was faster.

    What was redeemed meanwhile is left to staff, with an alarm: a wallet never goes below zero.
    """
    try:
        with transaction.atomic():
            reward = (
                Reward.objects.select_for_update(no_key=True, of=("self",))
                .filter(pk=reward_id, status=RewardStatus.EARNED)
                .first()
            )
            if reward is None or reward.transaction_id is None:
                return False
            if not Transaction.objects.filter(reverses_id=reward.transaction_id).exists():
                posted = Transaction.objects.get(pk=reward.transaction_id)
                reason = f"The {reward.trigger_kind} {reward.trigger_id} was {_how_given_back(reward)}."
                TransactionService.reverse(posted, actor=None, reason=reason, now=now)
            Campaign.objects.filter(pk=reward.campaign_id).update(spent=F("spent") - reward.amount)
            state.move(Reward, reward.pk, to=RewardStatus.CANCELLED, sources=REWARD_SOURCES)
    except AlreadyReversed:
        # Staff did it a moment ago, and a mirror stays: this time only the budget is left to be given back.
        return _take_back_one(reward_id, now)
    except (InsufficientFunds, NotReversible) as refusal:
        log.error("cashback_not_taken_back", reward_id=str(reward_id), refusal=refusal.code)
        return False
    return True


def _how_given_back(reward: Reward) -> str:
    purchase = Transaction.objects.filter(source_kind=reward.trigger_kind, source_id=reward.trigger_id)
    return "reversed" if purchase.filter(reversed_by__isnull=False).exists() else "refunded in full"
