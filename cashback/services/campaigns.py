"""What staff do with a campaign: start, pause, end. Its terms are not edited once it has run."""

from uuid import UUID

from django.db import transaction

from cashback.enums import CAMPAIGN_SOURCES, CampaignStatus
from cashback.errors import CampaignStateConflict
from cashback.models import Campaign
from fintech_core import audit, state
from fintech_core.exceptions import NotFound
from users.models import User


def start_campaign(*, campaign_id: UUID, actor: User, reason: str) -> Campaign:
    """Let a campaign give rewards. Raises NotFound, CampaignStateConflict."""
    return _move(campaign_id, CampaignStatus.RUNNING, actor, reason)


def pause_campaign(*, campaign_id: UUID, actor: User, reason: str) -> Campaign:
    """Stop a campaign for now. Raises NotFound, CampaignStateConflict."""
    return _move(campaign_id, CampaignStatus.PAUSED, actor, reason)


def end_campaign(*, campaign_id: UUID, actor: User, reason: str) -> Campaign:
    """End a campaign for good. Raises NotFound, CampaignStateConflict."""
    return _move(campaign_id, CampaignStatus.ENDED, actor, reason)


@transaction.atomic
def _move(campaign_id: UUID, to: CampaignStatus, actor: User, reason: str) -> Campaign:
    campaign = Campaign.objects.select_for_update(no_key=True).filter(pk=campaign_id).first()
    if campaign is None:
        raise NotFound
    before = campaign.status
    if not state.move(Campaign, campaign.pk, to=to, sources=CAMPAIGN_SOURCES):
        raise CampaignStateConflict(f"A campaign that is {before} cannot become {to}.")
    campaign.refresh_from_db()
    audit.record(
        actor=actor,
        action=f"campaign.{to}",
        target=campaign,
        reason=reason,
        changes={"status": [before, campaign.status]},
    )
    return campaign
