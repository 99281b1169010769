"""What the processes that read repeat."""

import random
from datetime import datetime, timedelta

from bench.people import PLAIN, user_id
from bench.transfers import wallet
from bench.worker import Step
from fintech_core import clock
from transactions.enums import BalanceClock
from transactions.models import LedgerEntry
from transactions.selectors import wallet_lines
from transactions.statements.past import balance_at
from users.models import User


def balances_at(number: int) -> Step:
    """Ask what wallets had at instants of the past."""
    draw = random.Random(number)
    first, last = _lifetime()

    def ask() -> int:
        at = first + (last - first) * draw.random()
        balance_at(wallet=wallet(draw.randint(1, PLAIN)), at=at, by=BalanceClock.RECORDED)
        return 1

    return ask


def first_pages(number: int) -> Step:
    """Read the newest lines of wallets, as the first page of a statement shows them."""

    draw = random.Random(number)

    def read() -> int:
        lines = wallet_lines(user=User(pk=user_id(draw.randint(1, PLAIN))), currency="NGN").order_by(
            "-created_at", "-id"
        )
        return 1 if list(lines[:26]) else 0

    return read


def _lifetime() -> tuple[datetime, datetime]:
    """Return when the first entry was recorded, and an instant before which nothing can be recorded any more."""

    first = LedgerEntry.objects.order_by("id").values_list("created_at", flat=True)[0]
    settled = clock.now() - timedelta(minutes=6)
    return first, max(settled, first)
