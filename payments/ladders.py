"""When to ask a gateway again, and when to stop.

An intent whose webhook never came: after 1, 5, 15 and 60 minutes, then hourly to 24 hours, then daily to 7 days;
where nobody has to wait for real customers (everywhere but in production) two early questions come first. An event
whose reference nobody knows yet is tried for 15 minutes: it may have overtaken our own commit.
"""

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

INTENT_LIFETIME: Final = timedelta(hours=1)
LIVE_STEPS_S: Final = (60, 300, 900, 3600)
EARLY_STEPS_S: Final = (10, 30)
HOURLY_UNTIL: Final = timedelta(hours=24)
ASK_FOR: Final = timedelta(days=7)

START_PAUSES_S: Final = (2, 5, 15, 30, 60)
EVENT_PAUSES_S: Final = (2, 5, 10, 20, 30, 60, 120, 300, 300, 900, 3600)
UNKNOWN_REFERENCE_FOR: Final = timedelta(minutes=15)
UNANSWERED_FOR: Final = timedelta(hours=24)


def next_check(*, checks: int, created_at: datetime, now: datetime) -> datetime | None:
    """Return when to ask about an intent after ``checks`` questions without an end; None when the ladder ends."""
    early = () if settings.PRODUCTION else EARLY_STEPS_S
    due = [created_at + timedelta(seconds=step) for step in (*early, *LIVE_STEPS_S)]
    upcoming = next((at for at in due[checks:] if at > now), None)
    if upcoming is not None:
        return upcoming
    age = now - created_at
    if age >= ASK_FOR:
        return None
    return now + (timedelta(hours=1) if age < HOURLY_UNTIL else timedelta(days=1))


def next_start(*, checks: int, now: datetime) -> datetime:
    """Return when to try again to start a checkout."""
    return now + timedelta(seconds=START_PAUSES_S[min(checks, len(START_PAUSES_S) - 1)])


def next_event_try(*, checks: int, now: datetime) -> datetime:
    """Return when to look at a stored webhook again."""
    return now + timedelta(seconds=EVENT_PAUSES_S[min(checks, len(EVENT_PAUSES_S) - 1)])
