"""Settling: the one place where a gateway's word becomes money.

The webhook's job, the sweep, the customer's own question and the simulation all end here with a ``Reading`` that an
authenticated answer of the gateway gave, never with what a webhook said. One transaction: the intent is locked, the
gateway's payment is stored once (unique by its id there), the ledger credits it once (unique by that row), the intent
moves, the event is written. If the process dies before COMMIT nothing has happened and the next question settles.

What is credited: the lesser of asked and charged, whatever the intent's amount was, without the intent's fee, which is
earned once, of what comes first. A part payment is credited as it came; the intent then stays
``processing`` until what its payments brought the wallet reaches the amount, or expires with what came.
Another currency than the intent's is booked to ``suspense`` (where this house keeps that currency) and waits for staff.
A late success credits from every status. A credit that may not land parks itself in the ledger.
"""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Sum

from fintech_core import audit, crashpoints, money, state
from fintech_core.database.atomic import require_transaction
from fintech_core.money import format_amount
from fintech_core.outcomes import Outcome
from notifications.services import publish
from payments.enums import (
    ATTEMPT_SOURCES,
    INTENT_SOURCES,
    WATCHED_ATTEMPTS,
    AttemptStatus,
    IntentStatus,
    PaymentState,
)
from payments.models import CheckoutAttempt, Payment, PaymentIntent
from payments.providers.base import Reading, VendorPayment
from transactions import chart
from transactions.drafts import Source, TransactionDraft, credit_account, debit_account, funding_draft
from transactions.models import Transaction
from transactions.services import TransactionService

log = structlog.get_logger(__name__)

WRONG_CURRENCY = "wrong_currency"


@transaction.atomic
def settle(*, attempt_id: UUID, reading: Reading, now: datetime) -> PaymentIntent:
    """Write what a reading means and return the intent as it stands then. Safe to repeat, in any order.

    An older reading never undoes a newer end: states move forward only.
    """
    crashpoints.reach("payments.verified")
    attempt = CheckoutAttempt.objects.get(pk=attempt_id)
    intent = PaymentIntent.objects.select_for_update(no_key=True).get(pk=attempt.intent_id)
    if reading.reference != attempt.reference:
        raise ValueError(f"the reading is about {reading.reference}, not {attempt.reference}")
    if "unlisted_status" in reading.evidence:
        log.error("gateway_status_unlisted", gateway=attempt.gateway, reference=attempt.reference)
    CheckoutAttempt.objects.filter(pk=attempt.pk).update(
        outcome=reading.code, evidence=reading.evidence, asked_at=now
    )
    if reading.outcome is Outcome.SUCCEEDED and reading.payment is not None:
        _receive(intent, attempt, reading.payment, now)
    elif reading.outcome is Outcome.DECLINED:
        _attempt_failed(intent, attempt, reading.code, now)
    elif reading.outcome is Outcome.REVERSED:
        _reversed(intent, attempt)
    elif reading.in_progress and intent.status == IntentStatus.PENDING:
        _move(intent, IntentStatus.PROCESSING)
    crashpoints.reach("payments.before_credit_commit")
    intent.refresh_from_db()
    return intent


def fail(intent: PaymentIntent, *, code: str, now: datetime) -> bool:
    """Move a locked, open intent to ``failed`` and tell its owner; returns whether it moved."""
    require_transaction("payments.fail")
    if not _move(intent, IntentStatus.FAILED, failure_code=code):
        return False
    publish(type="funding.failed", user_id=intent.user_id, payload={**_facts(intent), "reason": code})
    return True


def _receive(intent: PaymentIntent, attempt: CheckoutAttempt, paid: VendorPayment, now: datetime) -> None:
    """Store the gateway's payment and book it; one that is stored already was booked then."""
    known = Payment.objects.filter(gateway=attempt.gateway, vendor_payment_id=paid.id).first()
    if known is None:
        _book(intent, attempt, paid, now)
    elif known.attempt_id != attempt.pk:
        log.error("payment_id_repeated", gateway=attempt.gateway, reference=attempt.reference)
        return
    _move_attempt(attempt, AttemptStatus.SUCCEEDED)


def _book(intent: PaymentIntent, attempt: CheckoutAttempt, paid: VendorPayment, now: datetime) -> None:
    payment = Payment(
        gateway=attempt.gateway,
        vendor_payment_id=paid.id,
        intent=intent,
        attempt=attempt,
        amount=paid.amount,
        charged=paid.charged,
        currency=paid.currency,
        paid_at=paid.paid_at,
        created_at=now,
    )
    if paid.currency != intent.currency:
        _keep_apart(intent, payment, now)
        return
    booked = TransactionService.post(_credit(intent, payment), now=now)
    payment.fee = booked.fee
    payment.state, payment.transaction = PaymentState.CREDITED, booked
    payment.save(force_insert=True)
    _credited(intent, payment, booked, now)


def _credit(intent: PaymentIntent, payment: Payment) -> TransactionDraft:
    """Draft the credit of a payment; what of it is the fee is found out once the wallet is locked.

    A reversal of an earlier payment holds that lock, and gives its fee back.
    """
    draft_of = partial(
        funding_draft,
        wallet_id=intent.wallet_id,
        user_id=intent.user_id,
        currency=payment.currency,
        source_account=chart.gateway_clearing(payment.gateway),
        source=Source("payment", payment.pk),
    )

    def with_fee(draft: TransactionDraft) -> TransactionDraft:
        fee = _fee_of(intent, payment.amount)
        charged = draft_of(amount=payment.amount - fee, fee=fee)
        return replace(draft, amount=charged.amount, fee=charged.fee, legs=charged.legs)

    return replace(draft_of(amount=payment.amount), guard=with_fee)


def _fee_of(intent: PaymentIntent, paid: Decimal) -> Decimal:
    """Return what of a payment on a locked intent is its fee: what is left of it, and never the whole of a payment.

    A payment that was reversed gave its fee back.
    """
    if not intent.fee:
        return Decimal(0)
    standing = intent.payments.filter(transaction__reversed_by=None)
    taken = standing.aggregate(total=Sum("fee"))["total"] or Decimal(0)
    return min(max(intent.fee - taken, Decimal(0)), paid - money.quantum(intent.currency))


def _credited(intent: PaymentIntent, payment: Payment, booked: Transaction, now: datetime) -> None:
    """Count the credit on the intent and tell the owner, unless the ledger told that it parked it."""
    intent.credited += payment.landed
    changes = {"credited": intent.credited, "transaction_id": intent.transaction_id or booked.pk}
    PaymentIntent.objects.filter(pk=intent.pk).update(**changes)
    if intent.credited >= intent.amount:
        _move(intent, IntentStatus.SUCCEEDED, succeeded_at=now, failure_code="")
    else:
        log.warning("intent_paid_in_part", intent_id=str(intent.pk))
        _move(intent, IntentStatus.PROCESSING, failure_code="")
    if booked.to_wallet_id is None:
        return
    payload = {
        **_facts(intent),
        "amount": format_amount(payment.landed, payment.currency),
        "fee": format_amount(payment.fee, payment.currency),
        "transaction_id": str(booked.pk),
    }
    publish(type="funding.succeeded", user_id=intent.user_id, payload=payload)


def _keep_apart(intent: PaymentIntent, payment: Payment, now: datetime) -> None:
    """Book money of another currency to ``suspense``, for staff; where we keep none in it, store it unbooked."""
    log.error("payment_in_wrong_currency", gateway=payment.gateway, intent_id=str(intent.pk))
    if money.is_enabled(payment.currency):
        draft = TransactionDraft(
            type="funding",
            currency=payment.currency,
            amount=payment.amount,
            legs=(
                debit_account(chart.gateway_clearing(payment.gateway), payment.amount, payment.currency),
                credit_account(chart.SUSPENSE, payment.amount, payment.currency),
            ),
            source=Source("payment", payment.pk),
        )
        payment.state, payment.transaction = PaymentState.SUSPENSE, TransactionService.post(draft, now=now)
    else:
        payment.state = PaymentState.REVIEW
    payment.save(force_insert=True)
    audit.record(actor=None, action="payment.kept_apart", target=payment, reason=WRONG_CURRENCY)
    fail(intent, code=WRONG_CURRENCY, now=now)


def _attempt_failed(intent: PaymentIntent, attempt: CheckoutAttempt, code: str, now: datetime) -> None:
    """Note a failed attempt; the intent fails with the last one that could still have been paid."""
    if not _move_attempt(attempt, AttemptStatus.FAILED):
        return
    unfinished = {*WATCHED_ATTEMPTS, AttemptStatus.CREATED}
    if not intent.attempts.filter(status__in=sorted(unfinished)).exists():
        fail(intent, code=f"gateway_{code}", now=now)


def _reversed(intent: PaymentIntent, attempt: CheckoutAttempt) -> None:
    """Note that the gateway gave the money back; what that means for a spent credit, staff decide."""
    if _move_attempt(attempt, AttemptStatus.REVERSED):
        log.error("payment_reversed_by_gateway", gateway=attempt.gateway, reference=attempt.reference)
        audit.record(actor=None, action="payment.reversed_by_gateway", target=attempt, reason="gateway")


def _move(intent: PaymentIntent, to: IntentStatus, **changes: object) -> bool:
    return state.move(PaymentIntent, intent.pk, to=to, sources=INTENT_SOURCES, **changes)


def _move_attempt(attempt: CheckoutAttempt, to: AttemptStatus) -> bool:
    return state.move(CheckoutAttempt, attempt.pk, to=to, sources=ATTEMPT_SOURCES)


def _facts(intent: PaymentIntent) -> dict[str, object]:
    return {
        "intent_id": str(intent.pk),
        "reference": intent.reference,
        "amount": format_amount(intent.amount, intent.currency),
        "currency": intent.currency,
        "gateway": intent.gateway,
    }
