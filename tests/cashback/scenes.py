"""A small history in which every kind of campaign and reward stands once, for tests that attack or re-prove it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import transaction

from cashback import services
from cashback.models import Campaign, Reward
from cashback.services import taking_back
from fintech_core import clock
from tests.cashback.offers import (
    AIRTIME,
    ZERO,
    cashback_wallet,
    draft,
    held,
    pay,
    payer,
    running,
    settle,
    trigger_of,
)
from tests.factories import StaffFactory
from tests.transactions.money import main_wallet
from tests.transactions.story import settlement
from transactions.drafts import Post
from transactions.models import Transaction
from transactions.services import TransactionService
from users.models import User
from wallet.services import ensure_cashback_wallet, freeze_wallet


@dataclass(frozen=True, slots=True)
class Scene:
    """Who and what is there."""

    user: User
    written: Campaign
    campaign: Campaign
    paused: Campaign
    ended: Campaign
    earned: Reward
    dropped: Reward
    cancelled: Reward
    parked: Reward
    redemption: Transaction

    def ids(self) -> dict[str, Any]:
        """Name every row for SQL."""
        named = {name: getattr(self, name).pk for name in self.__dataclass_fields__}
        return named | {
            "wallet": cashback_wallet(self.user).pk,
            "posted": self.earned.transaction_id,
            "posted_parked": self.parked.transaction_id,
        }


def set_scene() -> Scene:
    """Let it all happen, committed, and return it."""
    staff, user = StaffFactory(), payer()
    campaign = running(budget=Decimal("31.00"))
    earned, cancelled = pay(user, "100.00"), pay(user, "50.00")
    assert earned is not None
    assert cancelled is not None
    _undo(cancelled)
    parked, dropped = _parked(), dropped_reward(user, code="small", budget=Decimal("2.00"))
    redemption = services.redeem(user=user, amount=Decimal("4.00"), currency="NGN", now=clock.now())
    stopped = [running(code=code, category="tv") for code in ("paused", "ended")]
    paused = services.pause_campaign(campaign_id=stopped[0].pk, actor=staff, reason="for now")
    ended = services.end_campaign(campaign_id=stopped[1].pk, actor=staff, reason="for good")
    rows = [Reward.objects.get(pk=reward.pk) for reward in (earned, dropped, cancelled, parked)]
    return Scene(user, draft(code="written"), campaign, paused, ended, *rows, redemption)


def _undo(reward: Reward) -> None:
    bill = Transaction.objects.get(source_kind=reward.trigger_kind, source_id=reward.trigger_id)
    with transaction.atomic():
        TransactionService.reverse(bill, actor=StaffFactory(), reason="wrong meter", now=clock.now())
    assert taking_back.sweep(now=clock.now()) == 1


def _parked() -> Reward:
    somebody = payer()
    wallet = ensure_cashback_wallet(user_id=somebody.pk, currency="NGN")
    freeze_wallet(wallet_id=wallet.pk, actor=StaffFactory(), reason="alert")
    reward = pay(somebody, "100.00")
    assert reward is not None
    return reward


def dropped_reward(user: User, **terms: Any) -> Reward:
    """Let one bill take the whole budget between the evaluation of another one and its posting."""
    small = running(percent_bp=2_000, **terms)
    first, second = held(user, "10.00"), held(user, "10.00")
    with transaction.atomic():
        drafts = services.award(
            user_id=user.pk, trigger=trigger_of(second), amount=second.amount, currency="NGN", now=clock.now(),
            **AIRTIME,
        )  # fmt: skip
        assert settle(first) is not None
        capture = settlement(second, main_wallet(user), second.amount, ZERO, ZERO)
        _, posted = TransactionService.apply([capture, *map(Post, drafts)], now=clock.now())
    assert posted is None
    return Reward.objects.get(campaign=small, status="dropped")
