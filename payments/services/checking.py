"""Asking gateways about checkouts: by the ladder, and now because somebody wants to know.

Every attempt that a gateway may know is asked about. A process that dies between a question and ``settle`` loses
nothing: asking is a read, and the lease runs out.
"""

import time
from datetime import datetime
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import Q

from fintech_core import attempts, clock, jobs
from fintech_core.outcomes import ProviderError
from payments import ladders
from payments.enums import OPEN_INTENTS, WATCHED_ATTEMPTS, AttemptStatus
from payments.errors import GatewayUnavailable
from payments.models import CheckoutAttempt, PaymentIntent
from payments.providers import registry
from payments.selectors import get_intent_for
from payments.services import settlement
from users.models import User

log = structlog.get_logger(__name__)

LEASE = attempts.lease_for(vendor_calls=10)  # as many attempts as an intent may have
SWEEP_LIMIT = 200
# A failed try can be followed by a paid one on the same page, so the ladder goes on with it, too.
_ASKED = frozenset({*WATCHED_ATTEMPTS, AttemptStatus.FAILED})


def check(*, intent_id: UUID) -> None:
    """Ask about the attempts of a due intent and settle what is said; makes it due again by the ladder."""
    for intent in attempts.claim(PaymentIntent.objects.exclude(_unstarted()), pk=intent_id, lease=LEASE):
        for attempt in _asked(intent):
            _ask(attempt, deadline_s=settings.VENDOR_READ_TIMEOUT_S)
        now = clock.now()
        due = ladders.next_check(checks=intent.checks + 1, created_at=intent.created_at, now=now)
        PaymentIntent.objects.filter(pk=intent.pk, lease_number=intent.lease_number).update(
            next_check_at=due if _asked(intent) else None, lease_until=None, checks=intent.checks + 1
        )


def ask_now(*, intent: PaymentIntent, deadline_s: float, now: datetime) -> None:
    """Ask about every attempt at once, within ``deadline_s`` in all; raises GatewayUnavailable when one is unknown.

    Works beside a claim: settling is safe to repeat.
    """
    ends = time.monotonic() + deadline_s
    for attempt in _asked(intent):
        left = ends - time.monotonic()
        if left <= 0 or not _ask(attempt, deadline_s=left):
            raise GatewayUnavailable("The gateway gave no clear answer. Try again shortly.", retry_after_s=5)


def verify_intent(*, user: User, intent_id: UUID, deadline_s: float, now: datetime) -> PaymentIntent:
    """Ask the gateway because its owner wants to know; raises NotFound and GatewayUnavailable."""
    intent = get_intent_for(user=user, intent_id=intent_id)
    ask_now(intent=intent, deadline_s=deadline_s, now=now)
    intent.refresh_from_db()
    return intent


def sweep(*, now: datetime) -> int:
    """Ring for every intent that is due or whose lease ran out; returns how many."""
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    due = PaymentIntent.objects.filter(free, next_check_at__lte=now).order_by("next_check_at")
    rows = list(due.values_list("pk", "status", "checkout_url")[:SWEEP_LIMIT])
    for intent_id, status, checkout_url in rows:
        unstarted = not checkout_url and status in OPEN_INTENTS
        jobs.enqueue("payments.start_checkout" if unstarted else "payments.check_intent", str(intent_id))
    return len(rows)


def _unstarted() -> Q:
    return Q(checkout_url="", status__in=sorted(OPEN_INTENTS))


def _asked(intent: PaymentIntent) -> list[CheckoutAttempt]:
    return list(intent.attempts.filter(status__in=sorted(_ASKED)).order_by("number"))


def _ask(attempt: CheckoutAttempt, *, deadline_s: float) -> bool:
    """Ask about one attempt and settle; returns whether the gateway gave a clear answer."""
    try:
        reading = registry.gateway(attempt.gateway).fetch(attempt.reference, deadline_s=deadline_s)
    except ProviderError as error:
        report = log.error if error.alarm else log.warning
        report("checkout_unknown", reference=attempt.reference, outcome=str(error.outcome), fault=error.code)
        return False
    if reading is not None:
        settlement.settle(attempt_id=attempt.pk, reading=reading, now=clock.now())
    return True
