"""The ledger's own documents for people who look into a movement."""

from uuid import UUID

from fintech_core import clock
from fintech_core.documents import Document
from fintech_core.models import ApprovalRequest
from fintech_core.money import for_people
from transactions.enums import ApprovalKind
from transactions.models import Adjustment, ConversionQuote, ParkedCredit, Undoing


def describe_adjustment(adjustment_id: UUID) -> Document | None:
    """Describe a correction: who asked for it, who decided, and why."""
    row = Adjustment.objects.select_related("requested_by", "decided_by").filter(pk=adjustment_id).first()
    return None if row is None else Document("Correction", _decision(row))


def describe_undoing(undoing_id: UUID) -> Document | None:
    """Describe a reversal or refund that two people decided: who asked for it, who agreed, and why."""
    row = Undoing.objects.select_related("requested_by", "decided_by").filter(pk=undoing_id).first()
    return None if row is None else Document(str(ApprovalKind(row.kind).label), _decision(row))


def _decision(row: ApprovalRequest) -> dict[str, str]:
    return {
        "id": str(row.pk),
        "reason": row.reason,
        "status": row.status,
        "asked for by": row.requested_by.email,
        "decided by": "" if row.decided_by is None else row.decided_by.email,
    }


def describe_parked_credit(credit_id: UUID) -> Document | None:
    """Describe a credit that waited in suspense."""
    row = ParkedCredit.objects.select_related("parked_by", "reversed_by").filter(pk=credit_id).first()
    if row is None:
        return None
    facts = {
        "id": str(row.pk),
        "parked": clock.rfc3339(row.created_at) or "",
        "parked by": row.parked_by.reference,
        "reason": row.reason,
        "status": row.status,
        "reversed by": "" if row.reversed_by is None else row.reversed_by.reference,
    }
    return Document("Parked credit", facts)


def describe_quote(quote_id: UUID) -> Document | None:
    """Describe what somebody was told before converting."""
    row = ConversionQuote.objects.filter(pk=quote_id).first()
    if row is None:
        return None
    facts = {
        "id": str(row.pk),
        "from": for_people(row.amount, row.from_currency),
        "to": for_people(row.amount_to, row.to_currency),
        "rate": f"{row.rate.normalize():f}",
        "quoted": clock.rfc3339(row.created_at) or "",
    }
    return Document("Conversion quote", facts)
