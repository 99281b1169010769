"""What staff do with a campaign: write and edit a draft; start, pause and end it. Its terms stay once it has run."""

from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from cashback.enums import CAMPAIGN_SOURCES, CampaignStatus
from cashback.errors import CampaignRefused, CampaignStateConflict
from cashback.models import Campaign
from cashback.terms import Terms
from fintech_core import audit, state
from fintech_core.exceptions import NotFound
from users.models import User


@transaction.atomic
def create_campaign(*, terms: Terms, actor: User, reason: str) -> Campaign:
    """Write a draft, which gives nothing until it is started. Raises CampaignRefused."""
    _require_sound(terms, others=Campaign.objects.all())
    campaign = Campaign.objects.create(**asdict(terms))
    changes = {name: [None, told(value)] for name, value in asdict(terms).items()}
    audit.record(actor=actor, action="campaign.created", target=campaign, reason=reason, changes=changes)
    return campaign


@transaction.atomic
def edit_campaign(*, campaign_id: UUID, terms: Terms, actor: User, reason: str) -> Campaign:
    """Give a draft other terms. Raises NotFound, CampaignRefused, CampaignStateConflict once it has run."""
    campaign = _lock(campaign_id)
    if campaign.status != CampaignStatus.DRAFT:
        raise CampaignStateConflict(f"A campaign that is {campaign.status} keeps its terms; write a new one.")
    _require_sound(terms, others=Campaign.objects.exclude(pk=campaign.pk))
    changes: dict[str, list[Any]] = {}
    for name, value in asdict(terms).items():
        before = getattr(campaign, name)
        if before != value:
            changes[name] = [told(before), told(value)]
            setattr(campaign, name, value)
    if changes:
        campaign.save(update_fields=list(changes))
        audit.record(actor=actor, action="campaign.edited", target=campaign, reason=reason, changes=changes)
    return campaign


def start_campaign(*, campaign_id: UUID, actor: User, reason: str) -> Campaign:
    """Let a campaign give rewards. Raises NotFound, CampaignStateConflict."""
    return _move(campaign_id, CampaignStatus.RUNNING, actor, reason)


def pause_campaign(*, campaign_id: UUID, actor: User, reason: str) -> Campaign:
    """Stop a campaign for now. Raises NotFound, CampaignStateConflict."""
    return _move(campaign_id, CampaignStatus.PAUSED, actor, reason)


def end_campaign(*, campaign_id: UUID, actor: User, reason: str) -> Campaign:
    """End a campaign for good. Raises NotFound, CampaignStateConflict."""
    return _move(campaign_id, CampaignStatus.ENDED, actor, reason)


def told(value: object) -> Any:
    """Return a term as the audit log keeps it: amounts and instants (in UTC) as text."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


@transaction.atomic
def _move(campaign_id: UUID, to: CampaignStatus, actor: User, reason: str) -> Campaign:
    campaign = _lock(campaign_id)
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


def _lock(campaign_id: UUID) -> Campaign:
    """Lock a campaign as every reward does, so that no reward is given on terms that are being changed."""
    campaign = Campaign.objects.select_for_update(no_key=True).filter(pk=campaign_id).first()
    if campaign is None:
        raise NotFound
    return campaign


def _require_sound(terms: Terms, *, others: QuerySet[Campaign]) -> None:
    faults = terms.faults()
    if faults:
        raise CampaignRefused(" ".join(faults.values()))
    if others.filter(code=terms.code).exists():
        raise CampaignRefused("There is a campaign with this code already.")
