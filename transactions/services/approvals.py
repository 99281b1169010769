"""Decisions of a second person, whatever was asked for: each kind has its own service."""

from datetime import datetime
from uuid import UUID

from fintech_core.exceptions import NotFound
from fintech_core.models import ApprovalRequest
from transactions.enums import ApprovalKind
from transactions.services import adjustments, undoing_by_staff
from users.models import User


def approve(*, request_id: UUID, checker: User, reason: str, now: datetime) -> None:
    """Carry out what somebody else asked for, once. Raises NotFound and what the kind's own service raises."""
    match _kind_of(request_id):
        case ApprovalKind.ADJUSTMENT:
            adjustments.book_adjustment(adjustment_id=request_id, checker=checker, reason=reason, now=now)
        case ApprovalKind.REVERSAL | ApprovalKind.REFUND:
            undoing_by_staff.book_undoing(undoing_id=request_id, checker=checker, reason=reason, now=now)


def reject(*, request_id: UUID, checker: User, reason: str, now: datetime) -> None:
    """Reject what somebody else asked for; nothing moves. Raises as ``approve`` does."""
    match _kind_of(request_id):
        case ApprovalKind.ADJUSTMENT:
            adjustments.reject_adjustment(adjustment_id=request_id, checker=checker, reason=reason, now=now)
        case ApprovalKind.REVERSAL | ApprovalKind.REFUND:
            undoing_by_staff.reject_undoing(undoing_id=request_id, checker=checker, reason=reason, now=now)


def _kind_of(request_id: UUID) -> ApprovalKind:
    kind = ApprovalRequest.objects.filter(pk=request_id).values_list("kind", flat=True).first()
    if kind is None:
        raise NotFound
    return ApprovalKind(kind)
