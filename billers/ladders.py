"""When to ask a vendor again, and when its "not found" may be believed.

5, 15 and 30 s, 1, 2, 5, 10 and 30 minutes, then hourly to 24 hours, then a person. A vendor that was asked too early
does not know an order yet, so *not found* means *never arrived* only after 15 minutes and three readings; against the
sandbox, whose book is written before it answers, 5 seconds and two.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

STEPS_S: Final = (5, 15, 30, 60, 120, 300, 600, 1800)
THEN_EVERY: Final = timedelta(hours=1)
ASK_FOR: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class NotFoundRule:
    """How old an order must be, and how often it must have been looked for in vain."""

    age: timedelta
    readings: int

    def is_met(self, *, sent_at: datetime, now: datetime, readings: int) -> bool:
        """Say whether an order that was sent then, and not found this often, never arrived."""
        return now - sent_at >= self.age and readings >= self.readings


LIVE_RULE: Final = NotFoundRule(timedelta(minutes=15), 3)
SANDBOX_RULE: Final = NotFoundRule(timedelta(seconds=5), 2)


def not_found_rule() -> NotFoundRule:
    """Return the rule of this installation: production is patient."""
    return LIVE_RULE if settings.PRODUCTION else SANDBOX_RULE


def next_check(*, checks: int, created_at: datetime, now: datetime) -> datetime | None:
    """Return when to ask after ``checks`` questions without an end; None when a person has to look."""
    if now - created_at >= ASK_FOR:
        return None
    pause = timedelta(seconds=STEPS_S[checks]) if checks < len(STEPS_S) else THEN_EVERY
    return min(now + pause, created_at + ASK_FOR)


def resolve_by(created_at: datetime) -> datetime:
    """Return until when a payment is settled by itself, or a person looks."""
    return created_at + ASK_FOR
