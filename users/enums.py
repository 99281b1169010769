"""Choices of this app, with the transitions that they allow."""

from collections.abc import Mapping
from typing import Final

from django.db import models


class DocumentType(models.TextChoices):
    """The identity documents that are read here."""

    BVN = "bvn", "Bank verification number"
    NIN = "nin", "National identification number"
    PASSPORT = "passport", "International passport"
    DRIVERS_LICENCE = "drivers_licence", "Driver's licence"
    VOTERS_CARD = "voters_card", "Voter's card"


class KycStatus(models.TextChoices):
    """Where an identity case stands."""

    SUBMITTED = "submitted", "Submitted"
    IN_REVIEW = "in_review", "In review"
    NEEDS_INFO = "needs_info", "Needs information"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    EXPIRED = "expired", "Expired"


AUTOMATIC_TIER: Final = 1
HIGHEST_TIER: Final = 3
KYC_OPEN: Final = frozenset({KycStatus.SUBMITTED, KycStatus.IN_REVIEW, KycStatus.NEEDS_INFO})

# To each status, the statuses it may be reached from. An approval expires; nothing else leaves a final
# status.
KYC_SOURCES: Final[Mapping[str, frozenset[str]]] = {
    KycStatus.IN_REVIEW: frozenset({KycStatus.SUBMITTED, KycStatus.NEEDS_INFO}),
    KycStatus.NEEDS_INFO: frozenset({KycStatus.SUBMITTED, KycStatus.IN_REVIEW}),
    KycStatus.APPROVED: KYC_OPEN,
    KycStatus.REJECTED: KYC_OPEN,
    KycStatus.EXPIRED: frozenset({KycStatus.APPROVED, KycStatus.NEEDS_INFO}),
}


class RevokedReason(models.TextChoices):
    """Why a session ended before its time."""

    SIGNED_OUT = "signed_out", "Signed out"
    ENDED_BY_USER = "ended_by_user", "Ended from another device"
    TOKEN_REUSED = "token_reused", "A used refresh token came back"
    ENDED_BY_STAFF = "ended_by_staff", "Ended by staff"
