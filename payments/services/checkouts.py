"""Starting a checkout: claimed with a lease, called without a transaction, recorded in one.

Where the process may die, and what happens then:

* after the claim, before ``sent`` is committed: the lease runs out, the attempt is still ``created``, sent then;
* after ``sent``, before or during the call, or after the answer and before the link is stored: nobody knows whether
  the gateway has it. The next claim asks about the reference first. Unknown there: sent again under the same one.
  Known: its link is lost, which moves no money, so another attempt begins, and the first stays watched.

Two workers cannot both start an attempt: the claim is fenced by the lease's number, and a reference that was used
is refused by the gateway.
"""

from datetime import datetime
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction

from fintech_core import attempts, clock, crashpoints, outcomes, state
from fintech_core.outcomes import Outcome, ProviderError
from payments import ladders
from payments.enums import ATTEMPT_SOURCES, OPEN_INTENTS, AttemptStatus
from payments.models import CheckoutAttempt, PaymentIntent
from payments.providers import registry
from payments.providers.base import DUPLICATE_REFERENCE, Checkout, CheckoutRequest
from payments.services import settlement
from payments.services.intents import add_attempt

log = structlog.get_logger(__name__)

LEASE = attempts.lease_for(vendor_calls=2)
MAX_ATTEMPTS = 10
LOST_LINK = outcomes.unknown(DUPLICATE_REFERENCE, "The gateway has this checkout; its link never reached us.")


def start(*, intent_id: UUID) -> None:
    """Start the checkout of an open intent that has no link; does nothing while it is not due or claimed."""
    unstarted = PaymentIntent.objects.filter(status__in=sorted(OPEN_INTENTS), checkout_url="")
    for intent in attempts.claim(unstarted, pk=intent_id, lease=LEASE):
        attempt = intent.attempts.select_related("intent__user").latest("number")
        result = _begin(attempt)
        crashpoints.reach("payments.vendor_answered")
        record(claimed=intent, attempt=attempt, result=result, now=clock.now())


def _begin(attempt: CheckoutAttempt) -> Checkout | ProviderError:
    """Call the gateway for an attempt; one that it may know already is asked about before it is sent again."""
    gateway, deadline_s = registry.gateway(attempt.gateway), settings.VENDOR_READ_TIMEOUT_S
    try:
        if attempt.status != AttemptStatus.CREATED:
            reading = gateway.fetch(attempt.reference, deadline_s=deadline_s)
            if reading is not None:
                settlement.settle(attempt_id=attempt.pk, reading=reading, now=clock.now())
                return LOST_LINK
        else:
            state.move(
                CheckoutAttempt,
                attempt.pk,
                to=AttemptStatus.SENT,
                sources=ATTEMPT_SOURCES,
                sent_at=clock.now(),
            )
        return gateway.initialize(_request(attempt), deadline_s=deadline_s)
    except ProviderError as error:
        report = log.error if error.alarm else log.warning
        report(
            "checkout_not_started", reference=attempt.reference, outcome=str(error.outcome), fault=error.code
        )
        return error


def _request(attempt: CheckoutAttempt) -> CheckoutRequest:
    intent = attempt.intent
    return CheckoutRequest(
        reference=attempt.reference,
        amount=intent.amount + intent.fee,
        currency=intent.currency,
        email=intent.user.email,
        callback_url=intent.callback_url,
        intent_id=str(intent.pk),
    )


@transaction.atomic
def record(
    *, claimed: PaymentIntent, attempt: CheckoutAttempt, result: Checkout | ProviderError, now: datetime
) -> None:
    """Write how the call ended, if the claim still holds."""
    intent = (
        PaymentIntent.objects.select_for_update(no_key=True)
        .filter(pk=claimed.pk, lease_number=claimed.lease_number)
        .first()
    )
    if intent is None:
        log.info("checkout_superseded", reference=attempt.reference)
    elif isinstance(result, Checkout):
        _store_link(intent, attempt, result, now)
    elif result.code == DUPLICATE_REFERENCE:
        _next_attempt(intent, attempt, now)
    elif result.outcome is Outcome.DECLINED:
        _move(attempt, AttemptStatus.DECLINED, outcome=result.code)
        settlement.fail(intent, code=result.code, now=now)
        _rest(intent, None)
    else:
        if result.outcome is Outcome.NOT_SENT and attempt.status == AttemptStatus.CREATED:
            _move(attempt, AttemptStatus.CREATED, outcome=result.code)
        _rest(intent, ladders.next_start(checks=intent.checks, now=now), checks=intent.checks + 1)


def _store_link(intent: PaymentIntent, attempt: CheckoutAttempt, checkout: Checkout, now: datetime) -> None:
    """Show the link. The attempt may be past ``open`` by now: a webhook can overtake this answer."""
    _move(attempt, AttemptStatus.OPEN, link=checkout.url, evidence=checkout.evidence, outcome="started")
    due = ladders.next_check(checks=0, created_at=intent.created_at, now=now)
    _rest(intent, due, checks=0, checkout_url=checkout.url)


def _next_attempt(intent: PaymentIntent, attempt: CheckoutAttempt, now: datetime) -> None:
    """Give a lost link up and begin again under another reference; both stay watched."""
    _move(attempt, AttemptStatus.LOST, outcome=DUPLICATE_REFERENCE)
    if intent.status not in OPEN_INTENTS:
        _rest(intent, ladders.next_check(checks=0, created_at=intent.created_at, now=now), checks=0)
        return
    if attempt.number >= MAX_ATTEMPTS:
        log.error("checkout_links_lost", intent_id=str(intent.pk), attempts=attempt.number)
        settlement.fail(intent, code="checkout_not_started", now=now)
        _rest(intent, ladders.next_check(checks=0, created_at=intent.created_at, now=now), checks=0)
        return
    add_attempt(intent, number=attempt.number + 1, now=now)
    _rest(intent, now)


def _move(attempt: CheckoutAttempt, to: AttemptStatus, **changes: object) -> None:
    state.move(CheckoutAttempt, attempt.pk, to=to, sources=ATTEMPT_SOURCES, **changes)


def _rest(intent: PaymentIntent, until: datetime | None, **changes: object) -> None:
    """End the claim; the row is due again at ``until``."""
    PaymentIntent.objects.filter(pk=intent.pk).update(next_check_at=until, lease_until=None, **changes)
