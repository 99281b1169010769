"""A copy of the journal, proven without the database: sums, running balances, the chart, seals, and that it is whole.

The copy is read once, line by line; kept in memory is one figure a wallet and a currency, the transactions that do not
add up (yet), and the seals' hashes. Who has none of the seals' keys proves it by a head that was published:
``copied_seals``.
"""

import hashlib
import json
import shlex
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from fintech_core import clock
from fintech_core.money import ZERO
from transactions import chart
from transactions.enums import TransactionType
from transactions.sealing import canonical
from transactions.sealing.publishing import Head
from transactions.verification import copied_seals
from transactions.verification.check import Broken, Rule, collect
from transactions.verification.copied_seals import CopiedSeals
from transactions.verification.report import CurrencyTotals, Report, Totals

COMPARE: Final = (
    "make another copy with manage.py export_ledger FILE, and compare {row} with it and with the database"
)

READABLE: Final = Rule(
    "copy_is_readable", "A line of the copy is not what such a line may be.", "line", COMPARE
)
WHOLE: Final = Rule(
    "copy_is_whole", "The copy is cut off, or lines of it were changed after it was made.", "copy", COMPARE
)
SUMS: Final = Rule(
    "entries_sum_to_zero",
    "The debits and credits of a transaction differ in a currency.",
    "transaction",
    COMPARE,
)
FOLLOW: Final = Rule(
    "entry_follows_the_one_before",
    "A wallet's entries have a gap, or carry a balance that the one before does not lead to.",
    "entry",
    COMPARE,
)
ALLOWED: Final = Rule(
    "entry_is_allowed_by_the_chart",
    "A type of transaction moved money over an account that the chart does not allow it.",
    "entry",
    COMPARE,
)
RULES: Final = (READABLE, WHOLE, SUMS, FOLLOW, ALLOWED, *copied_seals.RULES)

FINEST: Final = Decimal("0.0001")
# What a line may bring about that is not what such a line may be, brackets in brackets without end among it.
UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError)
TOLD_EVERY: Final = 100_000


@dataclass(slots=True)
class Counted:
    """What was met on the way, by currency where it is money."""

    entries: Counter[str] = field(default_factory=Counter)
    debits: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    credits: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    wallets: dict[str, tuple[int, Decimal, str]] = field(default_factory=dict)
    transactions: int = 0


@dataclass(slots=True)
class Copy:
    """The reader of one copy. ``examine`` yields what breaks a rule, ``counted`` says how much there was."""

    seals: CopiedSeals
    told: Callable[[int], None] | None = None
    counted: Counted = field(default_factory=Counted)
    _all: Any = field(default_factory=hashlib.sha256)
    _number: int = 0
    _type: dict[str, str] = field(default_factory=dict)
    _sums: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    _footer: bool = False

    def examine(self, lines: Iterable[bytes]) -> Iterator[Broken]:
        """Yield what breaks a rule, line by line, and then what is missing at the end."""
        for raw in lines:
            self._number += 1
            if self._footer:
                yield WHOLE, "footer", f"line {self._number} comes after it"
            try:
                yield from self._line(raw, json.loads(raw))
            except UNREADABLE as error:
                yield READABLE, str(self._number), type(error).__name__
            if self.told is not None and self._number % TOLD_EVERY == 0:
                self.told(self._number)
        if not self._footer:
            yield WHOLE, "footer", f"missing after line {self._number}"
        for (transaction_id, currency), left in self._sums.items():
            yield SUMS, transaction_id, f"{currency} is off by {left}"
        yield from self.seals.end()

    def _line(self, raw: bytes, facts: dict[str, Any]) -> Iterator[Broken]:
        kind = facts["fact"]
        if kind == "footer":
            self._footer = True
            if (facts["lines"], facts["digest"]) != (self._number - 1, self._all.hexdigest()):
                yield (
                    WHOLE,
                    "footer",
                    f"made over {facts['lines']} lines, there are {self._number - 1} before it",
                )
            return
        self._all.update(raw)
        if kind == "header":
            if facts["format"] != canonical.FORMAT or self._number != 1:
                yield READABLE, str(self._number), f"header of format {facts['format']}"
        elif kind == "seal":
            yield from self.seals.met(facts)
        else:
            self.seals.lines.digest.update(raw)
            yield from self._fact(kind, facts)

    def _fact(self, kind: str, facts: dict[str, Any]) -> Iterator[Broken]:
        if tuple(facts) != ("fact", *canonical.COLUMNS[kind]):
            yield READABLE, str(self._number), f"{kind} with other columns"
        if kind == "transaction":
            self._type = {facts["id"]: facts["type"]}
            self.counted.transactions += 1
        elif kind == "entry":
            self.seals.lines.entries += 1
            yield from self._entry(facts)
        elif kind in {"hold", "end"}:
            self.seals.lines.holds += 1

    def _entry(self, facts: dict[str, Any]) -> Iterator[Broken]:
        amount, currency, debit = _amount(facts["amount"]), facts["currency"], facts["direction"] == "debit"
        if not isinstance(currency, str):
            raise TypeError(f"a currency is a text, not {currency!r}")
        self.counted.entries[currency] += 1
        side = self.counted.debits if debit else self.counted.credits
        side[currency] += amount
        key = (facts["transaction_id"], currency)
        left = self._sums.pop(key, ZERO) + (-amount if debit else amount)
        if left:
            self._sums[key] = left
        kind = self._type.get(facts["transaction_id"])
        if kind is None or (
            kind != TransactionType.REVERSAL and not chart.allows(kind, facts["account"], facts["direction"])
        ):
            yield (
                ALLOWED,
                str(facts["id"]),
                f"{kind or 'no type'} may not {facts['direction']} {facts['account']}",
            )
        if facts["wallet_id"] is not None:
            yield from self._wallet(facts, -amount if debit else amount)

    def _wallet(self, facts: dict[str, Any], moved: Decimal) -> Iterator[Broken]:
        version, balance, _ = self.counted.wallets.get(facts["wallet_id"], (0, ZERO, ""))
        after = _amount(facts["wallet_balance_after"])
        if (facts["wallet_version"], after) != (version + 1, balance + moved):
            yield (
                FOLLOW,
                str(facts["id"]),
                f"wallet {facts['wallet_id']}: version {facts['wallet_version']} with {after} after, expected"
                f" {version + 1} with {balance + moved}",
            )
        self.counted.wallets[facts["wallet_id"]] = (facts["wallet_version"], after, facts["currency"])


def _amount(text: str) -> Decimal:
    """Return an amount of money as the books may have it, which sums never leave. Raises ValueError, ArithmeticError.

    One that is not finite, or has more digits than decimals are computed with here, cannot be rounded at all.
    """
    amount = Decimal(text)
    if amount.quantize(FINEST) != amount:
        raise ValueError(f"{amount} is finer than any currency")
    return amount


def verify_copy(
    file: Path, *, published: Sequence[Head] = (), told: Callable[[int], None] | None = None
) -> Report:
    """Prove a copy that ``export_ledger`` wrote; asks no database. ``told`` gets the number of lines now and then.

    A seal whose key is in ``SEAL_KEYS`` is held to its mac. One whose key is not there is a note when there are
    ``published`` heads, which prove what comes before them, and otherwise makes a finding. Raises OSError.
    """
    checked_at, started = clock.now(), time.monotonic()
    copy = Copy(CopiedSeals(shlex.quote(str(file)), published), told)
    with file.open("rb") as lines:
        findings, broken = collect(copy.examine(lines))
    counted, held = copy.counted, "not in a copy"
    wallets: dict[str, Decimal] = defaultdict(Decimal)
    for _, balance, currency in counted.wallets.values():
        wallets[currency] += balance
    currencies = tuple(
        CurrencyTotals(
            code,
            count,
            f"{counted.debits[code]:f}",
            f"{counted.credits[code]:f}",
            f"{wallets[code]:f}",
            held,
            held,
        )
        for code, count in sorted(counted.entries.items())
    )
    totals = Totals(counted.entries.total(), counted.transactions, len(counted.wallets), currencies)
    took_s = round(time.monotonic() - started, 3)
    return Report(
        checked_at, took_s, len(RULES), totals, tuple(findings), dict(broken), tuple(copy.seals.notes())
    )
