"""What a vendor's unsigned webhook leads to: a question, never a conclusion.

Whoever knows the address can say anything, so nothing of the body but the reference is looked at, and what the vendor
itself answers decides.
"""

from uuid import UUID

from django.db import transaction

from billers.enums import AttemptState, BillStatus
from billers.models import BillAttempt
from billers.services import processing, reviews, settlement
from fintech_core import clock
from fintech_core.outcomes import Outcome
from payments.services import inbox
from payments.services.inbox import Finding, Hint


def process_vendor_hint(*, event_id: UUID) -> None:
    """Ask the vendor about the order that a stored webhook names."""
    inbox.handle(event_id=event_id, work=_follow)


def _follow(hint: Hint) -> Finding:
    attempt = (
        BillAttempt.objects.select_related("payment")
        .filter(vendor=hint.vendor, vendor_reference=hint.subject)
        .first()
    )
    if attempt is None:
        return Finding.NOT_KNOWN_YET
    is_latest = not attempt.payment.attempts.filter(number__gt=attempt.number).exists()
    # An open order is asked about by whoever claims its payment. An order that is closed is asked about here: a
    # claim would send it again, or ask about its successor.
    if attempt.payment.status == BillStatus.PROCESSING and is_latest and attempt.state == AttemptState.SENT:
        with transaction.atomic():
            processing.make_due(reviews.lock(attempt.payment_id), now=clock.now())
        return Finding.DONE
    reading = processing.ask(attempt)
    if reading.outcome == Outcome.UNKNOWN:
        return Finding.NO_ANSWER
    settlement.settle(attempt_id=attempt.pk, lease_number=None, reading=reading, now=clock.now())
    return Finding.DONE
