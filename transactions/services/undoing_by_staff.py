"""Reversals and refunds that staff decide: alone up to a limit, above it together with somebody else.

How much moves is known when it has moved, under the locks, with all that was refunded before: so it is carried out
first, and undone again by a savepoint when one person is not enough. A refusal is told to whoever asks, at once. What
a second person approves is carried out anew, for the very amount that was asked for, by what is there then. A process
that dies in between leaves nothing: asking is one transaction, deciding another.
"""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction

from fintech_core import approvals, audit
from fintech_core.models import ApprovalStatus
from fintech_core.money import format_amount
from transactions.drafts import Source
from transactions.enums import ApprovalKind, TransactionType
from transactions.models import UNDOING, Transaction, Undoing
from transactions.rights import ASK, BOOK_SHORTFALL
from transactions.selectors import ever_refunded, get_transaction_for_staff
from transactions.services.ledger import TransactionService
from transactions.services.undoing import forbid_own_movement
from users.models import User


@transaction.atomic
def undo(
    *,
    kind: ApprovalKind,
    transaction_id: UUID,
    actor: User,
    reason: str,
    book_shortfall: bool,
    now: datetime,
    amount: Decimal | None = None,
) -> Transaction | Undoing:
    """Reverse or refund a movement, or ask for it where that is more than ``actor`` may decide alone.

    ``amount`` is that of a refund in major units, None all that is left. Everything that was ever refunded of the
    movement counts, also what was taken back, so that neither several small refunds nor one given over and over, and
    a reversal after it, is a way around a second person. What two people have decided, a correction, is never one
    person's to reverse. Raises NotFound, ApprovalPending, and what ``TransactionService.reverse`` and ``refund``
    raise, whether it is carried out or asked for.
    """
    original = get_transaction_for_staff(transaction_id=transaction_id)
    with transaction.atomic():
        made = _carry_out(kind, original, amount, actor, reason, book_shortfall, now)
        alone = _is_ones_own_to_decide(kind, original, made)
        transaction.set_rollback(not alone)
    return made if alone else _ask(kind, original, made, actor, reason, book_shortfall, now)


@transaction.atomic
def book_undoing(*, undoing_id: UUID, checker: User, reason: str, now: datetime) -> Undoing:
    """Carry out the reversal or refund that somebody else asked for, once.

    Raises NotFound, AnotherPersonRequired, OwnCase, ApprovalDecided, and what the reversal or refund itself raises.
    """
    asked = _decidable(undoing_id, checker)
    approvals.require_maker(asked, *_rights(asked))
    original = get_transaction_for_staff(transaction_id=asked.transaction_id)
    made = _carry_out(
        ApprovalKind(asked.kind), original, asked.amount, checker, asked.reason, asked.book_shortfall, now,
        source=Source(UNDOING, asked.pk),
    )  # fmt: skip
    approvals.close(asked, checker=checker, result_id=made.pk, now=now)
    audit.record(actor=checker, action="undoing.booked", target=asked, reason=reason, changes=_figures(asked))
    return asked


@transaction.atomic
def reject_undoing(*, undoing_id: UUID, checker: User, reason: str, now: datetime) -> Undoing:
    """Reject the reversal or refund that somebody else asked for.

    Raises NotFound, AnotherPersonRequired, OwnCase, ApprovalDecided.
    """
    asked = _decidable(undoing_id, checker)
    approvals.close(asked, checker=checker, result_id=None, now=now)
    audit.record(actor=checker, action="undoing.rejected", target=asked, reason=reason)
    return asked


def _is_ones_own_to_decide(kind: ApprovalKind, original: Transaction, made: Transaction) -> bool:
    if original.type == TransactionType.ADJUSTMENT:
        return False
    mirrored = made.amount if kind == ApprovalKind.REVERSAL else Decimal(0)
    return approvals.may_decide_alone(ever_refunded(original) + mirrored, made.currency)


def _ask(
    kind: ApprovalKind,
    original: Transaction,
    tried: Transaction,
    actor: User,
    reason: str,
    book_shortfall: bool,
    now: datetime,
) -> Undoing:
    """Store the request for what was tried, if none is open for this movement. Raises ApprovalPending."""
    _one_after_the_other(original)
    waiting = Undoing.objects.filter(transaction=original, status=ApprovalStatus.PENDING).first()
    if waiting is not None:
        raise approvals.ApprovalPending(
            "A reversal or refund of this movement waits for somebody else. Reject it to ask anew.",
            approval_id=str(waiting.pk),
        )
    asked = Undoing.objects.create(
        kind=kind,
        transaction=original,
        amount=tried.amount,
        currency=tried.currency,
        book_shortfall=book_shortfall,
        reason=reason,
        requested_by=actor,
        requested_at=now,
    )
    audit.record(
        actor=actor, action="undoing.requested", target=asked, reason=reason, changes=_figures(asked)
    )
    return asked


def _one_after_the_other(original: Transaction) -> None:
    """Hold a lock of this movement's requests; nothing else takes it, and no wallet is locked any more."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtext('transactions.undoing'), hashtext(%s))", [str(original.pk)]
        )


def _rights(asked: Undoing) -> list[str]:
    """Return what somebody must be allowed to ask for this."""
    return [ASK[asked.kind], *([BOOK_SHORTFALL] if asked.book_shortfall else [])]


def _carry_out(
    kind: ApprovalKind,
    original: Transaction,
    amount: Decimal | None,
    actor: User,
    reason: str,
    book_shortfall: bool,
    now: datetime,
    *,
    source: Source | None = None,
) -> Transaction:
    """Book the mirror, which is always the whole movement, or the refund."""
    if kind == ApprovalKind.REFUND:
        return TransactionService.refund(
            original, amount=amount, actor=actor, reason=reason, book_shortfall=book_shortfall, source=source,
            now=now,
        )  # fmt: skip
    return TransactionService.reverse(
        original, actor=actor, reason=reason, book_shortfall=book_shortfall, source=source, now=now
    )


def _decidable(undoing_id: UUID, checker: User) -> Undoing:
    """Lock a request that this person may decide."""
    asked = approvals.open_request(Undoing, undoing_id, checker=checker)
    forbid_own_movement(asked.transaction, checker)
    return asked


def _figures(asked: Undoing) -> dict[str, list[str | None]]:
    return {
        "transaction": [None, str(asked.transaction_id)],
        asked.kind: [None, format_amount(asked.amount, asked.currency)],
        "book_shortfall": [None, str(asked.book_shortfall).lower()],
    }
