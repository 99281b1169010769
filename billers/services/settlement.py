"""T2 of a bill: the one place where a vendor's word becomes money.

What a worker was told, what a hint led to and what staff had asked all end in ``settle``. The payment is locked first,
then every wallet of capture and cashback at once, then the campaign's budget. If the process dies before COMMIT
nothing has happened, and the next worker asks again.

* delivered: the hold is captured and the cashback posted in one step; a delivery that comes when the money is back
  with the customer is our loss, booked to ``late_delivery``, with an alarm;
* declined: the hold is released and the payment fails;
* not sent: due again under the same reference, or failed where trying again cannot help;
* everything else: due again by the ladder, and after a day a person looks. The money stays held.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction

from billers import drafts, ladders
from billers.enums import BILL_SOURCES, AttemptState, BillStatus
from billers.errors import public_failure
from billers.models import BillAttempt, BillPayment
from billers.services.readings import NEVER_ARRIVED, RETRIES, Reading, believed
from billers.services.reviews import lock, to_review
from cashback import services as cashback
from fintech_core import audit, crashpoints, jobs, money, state
from fintech_core.outcomes import Outcome
from notifications.services import publish
from transactions.drafts import Operation, Post, Source, Void
from transactions.services import TransactionService
from wallet.selectors import get_main_wallet

log = structlog.get_logger(__name__)


@transaction.atomic
def settle(*, attempt_id: UUID, lease_number: int | None, reading: Reading, now: datetime) -> None:
    """Write what a reading means for its payment. Safe to repeat, in any order.

    ``lease_number`` is the claim under which it was read, None for a reading outside any claim. A claim that was
    superseded meanwhile changes nothing, except that what is delivered is delivered, and what is known is known.
    """
    attempt = BillAttempt.objects.get(pk=attempt_id)
    payment = lock(attempt.payment_id)
    attempt.refresh_from_db()
    if reading.result is not None and attempt.seen_at is None:
        attempt.seen_at = now
        attempt.save(update_fields=["seen_at"])
    reading = believed(payment, reading)
    if payment.status != BillStatus.PROCESSING:
        _settle_late(payment, attempt, reading, now)
    elif reading.outcome == Outcome.SUCCEEDED:
        _deliver(payment, attempt, reading, now)
    elif lease_number != payment.lease_number:
        log.info("bill_reading_superseded", payment_id=str(payment.pk), outcome=str(reading.outcome))
    else:
        _settle_open(payment, attempt, reading, now)
    crashpoints.reach("billers.before_t2_commit")


def _settle_open(payment: BillPayment, attempt: BillAttempt, reading: Reading, now: datetime) -> None:
    if reading.outcome in {Outcome.DECLINED, Outcome.REVERSED}:
        _close(attempt, AttemptState.DECLINED, reading, now)
        _fail(payment, reading.code, now)
    elif reading.outcome == Outcome.NOT_SENT:
        _try_again(payment, attempt, reading, now)
    elif reading.is_not_found and _never_arrived(attempt, now):
        _try_again(payment, attempt, Reading(Outcome.NOT_SENT, NEVER_ARRIVED), now)
    else:
        _ask_again(payment, attempt, reading, now)


def _deliver(payment: BillPayment, attempt: BillAttempt, reading: Reading, now: datetime) -> None:
    """Capture the hold and post the cashback in one step, keep the token, tell the customer."""
    result = reading.result
    if result is None:
        raise ValueError("a delivery comes with the vendor's answer")
    cost = drafts.believable_cost(result.cost, payment.amount)
    if cost != result.cost:
        log.error("bill_cost_not_believed", payment_id=str(payment.pk), reference=attempt.vendor_reference)
    wallet = get_main_wallet(user_id=payment.user_id, currency=payment.currency)
    rewards = cashback.award(
        user_id=payment.user_id,
        trigger=Source("bill_payment", payment.pk),
        amount=payment.amount,
        currency=payment.currency,
        category=payment.product.biller.category,
        biller=payment.product.biller.code,
        product=payment.product.code,
        now=now,
        paid_at=payment.created_at,
    )
    steps: list[Operation] = [drafts.capture(payment, wallet_id=wallet.pk, cost=cost), *map(Post, rewards)]
    TransactionService.apply(steps, now=now)
    _close(attempt, AttemptState.DELIVERED, reading, now)
    _finish(
        payment,
        BillStatus.COMPLETED,
        now,
        token=result.token if payment.product.delivers_token else None,
        units=result.units,
        cost=cost,
    )
    if payment.attempts.filter(state=AttemptState.SENT).exists():
        to_review(payment, "Delivered under one reference while another order of it is still open.")
    publish(type="bill_payment.completed", user_id=payment.user_id, payload=facts_of(payment))


def _fail(payment: BillPayment, code: str, now: datetime) -> None:
    """Give the money back and tell the customer; what went wrong on our side is for staff alone."""
    reason = public_failure(code)
    TransactionService.apply([Void(payment.transaction_id, reason)], now=now)
    _finish(payment, BillStatus.FAILED, now, failure_code=code)
    publish(
        type="bill_payment.failed", user_id=payment.user_id, payload={**facts_of(payment), "reason": reason}
    )


def _try_again(payment: BillPayment, attempt: BillAttempt, reading: Reading, now: datetime) -> None:
    """Make an order that had no effect due once more, or give up where that cannot help or was tried enough."""
    _close(attempt, AttemptState.NOT_SENT, reading, now)
    retry = RETRIES.get(reading.code)
    if retry is None or payment.sends >= retry.sends:
        _fail(payment, reading.code, now)
        return
    _due(payment, now + timedelta(seconds=retry.after_s))
    if retry.after_s == 0:
        jobs.enqueue("billers.send", str(payment.pk))


def _ask_again(payment: BillPayment, attempt: BillAttempt, reading: Reading, now: datetime) -> None:
    """Make the payment due at the ladder's next step; after the last one a person looks."""
    BillAttempt.objects.filter(pk=attempt.pk).update(
        outcome_code=reading.code,
        evidence=reading.evidence or attempt.evidence,
        not_found_readings=attempt.not_found_readings + int(reading.is_not_found),
    )
    due = ladders.next_check(checks=payment.checks, created_at=payment.created_at, now=now)
    if due is None:
        to_review(payment, f"The vendor gave no clear answer for a day: {reading.code}.")
    else:
        _due(payment, due, checks=payment.checks + 1)


def _never_arrived(attempt: BillAttempt, now: datetime) -> bool:
    """Say whether "not found" may be believed: never of an order that the vendor has spoken about."""
    if attempt.sent_at is None or attempt.seen_at is not None:
        return False
    readings = attempt.not_found_readings + 1
    return ladders.not_found_rule().is_met(sent_at=attempt.sent_at, now=now, readings=readings)


def _due(payment: BillPayment, at: datetime, **changes: Any) -> None:
    BillPayment.objects.filter(pk=payment.pk).update(
        next_check_at=at, lease_until=None, unfinished=0, **changes
    )


def _settle_late(payment: BillPayment, attempt: BillAttempt, reading: Reading, now: datetime) -> None:
    """Handle a reading about a final payment: what is delivered twice or too late is booked as our loss, once.

    A delivery that is not believed, and one that the vendor takes back, move nothing: a person looks, unless the
    customer has the money back already.
    """
    had_no_effect = reading.outcome in {Outcome.DECLINED, Outcome.REVERSED, Outcome.NOT_SENT}
    if attempt.state == AttemptState.DELIVERED:
        if had_no_effect and payment.status != BillStatus.REVERSED:
            log.error("bill_reversed_after_delivery", payment_id=str(payment.pk), vendor_code=reading.code)
            to_review(payment, f"The vendor says {reading.code} after it delivered.")
    elif reading.outcome == Outcome.SUCCEEDED:
        _book_late(payment, attempt, reading, now)
    elif reading.result is not None and reading.result.outcome == Outcome.SUCCEEDED:
        to_review(
            payment, f"The vendor says delivered when the payment was {payment.status}: {reading.code}."
        )
    elif had_no_effect and attempt.state == AttemptState.SENT:
        is_not_sent = reading.outcome == Outcome.NOT_SENT
        _close(attempt, AttemptState.NOT_SENT if is_not_sent else AttemptState.DECLINED, reading, now)


def _book_late(payment: BillPayment, attempt: BillAttempt, reading: Reading, now: datetime) -> None:
    """Book a delivery that nobody pays for as our loss."""
    cost = drafts.believable_cost(reading.result.cost if reading.result else None, payment.amount)
    TransactionService.post(drafts.late_delivery_draft(payment, attempt, cost=cost), now=now)
    _close(attempt, AttemptState.DELIVERED, reading, now)
    audit.record(
        actor=None,
        action="bill_payment.late_delivery",
        target=payment,
        reason=f"Delivered after it was {payment.status}: {money.format_amount(cost, payment.currency)}.",
    )
    log.error("bill_delivered_late", payment_id=str(payment.pk), reference=attempt.vendor_reference)


def _close(attempt: BillAttempt, to: AttemptState, reading: Reading, now: datetime) -> None:
    result = reading.result
    BillAttempt.objects.filter(pk=attempt.pk).update(
        state=to,
        outcome_code=reading.code,
        evidence=reading.evidence or attempt.evidence,
        vendor_id=result.vendor_id if result else attempt.vendor_id,
        finished_at=now,
    )


def _finish(payment: BillPayment, to: BillStatus, now: datetime, **changes: Any) -> None:
    """Move a locked payment to its end; that it cannot move is a bug, and undoes the whole step."""
    ended = {"completed_at": now, "next_check_at": None, "lease_until": None, "unfinished": 0}
    review = {"needs_review": False, "review_reason": ""}
    if not state.move(BillPayment, payment.pk, to=to, sources=BILL_SOURCES, **ended, **review, **changes):
        raise state.IllegalTransition(f"{payment.reference} cannot become {to}")


def facts_of(payment: BillPayment) -> dict[str, str]:
    """Return what every event of a bill carries; needs ``product__biller``."""
    return {
        "payment_id": str(payment.pk),
        "reference": payment.reference,
        "biller": payment.product.biller.name,
        "product": payment.product.name,
        "amount": money.format_amount(payment.amount, payment.currency),
        "fee": money.format_amount(payment.fee, payment.currency),
        "currency": payment.currency,
        "transaction_id": str(payment.transaction_id),
    }
