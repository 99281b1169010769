"""Bills that were paid and whose money went back: reversed by staff in the ledger, or refunded in full.

The ledger knows nothing of bills, so its events ring, a sweep looks again, and the ledger's own rows say what is to do.
A bill of which a part was refunded stays completed. A reversed one stays reversed, even when the refund that gave its
money back is itself reversed later: the movement's own rows tell that. Each bill is a step of its own: killed before
COMMIT, nothing has happened; run twice, the row's lock and its status let one of them through.
"""

from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from billers.enums import BILL_SOURCES, BillStatus
from billers.models import BillPayment
from billers.services.reviews import lock
from billers.services.settlement import facts_of
from fintech_core import audit, state
from notifications.services import publish
from transactions.selectors import given_back

SWEEP_LIMIT = 200


def follow_ledger_for(*, user_id: UUID) -> int:
    """Mark the user's bills as reversed whose money went back; return how many were."""
    return _mark(_given_back().filter(user_id=user_id))


def sweep_given_back() -> int:
    """Mark anybody's bills as reversed whose money went back; return how many were."""
    return _mark(_given_back())


def _given_back() -> QuerySet[BillPayment]:
    return BillPayment.objects.filter(status=BillStatus.COMPLETED, transaction__in=given_back().values("pk"))


def _mark(payments: QuerySet[BillPayment]) -> int:
    found = list(payments.order_by("created_at").values_list("pk", flat=True)[:SWEEP_LIMIT])
    return sum(_mark_one(payment_id) for payment_id in found)


@transaction.atomic
def _mark_one(payment_id: UUID) -> bool:
    """Move one bill to its last status and tell the customer; False where somebody was faster.

    When it was paid, its token and whether a person looks at it stay as they are.
    """
    payment = lock(payment_id)
    if not state.move(BillPayment, payment.pk, to=BillStatus.REVERSED, sources=BILL_SOURCES):
        return False
    audit.record(
        actor=None,
        action="bill_payment.reversed",
        target=payment,
        reason=f"The money of transaction {payment.transaction_id} went back.",
        changes={"status": [str(payment.status), str(BillStatus.REVERSED)]},
    )
    publish(type="bill_payment.reversed", user_id=payment.user_id, payload=facts_of(payment))
    return True
