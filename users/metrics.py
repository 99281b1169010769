"""Metrics of identity cases, and of the verifier."""

from datetime import datetime

from django.db.models import QuerySet

from fintech_core import circuit, metrics
from users.enums import KycStatus
from users.models import KycCase
from users.verifiers.http import VENDOR


def register() -> None:
    """Register cases that wait for the verifier or for a person."""
    circuit.register(VENDOR)
    metrics.register_waiting(
        "kyc_case", "due", "cases that the verifier is to be asked about now", _due, since="next_check_at"
    )
    metrics.register_waiting(
        "kyc_case", "in_review", "cases that a person decides", _in_review, since="created_at"
    )


def _due(now: datetime) -> QuerySet[KycCase]:
    return KycCase.objects.filter(next_check_at__lte=now).order_by("next_check_at")


def _in_review(now: datetime) -> QuerySet[KycCase]:
    return KycCase.objects.filter(status=KycStatus.IN_REVIEW).order_by("created_at", "id")
