"""Cashback: campaigns, and the rewards that they gave.

A campaign gives a percentage of what somebody paid, up to a cap for each payment, out of a budget. The budget is a
counter on the campaign's own row; it is raised only by the guard of a reward's draft, under the row's lock and after
the wallets are locked, so it comes last in the lock order and 50 claims of a budget for 3 give exactly 3.

A reward belongs to one settled fact, its trigger (a bill payment that was delivered), and a fact gives a person at
most one reward: of several campaigns that cover it the best one gives. Reward, budget and posting commit together or
not at all: the database refuses a COMMIT that leaves a reward ``pending``, and an earned reward without its
transaction.

A draft may be edited. Once a campaign has run its terms stay as they were told, so that each reward can be explained
for ever; only its status and what it has spent change. A new offer is a new campaign. The triggers that hold this
stand in ``migrations/sql/cashback_rules.sql``.
"""

from decimal import Decimal
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from cashback.enums import GIVEN, CampaignStatus, RewardStatus
from fintech_core.fields import MoneyField, UuidKey

ALL_BASIS_POINTS = 10_000


class Campaign(models.Model):
    """One offer. Amounts are in major units of ``currency``; an empty scope field means everything."""

    id = UuidKey()
    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    status = models.CharField(max_length=10, choices=CampaignStatus, default=CampaignStatus.DRAFT)
    currency = models.CharField(max_length=3)
    percent_bp = models.PositiveIntegerField("percent (basis points)", help_text="100 is one percent")
    cap = MoneyField(help_text="The most that one payment earns")
    min_payment = MoneyField(default=Decimal(0))
    budget = MoneyField()
    spent = MoneyField(default=Decimal(0), editable=False)
    category = models.CharField(max_length=20, blank=True, default="", help_text="Empty: every category")
    biller = models.CharField(max_length=40, blank=True, default="", help_text="A biller's code, or empty")
    product = models.CharField(max_length=60, blank=True, default="", help_text="A product's code, or empty")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    terms = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        permissions: ClassVar = [("operate_campaign", "Can start, pause and end campaigns")]
        indexes: ClassVar = [
            models.Index(
                fields=["currency", "starts_at"],
                condition=Q(status=CampaignStatus.RUNNING),
                name="campaign_running",
            ),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(percent_bp__gte=1, percent_bp__lte=ALL_BASIS_POINTS),
                name="campaign_percent_is_sane",
            ),
            models.CheckConstraint(
                condition=Q(cap__gt=0, budget__gte=0, min_payment__gte=0), name="campaign_amounts_are_sane"
            ),
            models.CheckConstraint(
                condition=Q(spent__gte=0, spent__lte=F("budget")), name="campaign_spends_within_its_budget"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")),
                name="campaign_ends_after_its_start",
            ),
            models.CheckConstraint(
                condition=Q(status__in=CampaignStatus.values), name="campaign_status_is_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Reward(models.Model):
    """What one settled fact earned in one campaign."""

    id = UuidKey()
    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="rewards")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="rewards")
    trigger_kind = models.CharField(max_length=40)
    trigger_id = models.UUIDField()
    amount = MoneyField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=10, choices=RewardStatus, default=RewardStatus.PENDING)
    transaction = models.OneToOneField(
        "transactions.Transaction", null=True, blank=True, on_delete=models.PROTECT, related_name="reward"
    )
    created_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["user", "-created_at", "-id"], name="reward_by_user"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["trigger_kind", "trigger_id", "user"], name="reward_once_per_trigger_and_user"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="reward_amount_is_positive"),
            models.CheckConstraint(
                condition=Q(status__in=GIVEN, transaction__isnull=False)
                | Q(~Q(status__in=GIVEN), transaction__isnull=True),
                name="reward_given_has_its_transaction",
            ),
            models.CheckConstraint(
                condition=Q(status__in=RewardStatus.values), name="reward_status_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"
