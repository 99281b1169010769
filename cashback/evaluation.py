"""What a payment earns: one pure function, used by the quote, by the award and by anyone who wants to know."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from cashback.enums import CampaignStatus
from cashback.models import ALL_BASIS_POINTS, Campaign
from fintech_core import money


@dataclass(frozen=True, slots=True)
class Payment:
    """What was paid, as campaigns look at it. ``amount`` is in major units and without fees."""

    amount: Decimal
    currency: str
    category: str
    biller: str
    product: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Award:
    """What one campaign gives for one payment."""

    campaign: Campaign
    amount: Decimal


def evaluate(payment: Payment, campaigns: Iterable[Campaign]) -> Award | None:
    """Return the highest award, None when nothing is earned; of equal ones the older campaign gives.

    The percentage is capped, cut to what the budget still holds, and rounded down to the currency's smallest unit.
    The budget seen here is a reading; the guard decides under the row's lock.
    """
    awards = [award for campaign in campaigns if (award := _award(payment, campaign)) is not None]
    return max(awards, key=lambda award: (award.amount, -award.campaign.id.int), default=None)


def _award(payment: Payment, campaign: Campaign) -> Award | None:
    if not (_is_open(campaign, payment.at) and _covers(campaign, payment)):
        return None
    share = money.basis_points_down(payment.amount, campaign.percent_bp, payment.currency)
    amount = within_budget(min(share, campaign.cap), campaign)
    return Award(campaign, amount) if amount > 0 else None


def within_budget(amount: Decimal, campaign: Campaign) -> Decimal:
    """Return what of the amount the campaign can still pay, in whole smallest units of its currency.

    A campaign that was written past the services may have a cap or budget with more decimals than its currency; a
    reward never has, since a settlement that cannot be posted would keep the customer's bill open.
    """
    left = min(amount, campaign.budget - campaign.spent)
    return money.basis_points_down(left, ALL_BASIS_POINTS, campaign.currency)


def _is_open(campaign: Campaign, at: datetime) -> bool:
    ended = campaign.ends_at is not None and campaign.ends_at <= at
    return campaign.status == CampaignStatus.RUNNING and campaign.starts_at <= at and not ended


def _covers(campaign: Campaign, payment: Payment) -> bool:
    scope = (
        (campaign.category, payment.category),
        (campaign.biller, payment.biller),
        (campaign.product, payment.product),
    )
    return (
        campaign.currency == payment.currency
        and payment.amount >= campaign.min_payment
        and all(wanted in {"", given} for wanted, given in scope)
    )
