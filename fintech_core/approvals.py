"""Maker and checker: what moves money by hand is asked for by one member of staff and decided by another.

A kind is a table that inherits from ``ApprovalRequest`` and a service that carries it out in the transaction in which
it is approved, so that a decision and what comes of it are one. Nothing is carried out for whoever has left the staff
or lost the right to ask since they asked: then one person would have decided alone.
"""

from datetime import datetime
from decimal import Decimal
from typing import Protocol, TypeVar, cast
from uuid import UUID

from django.conf import settings

from fintech_core.database.atomic import require_transaction
from fintech_core.exceptions import DomainError, NotFound
from fintech_core.models import ApprovalRequest, ApprovalStatus

Request = TypeVar("Request", bound=ApprovalRequest)


class StaffMember(Protocol):
    """Whoever decides: a user that works here."""

    pk: UUID


class AnotherPersonRequired(DomainError):
    """Whoever asked for it does not decide it."""

    code, status, title = "another_person_required", 403, "Somebody else must decide this"


class ApprovalDecided(DomainError):
    """A request is approved or rejected once."""

    code, status, title = "approval_decided", 409, "This was decided before"


class ApprovalPending(DomainError):
    """The same was asked for before, and nobody has decided it; ``approval_id`` says where."""

    code, status, title = "approval_pending", 409, "This waits for somebody else already"


class ApprovalRejected(DomainError):
    """Somebody else rejected what this request asked for; nothing moved."""

    code, status, title = "approval_rejected", 422, "Somebody else rejected this"


def may_decide_alone(amount: Decimal, currency: str) -> bool:
    """Say whether one person is enough for an amount in major units.

    ``SECOND_PERSON_ABOVE`` names the highest for each currency; of one that is not named there is none.
    """
    limit: Decimal = settings.SECOND_PERSON_ABOVE.get(currency, Decimal(0))
    return amount <= limit


def open_request(model: type[Request], request_id: UUID, *, checker: StaffMember) -> Request:
    """Lock a request that this person may decide, in the caller's transaction.

    Raises NotFound, ApprovalDecided, AnotherPersonRequired.
    """
    require_transaction("approvals")
    found = model._default_manager.select_for_update(no_key=True).filter(pk=request_id).first()
    asked = cast("Request | None", found)
    if asked is None:
        raise NotFound
    if asked.status != ApprovalStatus.PENDING:
        raise ApprovalDecided(f"It is {asked.get_status_display().lower()}.")
    if asked.requested_by_id == checker.pk:
        raise AnotherPersonRequired("You asked for this; somebody else decides it.")
    return asked


def require_maker(asked: ApprovalRequest, *permissions: str) -> None:
    """Refuse to carry out what was asked for by somebody who has left the staff or lost one of these permissions.

    Raises AnotherPersonRequired.
    """
    maker = asked.requested_by
    if not (maker.is_active and maker.is_staff and maker.has_perms(permissions)):
        raise AnotherPersonRequired(
            "Whoever asked for it may not ask for it any more. Reject it; somebody else asks anew."
        )


def close(asked: ApprovalRequest, *, checker: StaffMember, result_id: UUID | None, now: datetime) -> None:
    """Write down that a locked request was approved, with what was made of it, or rejected when nothing was."""
    asked.status = ApprovalStatus.REJECTED if result_id is None else ApprovalStatus.APPROVED
    asked.decided_by_id, asked.decided_at, asked.result_id = checker.pk, now, result_id
    asked.save(update_fields=["status", "decided_by", "decided_at", "result_id"])
