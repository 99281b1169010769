"""Statements as CSV (RFC 4180) for spreadsheets: one line a movement, between opening and closing balance."""

import csv
import io
import re
from collections.abc import Iterator
from decimal import Decimal

from fintech_core import clock
from fintech_core.money import format_amount
from transactions.enums import Direction
from transactions.statements.statement import Line, Statement

COLUMNS = (
    "recorded_at", "date", "type", "reference", "counterparty", "description", "money_in", "money_out", "balance",
    "currency", "effective_at",
)  # fmt: skip
# What a spreadsheet reads as the beginning of a formula, in full width too, wherever a lenient reader may begin a cell.
_FORMULA = re.compile(r"(^|[,;|\"\r\n\t])(\s*)([=+\-@＝＋－＠])")


def write(statement: Statement) -> Iterator[str]:
    """Yield the file line by line; every cell is quoted."""
    currency = statement.wallet.currency
    opening = format_amount(statement.opening, currency)
    closing = format_amount(statement.closing, currency)
    first, last = statement.first.isoformat(), statement.reaches_on.isoformat()
    yield _row(COLUMNS)
    yield _row(("", first, "opening_balance", "", "", "", "", "", opening, currency, ""))
    for line in statement.lines():
        yield _row(_cells(line))
    yield _row(("", last, "closing_balance", "", "", "", "", "", closing, currency, ""))


def _cells(line: Line) -> tuple[str, ...]:
    entry = line.entry
    booked, currency = entry.transaction, entry.currency
    amount = format_amount(entry.amount, currency)
    into = entry.direction == Direction.CREDIT
    return (
        clock.rfc3339(entry.created_at) or "",
        clock.business_day(entry.created_at).isoformat(),
        booked.type,
        harmless(booked.reference),
        harmless(line.counterparty),
        harmless(booked.description),
        amount if into else "",
        "" if into else amount,
        format_amount(entry.wallet_balance_after or Decimal(0), currency),
        currency,
        clock.rfc3339(entry.effective_at) or "",
    )


def harmless(text: str) -> str:
    """Return people's own words so that no spreadsheet runs them: an apostrophe goes before what may begin a formula.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    return _FORMULA.sub(r"\1\2'\3", text)


def _row(cells: tuple[str, ...]) -> str:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return line.getvalue()
