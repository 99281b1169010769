"""Metrics of bills that are not final, and of the vendors that pay them."""

from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet

from billers.enums import BillStatus
from billers.models import BillPayment
from fintech_core import circuit, metrics


def register() -> None:
    """Register bills that wait for a vendor, for a job or for a person."""
    circuit.register(*settings.VENDORS["biller"])
    metrics.register_waiting(
        "bill_payment", "processing", "bills without the vendor's last word", _processing, since="created_at"
    )
    metrics.register_waiting(
        "bill_payment",
        "due",
        "bills that the vendor is to be sent or asked about now",
        _due,
        since="next_check_at",
    )
    metrics.register_waiting(
        "bill_payment", "needs_review", "bills that a person decides", _needs_review, since="created_at"
    )


def _processing(now: datetime) -> QuerySet[BillPayment]:
    # What is processing and has no next check needs a review, and is counted there.
    rows = BillPayment.objects.filter(status=BillStatus.PROCESSING, next_check_at__isnull=False)
    return rows.order_by("next_check_at")


def _due(now: datetime) -> QuerySet[BillPayment]:
    return BillPayment.objects.filter(next_check_at__lte=now).order_by("next_check_at")


def _needs_review(now: datetime) -> QuerySet[BillPayment]:
    return BillPayment.objects.filter(needs_review=True).order_by("created_at")
