"""Business time. What orders the ledger is database time under the lock, never this clock."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django.utils import timezone


def business_zone() -> ZoneInfo:
    """Return the zone in which the business day is counted (Africa/Lagos unless configured)."""
    return ZoneInfo(settings.BUSINESS_TIME_ZONE)


def now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return timezone.now()


def database_now() -> datetime:
    """Return the database's present instant, for what must be before or after what the ledger records.

    Read it in a query of its own, once the locks are held: a query that waits for a lock may read it before it waits.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        instant: datetime = cursor.fetchall()[0][0]
    return instant


def rfc3339(at: datetime | None) -> str | None:
    """Write an instant as RFC 3339 in UTC with ``Z``; None stays null."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def business_day(at: datetime) -> date:
    """Return the business date on which the instant falls."""
    return at.astimezone(business_zone()).date()


def start_of_day(day: date) -> datetime:
    """Return the instant (UTC) at which the business date begins."""
    return datetime.combine(day, time.min, tzinfo=business_zone()).astimezone(UTC)


def next_day(at: datetime) -> datetime:
    """Return the instant (UTC) at which the next business day begins: daily limits reset there."""
    return start_of_day(business_day(at) + timedelta(days=1))


def next_month(at: datetime) -> datetime:
    """Return the instant (UTC) at which the next business month begins: monthly limits reset there."""
    day = business_day(at)
    first = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return start_of_day(first)
