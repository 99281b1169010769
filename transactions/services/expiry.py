"""Holds that expire: money that was promised for a time, and whose time is over.

A hold expires by itself only when it says until when it holds and no live document stands behind it; every other one
raises an alarm and waits, since its vendor may still deliver. Expiring is a void like any other: under the lock of the
wallet either it or a capture that comes at the same instant finds the hold pending, never both. Until then the hold is
held, listed and captured as before, so that no two places disagree about an instant.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import DatabaseError, transaction
from django.db.models import Q, QuerySet

from fintech_core import clock
from fintech_core.documents import may_be_alive
from fintech_core.health import Report
from notifications.services import publish
from transactions.drafts import Void
from transactions.enums import TransactionStatus
from transactions.errors import TransactionNotPending
from transactions.events import facts_of
from transactions.models import Transaction
from transactions.services.ledger import TransactionService

log = structlog.get_logger(__name__)

LOOKED_AT = 10_000
OVERDUE_AFTER = timedelta(hours=24)
EXPIRED = "hold_expired"


@dataclass(frozen=True, slots=True)
class Expired:
    """How many holds expired, and after which one the next sweep goes on; None is from the beginning."""

    count: int
    last: UUID | None


def expire_holds(*, now: datetime, after: UUID | None = None) -> Expired:
    """Void the holds whose time is over and whose document is not alive, of the ``LOOKED_AT`` after the one named.

    A sweep goes on after the last hold that the one before looked at, round and round: so those whose documents live,
    however many and old, keep nobody's for more than the rounds before theirs.
    """
    due = Transaction.objects.filter(status=TransactionStatus.PENDING, expires_at__lte=now)
    later = due if after is None else due.filter(_is_later_than(after))
    rows = list(later.order_by("expires_at", "pk").values_list("pk", "source_kind", "source_id")[:LOOKED_AT])
    count = sum(_expire(pk, now) for pk, kind, document in rows if not may_be_alive(kind, document))
    return Expired(count, rows[-1][0] if len(rows) == LOOKED_AT else None)


def _is_later_than(hold_id: UUID) -> Q:
    """Find the holds that come after one: by their time, and among those of one instant by their id."""
    expires_at = Transaction.objects.values_list("expires_at", flat=True).get(pk=hold_id)
    # By the index of expiring holds, from there on; OR alone would begin at the first.
    return Q(expires_at__gte=expires_at) & (Q(expires_at__gt=expires_at) | Q(pk__gt=hold_id))


def overdue_holds(now: datetime) -> QuerySet[Transaction]:
    """Find the holds that wait for somebody: older than a day without an end of their own, or a day past it."""
    late = now - OVERDUE_AFTER
    return Transaction.objects.filter(
        Q(expires_at__isnull=True, created_at__lt=late) | Q(expires_at__lt=late),
        status=TransactionStatus.PENDING,
    )


def overdue(*, now: datetime) -> int:
    """Count the holds that wait for somebody."""
    return overdue_holds(now).count()


def raise_alarm(*, now: datetime) -> int:
    """Tell the operators of holds that wait for somebody, and return how many do; nothing is released."""
    found = overdue(now=now)
    if found:
        log.error("holds_overdue", count=found)
    return found


def check_holds() -> Report:
    """Report how many holds wait for somebody."""
    found = overdue(now=clock.now())
    return Report(found == 0, {"overdue": found})


def _expire(transaction_id: UUID, now: datetime) -> bool:
    """Void one hold in a step of its own; False where it was captured or voided a moment before."""
    try:
        with transaction.atomic():
            (ended,) = TransactionService.apply(
                [Void(transaction_id, EXPIRED, TransactionStatus.CANCELLED)], now=now
            )
            if ended is not None and ended.from_user_id is not None:
                _tell(ended)
    except TransactionNotPending:
        return False
    except DatabaseError:
        # A wallet that is locked for long must not keep the others' money; the next round tries again.
        log.exception("hold_not_expired", transaction_id=str(transaction_id))
        return False
    return True


def _tell(ended: Transaction) -> None:
    publish(
        type="hold.expired",
        user_id=ended.from_user_id,
        payload=facts_of(ended, amount=ended.hold_amount or ended.amount),
    )
