"""How a bill payment looks to its owner: one object, always with every field."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from billers import ladders
from billers.enums import BillStatus
from billers.errors import BillDeclined, failure_detail, public_failure
from billers.models import BillPayment
from cashback import selectors as cashback
from cashback.enums import RewardStatus
from cashback.models import Reward
from fintech_core import clock
from fintech_core.exceptions import domain_problem
from fintech_core.idempotency import Answer
from fintech_core.money import format_amount

SOURCE_KIND = "bill_payment"
POLL_AFTER = timedelta(seconds=2)


def render(payment: BillPayment) -> dict[str, Any]:
    """Return the API's bill payment; needs ``product__biller``."""
    return render_all([payment])[0]


def render_all(payments: Sequence[BillPayment]) -> list[dict[str, Any]]:
    """Return the API's bill payments of one customer, with one query for all their rewards."""
    if not payments:
        return []
    rewards = cashback.rewards_of(
        user_id=payments[0].user_id,
        trigger_kind=SOURCE_KIND,
        trigger_ids=[payment.pk for payment in payments],
    )
    return [_render(payment, rewards.get(payment.pk)) for payment in payments]


def _render(payment: BillPayment, reward: Reward | None) -> dict[str, Any]:
    currency = payment.currency
    processing = payment.status == BillStatus.PROCESSING
    return {
        "id": str(payment.pk),
        "reference": payment.reference,
        "status": payment.status,
        "biller": payment.product.biller.code,
        "product": payment.product.code,
        "customer_id": payment.customer_id,
        "customer_name": payment.customer_name or None,
        "amount": format_amount(payment.amount, currency),
        "fee": format_amount(payment.fee, currency),
        "total": format_amount(payment.amount + payment.fee, currency),
        "currency": currency,
        "cashback": _cashback(payment, reward),
        "token": None if payment.token is None else str(payment.token),
        "units": payment.units or None,
        "receipt_url": _receipt_url(payment),
        "transaction_id": str(payment.transaction_id),
        "failure": _failure(payment),
        "created_at": clock.rfc3339(payment.created_at),
        "completed_at": clock.rfc3339(payment.completed_at),
        "is_final": not processing,
        "next_poll_at": clock.rfc3339(_next_poll(payment)) if processing else None,
        "resolve_by": clock.rfc3339(ladders.resolve_by(payment.created_at)) if processing else None,
    }


def answer(payment_id: UUID) -> Answer:
    """Answer a request from the payment's state: 201 paid, 202 under way, 422 not paid and nothing debited."""
    return answer_for(BillPayment.objects.select_related("product__biller").get(pk=payment_id))


def answer_for(payment: BillPayment, *, request_id: str | None = None) -> Answer:
    """Answer like ``answer`` for a payment that was just read; a refusal names the request."""
    document = (SOURCE_KIND, payment.pk)
    if payment.status == BillStatus.PROCESSING:
        return Answer(202, render(payment), is_final=False, document=document)
    if payment.status == BillStatus.FAILED:
        refusal = BillDeclined(
            failure_detail(payment.failure_code), payment_id=str(payment.pk), failure=_failure(payment)
        )
        return Answer(refusal.status, domain_problem(refusal, request_id), document=document)
    return Answer(201, render(payment), document=document)


def _next_poll(payment: BillPayment) -> Any:
    soon = clock.now() + POLL_AFTER
    return max(soon, payment.next_check_at) if payment.next_check_at is not None else soon


def _failure(payment: BillPayment) -> dict[str, str] | None:
    if payment.status != BillStatus.FAILED:
        return None
    return {"code": public_failure(payment.failure_code), "detail": failure_detail(payment.failure_code)}


def _receipt_url(payment: BillPayment) -> str | None:
    """Tell where the movement's receipt is, once the money is taken; one that was reversed since has it, too."""
    if payment.status not in {BillStatus.COMPLETED, BillStatus.REVERSED}:
        return None
    return f"{settings.PUBLIC_URL}/api/v1/transactions/{payment.transaction_id}/receipt"


def _cashback(payment: BillPayment, reward: Reward | None) -> dict[str, str]:
    """Tell the cashback: ``pending`` as the quote saw it, ``earned`` as it was posted, ``none``."""
    currency = payment.currency
    if payment.status == BillStatus.PROCESSING and payment.expected_cashback > 0:
        return {"amount": format_amount(payment.expected_cashback, currency), "status": "pending"}
    if reward is None or reward.status not in {RewardStatus.EARNED, RewardStatus.CANCELLED}:
        return {"amount": format_amount(payment.amount * 0, currency), "status": "none"}
    return {"amount": format_amount(reward.amount, currency), "status": reward.status}
