"""Refusals of this app."""

from fintech_core.exceptions import DomainError


class CampaignStateConflict(DomainError):
    """The campaign's status does not allow what was asked."""

    code, status, title = "campaign_state_conflict", 409, "The campaign's status does not allow this"


class CampaignRefused(DomainError):
    """The terms cannot be offered: figures that do not fit, or the code of another campaign."""

    code, status, title = "campaign_refused", 422, "This campaign cannot be offered"
