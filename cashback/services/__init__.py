"""Writes of this app: awarding, redeeming, and what staff do with campaigns."""

from cashback.services.awards import award, preview
from cashback.services.campaigns import (
    create_campaign,
    edit_campaign,
    end_campaign,
    pause_campaign,
    start_campaign,
)
from cashback.services.redemption import redeem

__all__ = [
    "award",
    "create_campaign",
    "edit_campaign",
    "end_campaign",
    "pause_campaign",
    "preview",
    "redeem",
    "start_campaign",
]
