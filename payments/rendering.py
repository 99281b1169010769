"""How an intent looks to its owner, and how it answers a repeated request."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from fintech_core import clock
from fintech_core.exceptions import domain_problem
from fintech_core.idempotency import Answer
from fintech_core.money import format_amount
from payments.enums import OPEN_INTENTS, IntentStatus
from payments.errors import CheckoutDeclined
from payments.models import PaymentIntent

POLL_AFTER = timedelta(seconds=3)
KIND = "payment_intent"


def render(intent: PaymentIntent) -> dict[str, Any]:
    """Return the API's intent object. It is final only when ``succeeded``: late money is still credited."""
    return {
        "id": str(intent.pk),
        "reference": intent.reference,
        "status": intent.status,
        "gateway": intent.gateway,
        "amount": format_amount(intent.amount, intent.currency),
        "currency": intent.currency,
        "fee": format_amount(intent.fee, intent.currency),
        "checkout_url": intent.checkout_url or None,
        "expires_at": clock.rfc3339(intent.expires_at),
        "transaction_id": None if intent.transaction_id is None else str(intent.transaction_id),
        "is_final": intent.status == IntentStatus.SUCCEEDED,
        "next_poll_at": clock.rfc3339(_next_poll(intent)),
        "created_at": clock.rfc3339(intent.created_at),
    }


def _next_poll(intent: PaymentIntent) -> Any:
    if intent.status == IntentStatus.SUCCEEDED:
        return None
    if intent.status in OPEN_INTENTS:
        return clock.now() + POLL_AFTER
    return intent.next_check_at


def answer(intent_id: UUID) -> Answer:
    """Answer a funding from the intent as it stands: 201 with a link, 202 without one yet, 422 when refused."""
    return answer_for(PaymentIntent.objects.get(pk=intent_id))


def answer_for(intent: PaymentIntent, *, request_id: str | None = None) -> Answer:
    """Answer as ``answer`` does, from a row that was just read."""
    document = (KIND, intent.pk)
    if intent.status == IntentStatus.FAILED and not intent.checkout_url:
        refusal = CheckoutDeclined(
            "The gateway refused to start this payment; nothing was charged.",
            intent_id=str(intent.pk),
            reason=intent.failure_code,
        )
        return Answer(refusal.status, domain_problem(refusal, request_id), document=document)
    is_final = intent.status == IntentStatus.SUCCEEDED
    starting = intent.status == IntentStatus.PENDING and not intent.checkout_url
    return Answer(202 if starting else 201, render(intent), is_final=is_final, document=document)
