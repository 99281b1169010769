"""Bill payments for people who look into a movement: status, vendor, and every order that was placed."""

from uuid import UUID

from billers.models import BillAttempt, BillPayment
from fintech_core.documents import Attempt, Document


def describe_payment(payment_id: UUID) -> Document | None:
    """Describe a bill payment with its orders; never the meter's token."""
    payment = BillPayment.objects.select_related("product__biller").filter(pk=payment_id).first()
    return None if payment is None else _document(payment)


def describe_late_delivery(attempt_id: UUID) -> Document | None:
    """Describe the bill payment of an order that was delivered after the money had gone back."""
    attempt = BillAttempt.objects.select_related("payment__product__biller").filter(pk=attempt_id).first()
    return None if attempt is None else _document(attempt.payment)


def _document(payment: BillPayment) -> Document:
    facts = {
        "id": str(payment.pk),
        "biller": payment.product.biller.code,
        "product": payment.product.code,
        "vendor": payment.vendor,
        "status": payment.status,
        "failure": payment.failure_code,
        "review": payment.review_reason if payment.needs_review else "",
    }
    attempts = tuple(
        Attempt(row.vendor, row.vendor_reference, row.state, row.outcome_code, row.created_at, row.sent_at)
        for row in payment.attempts.order_by("number")
    )
    return Document(f"Bill payment {payment.reference}", facts, attempts)
