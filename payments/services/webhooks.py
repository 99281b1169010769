"""Acting on a gateway's stored webhook: find our checkout, ask the gateway, settle.

The event's own numbers are never read. One that overtook our commit finds no checkout and is tried again for 15
minutes; then it is dead, with an alarm, and no guessed user is credited.
"""

from uuid import UUID

import structlog
from django.conf import settings

from fintech_core import clock
from fintech_core.outcomes import Outcome, ProviderError
from payments.models import CheckoutAttempt
from payments.providers import registry
from payments.services import settlement
from payments.services.inbox import Finding, Hint, handle

log = structlog.get_logger(__name__)


def process_payment_webhook(*, event_id: UUID) -> None:
    """Act on one stored webhook of a gateway; safe to run any number of times, also at once."""
    handle(event_id=event_id, work=_act)


def _act(hint: Hint) -> Finding:
    if not hint.subject:
        return Finding.IGNORED
    attempt = CheckoutAttempt.objects.filter(gateway=hint.vendor, reference=hint.subject).first()
    if attempt is None:
        return Finding.NOT_KNOWN_YET
    try:
        reading = registry.gateway(hint.vendor).fetch(
            attempt.reference, deadline_s=settings.VENDOR_READ_TIMEOUT_S
        )
    except ProviderError as error:
        report = log.error if error.alarm else log.warning
        report("webhook_not_confirmed", event_id=str(hint.id), outcome=str(error.outcome), fault=error.code)
        return Finding.NO_ANSWER
    if reading is None:
        return Finding.NO_ANSWER
    settlement.settle(attempt_id=attempt.pk, reading=reading, now=clock.now())
    return Finding.NO_ANSWER if reading.outcome is Outcome.PENDING else Finding.DONE
