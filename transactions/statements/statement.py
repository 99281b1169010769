"""Statements: what a wallet had, every line of a period, and what it had then.

A period ends where a Lagos day ends, by recorded time. A wallet's entries are numbered without a gap, so a statement
is a range of numbers: those recorded since are outside of it, and no entry is ever changed, which is why an issued
statement reads the same for ever. The other side of a line is named as it was called when the line was recorded, the
owner as at the end of the period. Before it is handed out its sums are proved in the database, and each line is proved
again while it is written.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import structlog
from django.db.models import Count, Q, QuerySet, Sum

from fintech_core import clock
from fintech_core.money import ZERO
from transactions.balances import UNSETTLED
from transactions.enums import Direction
from transactions.errors import BooksDoNotAddUp, StatementTooLong
from transactions.models import LedgerEntry
from transactions.rendering import counterparty_id, named
from transactions.statements import past
from users.names import PersonName
from users.past_names import PastNames, names_since
from wallet.models import Wallet

BATCH = 1_000
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Line:
    """One entry with what it tells of, and the other side as it was called then."""

    entry: LedgerEntry
    counterparty: str


@dataclass(frozen=True, slots=True)
class Statement:
    """The frame of a statement; amounts in major units. Its lines have the versions after ``before`` to ``through``.

    ``is_final`` says that the period was over: only then will it read the same tomorrow. ``is_fresh`` says that it had
    been over for so short a time that somebody may still be changing a name of then. ``until`` is the recorded time up
    to which it reaches.
    """

    wallet: Wallet
    first: date
    last: date
    until: datetime
    is_final: bool
    is_fresh: bool
    opening: Decimal
    closing: Decimal
    money_in: Decimal
    money_out: Decimal
    before: int
    through: int

    @property
    def count(self) -> int:
        """How many lines there are."""
        return self.through - self.before

    @property
    def reaches_on(self) -> date:
        """The last day of which it tells: of a period that is not over, the day up to which it was drawn up."""
        return self.last if self.is_final else clock.business_day(self.until)

    def owner_name(self) -> PersonName:
        """Return what the owner was called when the period ended."""
        owner_id = self.wallet.owner_id
        names = names_since(user_ids=[owner_id], since=self.until, wait=self.is_fresh)
        return names.at(owner_id, self.until)

    def lines(self) -> Iterator[Line]:
        """Read the lines in their order, a batch at a time. Raises BooksDoNotAddUp at one that does not follow."""
        balance = self.opening
        for start in range(self.before, self.through, BATCH):
            stop = min(start + BATCH, self.through)
            entries = list(_entries(self.wallet, start, stop).order_by("wallet_version"))
            names = self._names(entries)
            for entry in entries:
                balance += entry.amount if entry.direction == Direction.CREDIT else -entry.amount
                if balance != entry.wallet_balance_after:
                    raise _contradiction(self.wallet, f"entry {entry.pk} does not follow the one before")
                yield Line(entry, self._counterparty(entry, names))
        if balance != self.closing:
            raise _contradiction(self.wallet, "the lines do not lead to the closing balance")

    def _names(self, entries: Sequence[LedgerEntry]) -> PastNames:
        """Read whom a batch of lines names, at once."""
        others = {other for entry in entries if (other := self._other(entry))}
        since = min((entry.created_at for entry in entries), default=self.until)
        return names_since(user_ids=others, since=since, wait=self.is_fresh)

    def _counterparty(self, entry: LedgerEntry, names: PastNames) -> str:
        other = self._other(entry)
        return named(entry.transaction, None if other is None else names.at(other, entry.created_at))

    def _other(self, entry: LedgerEntry) -> UUID | None:
        return counterparty_id(entry.transaction, self.wallet.owner_id)


def draw_up(*, wallet: Wallet, first: date, last: date, max_lines: int) -> Statement:
    """Draw up the statement of a wallet for the Lagos days ``first`` to ``last``, both included, up to now.

    Raises StatementTooLong, BooksDoNotAddUp.
    """
    begins, ends = clock.start_of_day(first), clock.start_of_day(last + timedelta(days=1))
    now = past.settled_at(wallet_id=wallet.pk, instant=ends)
    is_final = now >= ends
    opening = past.entry_at(wallet_id=wallet.pk, until=Q(created_at__lt=begins)) or (0, ZERO)
    bound = Q(created_at__lt=ends) if is_final else Q(created_at__lte=now)
    closing = past.entry_at(wallet_id=wallet.pk, until=bound) or (0, ZERO)
    lines = closing[0] - opening[0]
    if lines > max_lines:
        raise StatementTooLong(
            f"The period has {lines:,} lines; one document of this format carries {max_lines:,}.",
            lines=lines,
            max_lines=max_lines,
            how_to_fix="Ask for a shorter period, or for CSV.",
        )
    money_in, money_out = _sums(wallet, opening[0], closing[0])
    if opening[1] + money_in - money_out != closing[1]:
        raise _contradiction(wallet, "opening and lines are not closing")
    return Statement(
        wallet=wallet,
        first=first,
        last=last,
        until=min(now, ends),
        is_final=is_final,
        is_fresh=is_final and now - ends <= UNSETTLED,
        opening=opening[1],
        closing=closing[1],
        money_in=money_in,
        money_out=money_out,
        before=opening[0],
        through=closing[0],
    )


def _entries(wallet: Wallet, start: int, stop: int) -> "QuerySet[LedgerEntry]":
    """Read lines with what they tell of; whom they name is only told by id."""
    rows = LedgerEntry.objects.filter(wallet=wallet, wallet_version__gt=start, wallet_version__lte=stop)
    return rows.select_related("transaction").only(
        "direction", "amount", "currency", "wallet_balance_after", "created_at", "effective_at",
        *(f"transaction__{name}" for name in ("reference", "type", "description", "from_user", "to_user")),
    )  # fmt: skip


def _sums(wallet: Wallet, start: int, stop: int) -> tuple[Decimal, Decimal]:
    """Add up what came in and what went out. Raises BooksDoNotAddUp when a line is missing."""
    rows = LedgerEntry.objects.filter(wallet=wallet, wallet_version__gt=start, wallet_version__lte=stop)
    found = rows.aggregate(
        count=Count("pk"),
        money_in=Sum("amount", filter=Q(direction=Direction.CREDIT)),
        money_out=Sum("amount", filter=Q(direction=Direction.DEBIT)),
    )
    if found["count"] != stop - start:
        raise _contradiction(wallet, f"{found['count']} of {stop - start} entries are there")
    return found["money_in"] or ZERO, found["money_out"] or ZERO


def _contradiction(wallet: Wallet, what: str) -> BooksDoNotAddUp:
    log.error("statement_does_not_add_up", wallet_id=str(wallet.pk), what=what)
    return BooksDoNotAddUp("The books of this wallet contradict each other. Our staff has been told.")
