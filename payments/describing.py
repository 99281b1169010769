"""Payments for people who look into a movement: the intent, and every checkout that was offered."""

from uuid import UUID

from fintech_core.documents import Attempt, Document
from fintech_core.money import for_people
from payments.models import Payment


def describe_payment(payment_id: UUID) -> Document | None:
    """Describe what a gateway received, with the checkouts of its intent."""
    payment = Payment.objects.select_related("intent").filter(pk=payment_id).first()
    if payment is None:
        return None
    facts = {
        "id": str(payment.pk),
        "gateway": payment.gateway,
        "gateway's id": payment.vendor_payment_id,
        "state": payment.state,
        "received": for_people(payment.amount, payment.currency),
        "of it our fee": for_people(payment.fee, payment.currency),
        "intent": f"{payment.intent.reference}, {payment.intent.status}",
    }
    attempts = tuple(
        Attempt(row.gateway, row.reference, row.status, row.outcome, row.created_at, row.sent_at)
        for row in payment.intent.attempts.order_by("number")
    )
    return Document(f"Payment {payment}", facts, attempts)
