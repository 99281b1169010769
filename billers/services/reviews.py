"""Payments that wait for a person: how they come to wait, and how a person lets them go.

An open payment in review is asked about no more until somebody has it checked; its money stays held, since the vendor
may still deliver. A final one is only looked at: nothing about its money changes here.
"""

from uuid import UUID

import structlog
from django.db import transaction

from billers.enums import BillStatus
from billers.errors import ReviewNotOpen
from billers.models import BillPayment
from fintech_core import audit
from fintech_core.database.atomic import require_transaction
from fintech_core.exceptions import NotFound
from users.models import User

log = structlog.get_logger(__name__)

MAX_REASON = 200


def lock(payment_id: UUID) -> BillPayment:
    """Lock a payment, the first lock of every business step about it; raises NotFound."""
    require_transaction("billers.lock")
    payment = (
        BillPayment.objects.select_for_update(no_key=True, of=("self",))
        .select_related("product__biller")
        .filter(pk=payment_id)
        .first()
    )
    if payment is None:
        raise NotFound
    return payment


def to_review(payment: BillPayment, reason: str) -> None:
    """Leave a locked payment to a person: an open one is due no more, its money stays held."""
    log.error("bill_needs_review", payment_id=str(payment.pk), reference=payment.reference)
    reason = reason[:MAX_REASON]
    rows = BillPayment.objects.filter(pk=payment.pk)
    rows.update(needs_review=True, review_reason=reason, next_check_at=None, lease_until=None)
    audit.record(actor=None, action="bill_payment.needs_review", target=payment, reason=reason)


@transaction.atomic
def close_review(*, payment_id: UUID, actor: User, reason: str) -> None:
    """Note that somebody has looked at a final payment; raises NotFound and ReviewNotOpen.

    An open payment leaves its review only by being asked about: see ``check_now``.
    """
    payment = lock(payment_id)
    if payment.status == BillStatus.PROCESSING or not payment.needs_review:
        raise ReviewNotOpen("Only a final payment that waits for a person is closed by hand.")
    BillPayment.objects.filter(pk=payment.pk).update(needs_review=False)
    audit.record(actor=actor, action="bill_payment.review_closed", target=payment, reason=reason)
