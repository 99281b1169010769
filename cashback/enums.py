"""Choices of this app, with the transitions that they allow."""

from collections.abc import Mapping
from typing import Final

from django.db import models


class CampaignStatus(models.TextChoices):
    """Whether a campaign gives anything."""

    DRAFT = "draft", "Draft"
    RUNNING = "running", "Running"
    PAUSED = "paused", "Paused"
    ENDED = "ended", "Ended"


class RewardStatus(models.TextChoices):
    """``pending`` lives inside one transaction only: before it commits, the reward is earned or dropped.

    ``dropped`` found its budget gone; ``cancelled`` was earned and taken back with the payment that had earned it.
    """

    PENDING = "pending", "Pending"
    EARNED = "earned", "Earned"
    DROPPED = "dropped", "Dropped"
    CANCELLED = "cancelled", "Cancelled"


# To each status, the statuses it may be reached from.
CAMPAIGN_SOURCES: Final[Mapping[str, frozenset[str]]] = {
    CampaignStatus.RUNNING: frozenset({CampaignStatus.DRAFT, CampaignStatus.PAUSED}),
    CampaignStatus.PAUSED: frozenset({CampaignStatus.RUNNING}),
    CampaignStatus.ENDED: frozenset({CampaignStatus.DRAFT, CampaignStatus.RUNNING, CampaignStatus.PAUSED}),
}
REWARD_SOURCES: Final[Mapping[str, frozenset[str]]] = {
    RewardStatus.EARNED: frozenset({RewardStatus.PENDING}),
    RewardStatus.DROPPED: frozenset({RewardStatus.PENDING}),
    RewardStatus.CANCELLED: frozenset({RewardStatus.EARNED}),
}
# The statuses in which money was posted for the reward, in the order of their names, as a constraint writes them.
GIVEN: Final = (RewardStatus.CANCELLED, RewardStatus.EARNED)
