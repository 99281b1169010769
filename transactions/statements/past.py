"""Balances at an instant, and the question whether an instant is over for a wallet."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Sum, When

from fintech_core import clock
from fintech_core.money import ZERO
from transactions.balances import UNSETTLED
from transactions.enums import BalanceClock, Direction
from transactions.models import LedgerEntry
from wallet.models import Wallet


def balance_at(*, wallet: Wallet, at: datetime, by: BalanceClock) -> Decimal:
    """Return what a wallet had at an instant (inclusive), in major units of its currency; zero before its first entry.

    Recorded: the running balance of the last entry recorded by then. Effective: that, plus what was recorded later
    but counts from before, less what was recorded before but counts from later.
    """
    settled_at(wallet_id=wallet.pk, instant=at)
    recorded = last_balance(wallet_id=wallet.pk, until=at)
    if by == BalanceClock.RECORDED:
        return recorded
    dated = LedgerEntry.objects.filter(wallet_id=wallet.pk, effective_at__isnull=False)
    came_later = dated.filter(created_at__gt=at, effective_at__lte=at)
    counts_later = dated.filter(created_at__lte=at, effective_at__gt=at)
    return recorded + _net(came_later) - _net(counts_later)


def last_balance(*, wallet_id: UUID, until: datetime) -> Decimal:
    """Return the running balance of the wallet's last entry recorded at or before an instant."""
    found = entry_at(wallet_id=wallet_id, until=Q(created_at__lte=until))
    return ZERO if found is None else found[1]


def entry_at(*, wallet_id: UUID, until: Q) -> tuple[int, Decimal] | None:
    """Return version and running balance of the wallet's last entry that fulfils a bound on ``created_at``."""
    rows = LedgerEntry.objects.history_of(wallet_id).filter(until).order_by("-created_at", "-id")
    found = rows.values_list("wallet_version", "wallet_balance_after").first()
    # The database promises both to every entry of a wallet.
    return None if found is None else (found[0] or 0, found[1] or ZERO)


def settled_at(*, wallet_id: UUID, instant: datetime) -> datetime:
    """Return the database's time, once no entry can be recorded for this wallet at or before ``instant`` unseen.

    A posting has its recorded time before it commits. When the instant is that near, take the wallet's lock as a
    posting does, and give it back: what was under way is then committed, and what comes later is recorded later.
    """
    if clock.now() - instant > UNSETTLED:
        return clock.now()
    with transaction.atomic():
        list(Wallet.objects.select_for_update(no_key=True).filter(pk=wallet_id).values_list("pk"))
        return clock.database_now()


def _net(entries: "QuerySet[LedgerEntry]") -> Decimal:
    """Return what entries of a wallet add to it: credits less debits."""
    signed = Case(When(direction=Direction.CREDIT, then=F("amount")), default=-F("amount"))
    total: Decimal | None = entries.aggregate(total=Sum(signed))["total"]
    return ZERO if total is None else total
