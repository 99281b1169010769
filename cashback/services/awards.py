"""Awarding: a reward row and a draft, handed to whoever settles the payment.

``award`` never posts. The caller puts the drafts beside its own operations into one ``TransactionService.apply``,
which locks all wallets once and then calls the guard. The guard locks the campaign, takes from its budget what the
reward may have and closes the reward row, all in the caller's transaction: a rollback undoes budget, reward and
posting together, and a process that dies anywhere before COMMIT leaves nothing behind.
"""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from uuid import UUID

from django.db.models import QuerySet

from cashback.enums import REWARD_SOURCES, CampaignStatus, RewardStatus
from cashback.evaluation import Payment, evaluate, within_budget
from cashback.models import Campaign, Reward
from fintech_core import money, state
from fintech_core.database.atomic import require_transaction
from fintech_core.money import ZERO
from notifications.services import publish
from transactions import chart
from transactions.drafts import Leg, Source, TransactionDraft, credit_wallet, debit_account
from wallet.services import ensure_cashback_wallet


def preview(
    *, amount: Decimal, currency: str, category: str, biller: str, product: str, now: datetime
) -> Decimal:
    """Return what paying this would earn at this moment, in major units; the budget may be gone by then."""
    payment = Payment(amount, currency, category, biller, product, now)
    best = evaluate(payment, _running(currency))
    return ZERO if best is None else best.amount


def award(
    *,
    user_id: UUID,
    trigger: Source,
    amount: Decimal,
    currency: str,
    category: str,
    biller: str,
    product: str,
    now: datetime,
    paid_at: datetime | None = None,
) -> list[TransactionDraft]:
    """Write the reward of a settled payment and return the draft that pays it, none when nothing is earned.

    ``amount`` is what was paid, without fees, and ``paid_at`` when the customer paid it, by default now: a vendor that
    takes its time costs nobody the reward of a campaign that ended meanwhile. A trigger that was rewarded before gives
    this person nothing again, whichever campaign is the best one now. The caller applies the drafts in the same
    transaction; outside of one this refuses to run (NotInTransaction), and the database refuses to commit a reward
    that was not decided.
    """
    require_transaction("cashback.award")
    payment = Payment(amount, currency, category, biller, product, paid_at or now)
    best = evaluate(payment, _running(currency))
    if best is None:
        return []
    reward, created = Reward.objects.get_or_create(
        trigger_kind=trigger.kind,
        trigger_id=trigger.id,
        user_id=user_id,
        defaults={
            "campaign": best.campaign,
            "amount": best.amount,
            "currency": currency,
            "created_at": now,
        },
    )
    if not created:
        return []
    wallet = ensure_cashback_wallet(user_id=user_id, currency=currency)
    return [
        TransactionDraft(
            type="cashback",
            currency=currency,
            amount=best.amount,
            legs=_legs(best.amount, currency, wallet.pk),
            to_wallet_id=wallet.pk,
            to_user_id=user_id,
            description=best.campaign.name,
            source=Source("reward", reward.pk),
            parkable=True,
            guard=partial(_take_budget, reward),
        )
    ]


def _running(currency: str) -> QuerySet[Campaign]:
    return Campaign.objects.filter(status=CampaignStatus.RUNNING, currency=currency)


def _legs(amount: Decimal, currency: str, wallet_id: UUID) -> tuple[Leg, Leg]:
    return (
        debit_account(chart.CASHBACK_EXPENSE, amount, currency),
        credit_wallet(wallet_id, amount, currency, kind="cashback"),
    )


def _take_budget(reward: Reward, draft: TransactionDraft) -> TransactionDraft | None:
    """Take the reward out of the locked budget: whole, trimmed to what is left, or not at all.

    Called by ``apply`` once the wallets are locked. The budget is read after the lock is held, never before.
    """
    campaign = Campaign.objects.select_for_update(no_key=True).get(pk=reward.campaign_id)
    amount = within_budget(draft.amount, campaign)
    if amount <= 0 or campaign.status != CampaignStatus.RUNNING or draft.to_wallet_id is None:
        state.move(Reward, reward.pk, to=RewardStatus.DROPPED, sources=REWARD_SOURCES)
        return None
    Campaign.objects.filter(pk=campaign.pk).update(spent=campaign.spent + amount)
    state.move(
        Reward,
        reward.pk,
        to=RewardStatus.EARNED,
        sources=REWARD_SOURCES,
        amount=amount,
        transaction_id=draft.id,
    )
    _tell(reward, campaign, amount, draft)
    return replace(draft, amount=amount, legs=_legs(amount, draft.currency, draft.to_wallet_id))


def _tell(reward: Reward, campaign: Campaign, amount: Decimal, draft: TransactionDraft) -> None:
    payload = {
        "amount": money.format_amount(amount, draft.currency),
        "currency": draft.currency,
        "reward_id": str(reward.pk),
        "transaction_id": str(draft.id),
        "campaign": campaign.name,
    }
    publish(type="cashback.earned", user_id=reward.user_id, payload=payload)
