"""Closing the books of a month, and the question whether something may still take effect at a time.

Closing and dating back exclude each other by an advisory lock of the transaction: shared for a movement that is dated
back, exclusive for closing. It is taken before any wallet, so it cannot deadlock with one.
"""

from datetime import date, datetime

from django.db import connection, transaction
from django.db.models import Min

from fintech_core import audit, clock
from fintech_core.audit import Actor
from fintech_core.database.atomic import require_transaction
from transactions.errors import EffectiveTimeRefused, MonthNotClosable
from transactions.models import ClosedMonth
from wallet.models import Wallet

_CLOSE = "SELECT pg_advisory_xact_lock(hashtext('transactions.closed_months'))"
_KEEP_OPEN = "SELECT pg_advisory_xact_lock_shared(hashtext('transactions.closed_months'))"


@transaction.atomic
def close_month(*, month: date, actor: Actor, reason: str, now: datetime) -> ClosedMonth:
    """Close a business month, named by its first day, for good: nothing takes effect in it from here on.

    Raises MonthNotClosable when it is not over, or is not the one after the last that was closed.
    """
    _lock(_CLOSE)
    if month.day != 1:
        raise MonthNotClosable("Name the month by its first day.")
    if month >= clock.business_day(now).replace(day=1):
        raise MonthNotClosable("It is not over yet.")
    last = last_closed()
    if last is not None and month != month_after(last):
        raise MonthNotClosable(f"The next month to close is {month_after(last):%B %Y}.")
    if last is None and month_after(month) < _month_of_the_first_wallet(now):
        raise MonthNotClosable("The first to close is the month before the first wallet, or a later one.")
    closed = ClosedMonth.objects.create(
        month=month, reason=reason, closed_by_id=actor.pk, closed_at=clock.database_now()
    )
    audit.record(actor=actor, action="month.closed", target=closed, reason=reason)
    return closed


def _month_of_the_first_wallet(now: datetime) -> date:
    """Return the first month in which anything could be booked; this one while there is no wallet.

    Each month after the first is closed in turn: one that was mistyped would have centuries to be closed after it.
    """
    first = Wallet.objects.aggregate(first=Min("created_at"))["first"]
    return clock.business_day(first or now).replace(day=1)


def last_closed() -> date | None:
    """Return the first day of the last month that was closed, or None."""
    found: date | None = ClosedMonth.objects.order_by("-month").values_list("month", flat=True).first()
    return found


def next_to_close(*, now: datetime) -> date:
    """Return the first day of the month that would be closed next: after the last, or the one that has just ended."""
    last = last_closed()
    if last is not None:
        return month_after(last)
    day = clock.business_day(now)
    return date(day.year - (day.month == 1), (day.month - 2) % 12 + 1, 1)


def month_after(month: date) -> date:
    """Return the first day of the following month."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def lock_open_month(*, wallet: Wallet, effective_at: datetime, now: datetime) -> None:
    """See that a movement may take effect at a time, and keep that month open until the transaction ends.

    Raises EffectiveTimeRefused, NotInTransaction.
    """
    require_transaction("lock_open_month")
    _lock(_KEEP_OPEN)
    last = last_closed()
    if last is not None and effective_at < clock.start_of_day(month_after(last)):
        raise EffectiveTimeRefused(
            f"The books of {last:%B %Y} are closed.", earliest_on=month_after(last).isoformat()
        )
    if effective_at >= now:
        raise EffectiveTimeRefused("It would take effect in the future.")
    if effective_at < wallet.created_at:
        raise EffectiveTimeRefused("The wallet was not open yet.")


def _lock(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
