"""The worker's side of a bill: claim, send or ask, hand the answer to ``settlement``.

One path for everybody who rings (after T1, by the sweep, by a vendor's hint). Where the process may die:

* before the claim commits: the row is due, the next worker claims it;
* after the claim (``billers.after_claim``), whether or not the order left: the attempt says ``sent``, the lease runs
  out, and the next worker asks about the reference before anything else;
* after the vendor acted (``billers.vendor_acted``), before T2 commits: the same;
* T2 is one transaction, so there is no point within it.

What is counted is counted in the claim's own transaction, before the work: a row that ends every worker stops after
five claims and waits for a person.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F, Q

from billers import selectors
from billers.enums import AttemptState, BillStatus
from billers.models import BillAttempt, BillPayment
from billers.providers import registry
from billers.providers.base import PurchaseRequest
from billers.services import reviews, settlement
from billers.services.readings import NEW_REFERENCE, Reading
from fintech_core import attempts, audit, clock, crashpoints, jobs
from fintech_core.database.atomic import require_transaction
from fintech_core.exceptions import NotFound
from fintech_core.outcomes import Outcome, ProviderError
from users.models import User
from wallet.services import ensure_cashback_wallet

log = structlog.get_logger(__name__)

LEASE = attempts.lease_for(vendor_calls=1)
SWEEP_LIMIT = 200
MAX_UNFINISHED = 5


@dataclass(frozen=True, slots=True)
class Claim:
    """What one worker may do with one payment until its lease ends."""

    payment: BillPayment
    attempt: BillAttempt
    sends: bool


def sweep(*, now: datetime) -> int:
    """Ring for every payment that is due or whose lease ran out; returns how many."""
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    due = BillPayment.objects.filter(free, status=BillStatus.PROCESSING, next_check_at__lte=now)
    rows = list(due.order_by("next_check_at").values_list("pk", "sends")[:SWEEP_LIMIT])
    for payment_id, sends in rows:
        jobs.enqueue("billers.check" if sends else "billers.send", str(payment_id))
    return len(rows)


def process_payment(*, payment_id: UUID) -> None:
    """Send or ask about one payment and settle what is said; does nothing while it is not due or claimed."""
    claim = claim_payment(payment_id)
    if claim is None:
        _ask_about_leftovers(payment_id)
        return
    crashpoints.reach("billers.after_claim")
    carry_out(claim)


def carry_out(claim: Claim) -> None:
    """Do what a claim allows, with no transaction open, and settle what is said.

    A worker that slept past its lease sends nothing: the next one may have found that the order never left, and
    sent it, or given the money back.
    """
    if claim.sends and claim.payment.lease_until is not None and clock.now() >= claim.payment.lease_until:
        log.warning("bill_lease_ran_out", payment_id=str(claim.payment.pk))
        return
    # Here, in a transaction of its own: opening a wallet inside T2 could wait for somebody else's T2.
    ensure_cashback_wallet(user_id=claim.payment.user_id, currency=claim.payment.currency)
    reading = _send(claim) if claim.sends else ask(claim.attempt)
    crashpoints.reach("billers.vendor_acted")
    settlement.settle(
        attempt_id=claim.attempt.pk,
        lease_number=claim.payment.lease_number,
        reading=reading,
        now=clock.now(),
    )


@transaction.atomic
def claim_payment(payment_id: UUID) -> Claim | None:
    """Lease a due payment, count the claim and decide what is to be done; committed before anybody is called."""
    open_payments = BillPayment.objects.filter(status=BillStatus.PROCESSING).select_related("product__biller")
    for payment in attempts.claim(open_payments, pk=payment_id, lease=LEASE):
        if payment.unfinished >= MAX_UNFINISHED:
            reviews.to_review(payment, "Every worker that took this payment ended without an outcome.")
            return None
        BillPayment.objects.filter(pk=payment.pk).update(unfinished=F("unfinished") + 1)
        attempt = payment.attempts.order_by("-number")[0]
        if attempt.state not in {AttemptState.PLANNED, AttemptState.NOT_SENT}:
            return Claim(payment, attempt, sends=False)
        return Claim(payment, _ready_to_send(payment, attempt), sends=True)
    return None


def _ready_to_send(payment: BillPayment, attempt: BillAttempt) -> BillAttempt:
    """Mark an attempt as sent before it is; one whose reference is too old gives way to a new one.

    Both only where the attempt provably had no effect: it was never sent, or definitely refused unprocessed.
    """
    now = clock.now()
    vendor = registry.provider(attempt.vendor)
    if vendor.reference_expired(attempt.vendor_reference, now) or attempt.outcome_code in NEW_REFERENCE:
        BillAttempt.objects.filter(pk=attempt.pk).update(state=AttemptState.NOT_SENT, finished_at=now)
        attempt = BillAttempt.objects.create(
            payment=payment,
            number=attempt.number + 1,
            vendor=attempt.vendor,
            vendor_reference=vendor.new_reference(now),
            created_at=now,
        )
    attempt.state, attempt.sent_at, attempt.finished_at = AttemptState.SENT, now, None
    attempt.not_found_readings = 0
    attempt.save(update_fields=["state", "sent_at", "finished_at", "not_found_readings"])
    BillPayment.objects.filter(pk=payment.pk).update(sends=F("sends") + 1, checks=0)
    return attempt


def _send(claim: Claim) -> Reading:
    payment = claim.payment
    try:
        route = selectors.route_at(payment.product, vendor=claim.attempt.vendor)
    except NotFound:
        log.error("bill_without_route", payment_id=str(payment.pk), vendor=claim.attempt.vendor)
        return Reading(Outcome.NOT_SENT, "no_route")
    request = PurchaseRequest(
        reference=claim.attempt.vendor_reference,
        service_id=route.service_id,
        variation_code=route.variation_code,
        customer_id=payment.customer_id,
        amount=payment.amount,
        phone=payment.phone,
        category=payment.product.biller.category,
        subscription=payment.subscription,
    )
    try:
        return Reading.of(registry.provider(claim.attempt.vendor).purchase(request))
    except ProviderError as error:
        return _told(claim.attempt, error)


def ask(attempt: BillAttempt) -> Reading:
    """Ask the vendor how an attempt stands; never raises for what the vendor does."""
    try:
        result = registry.provider(attempt.vendor).query(attempt.vendor_reference)
    except ProviderError as error:
        return _told(attempt, error)
    return Reading.not_found() if result is None else Reading.of(result)


def _told(attempt: BillAttempt, error: ProviderError) -> Reading:
    report = log.error if error.alarm else log.warning
    report(
        "bill_answer",
        vendor=attempt.vendor,
        reference=attempt.vendor_reference,
        outcome=str(error.outcome),
        fault=error.code,
    )
    return Reading.failed(error)


def _ask_about_leftovers(payment_id: UUID) -> None:
    """Ask about orders that are still open although their payment is final; what they did is booked or closed."""
    left = BillAttempt.objects.filter(payment_id=payment_id, state=AttemptState.SENT)
    for attempt in left.exclude(payment__status=BillStatus.PROCESSING):
        settlement.settle(attempt_id=attempt.pk, lease_number=None, reading=ask(attempt), now=clock.now())


@transaction.atomic
def check_now(*, payment_id: UUID, actor: User, reason: str) -> None:
    """Have a payment asked about at once because staff want to know; one that waits for review goes on.

    Of a final payment only orders that are still open are asked about. Raises NotFound.
    """
    payment = reviews.lock(payment_id)
    if payment.status == BillStatus.PROCESSING:
        make_due(payment, now=clock.now())
    else:
        jobs.enqueue("billers.check", str(payment.pk))
    audit.record(actor=actor, action="bill_payment.check_now", target=payment, reason=reason)


def make_due(payment: BillPayment, *, now: datetime) -> None:
    """Make a locked, open payment due and ring for it after commit.

    An order that waits to be sent again keeps its time: there is nothing to ask yet, and the vendor may want the
    pause.
    """
    require_transaction("billers.make_due")
    newest = payment.attempts.order_by("-number")[0]
    if newest.state == AttemptState.NOT_SENT and payment.next_check_at is not None:
        return
    BillPayment.objects.filter(pk=payment.pk, status=BillStatus.PROCESSING).update(
        next_check_at=now, needs_review=False, review_reason="", unfinished=0
    )
    jobs.enqueue("billers.check", str(payment.pk))
