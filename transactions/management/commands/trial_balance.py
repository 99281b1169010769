"""``manage.py trial_balance``: every account's balance, debits against credits. Exit 3 where they differ."""

import csv
import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from fintech_core import clock
from fintech_core.money import format_as_stored
from fintech_core.tables import Table
from fintech_core.watermark import WatermarkStalled
from transactions.balances import AccountBalance, TrialBalance, trial_balance
from transactions.statements.as_csv import harmless

OFF: Final = 3
COLUMNS: Final = ("account", "name", "type", "currency", "debit", "credit")


def moment(text: str) -> datetime:
    """Read a date (to its end in business time) or an instant; without an offset it is business time."""
    try:
        if len(text) == len("2026-01-31"):
            return clock.start_of_day(date.fromisoformat(text) + timedelta(days=1)) - timedelta.resolution
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=clock.business_zone())).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ArgumentTypeError(
            "give a date as 2026-01-31 or an instant as 2026-01-31T18:00:00+01:00"
        ) from error


class Command(BaseCommand):
    """Adds up the books as they stand, or as they stood at the end of a day or at an instant."""

    help = "Print the trial balance: every account, debits and credits by currency (exit 3 when they differ)."
    requires_system_checks = ()  # it must run when something else is broken

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare of when, of what, and how to print it."""
        parser.add_argument(
            "--as-of", type=moment, metavar="DATE|INSTANT", help="recorded by then; a date to its end"
        )
        parser.add_argument("--currency", type=str.upper, help="one currency alone")
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="as one JSON object")
        form.add_argument("--csv", action="store_true", help="as CSV, safe to open in a spreadsheet")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it; raises CommandError when it cannot be asked, exits 3 when a currency is off."""
        currency = options["currency"]
        if currency is not None and currency not in settings.CURRENCIES:
            raise CommandError(f"{currency} is not in use here: {', '.join(settings.CURRENCIES)}.")
        try:
            found = trial_balance(as_of=options["as_of"], currency=currency)
        except WatermarkStalled as stalled:
            raise CommandError(f"What was recorded by then is not complete yet: {stalled}.") from stalled
        if options["json"]:
            self.stdout.write(json.dumps(_as_dict(found), indent=2))
        elif options["csv"]:
            self._print_csv(found)
        else:
            self._print_table(found)
        if not found.balanced:
            sys.exit(OFF)

    def _print_csv(self, found: TrialBalance) -> None:
        writer = csv.writer(self.stdout, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        writer.writerow(COLUMNS)
        for row in found.accounts:
            writer.writerow([harmless(cell) for cell in _cells(row)])

    def _print_table(self, found: TrialBalance) -> None:
        self.stdout.write(f"Trial balance as of {clock.rfc3339(found.as_of)}")
        for total in found.sums:
            rows = [_cells(row) for row in found.accounts if row.currency == total.currency and row.balance]
            sums = (
                format_as_stored(total.debits, total.currency),
                format_as_stored(total.credits, total.currency),
            )
            table = Table(COLUMNS, [*rows, ("total", "", "", total.currency, *sums)])
            self.stdout.write("")
            self.stdout.write(table.as_text(right=("debit", "credit")))
            if not total.balanced:
                off = format_as_stored(total.debits - total.credits, total.currency)
                self.stdout.write(f"{total.currency} is off by {off}: run manage.py verify_ledger")


def _cells(row: AccountBalance) -> tuple[str, ...]:
    debit, credit = (format_as_stored(side, row.currency) if side else "" for side in (row.debit, row.credit))
    return row.code, row.name, row.type, row.currency, debit, credit


def _as_dict(found: TrialBalance) -> dict[str, Any]:
    return {
        "as_of": clock.rfc3339(found.as_of),
        "balanced": found.balanced,
        "accounts": [
            {
                "account": row.code,
                "name": row.name,
                "type": row.type,
                "currency": row.currency,
                "balance": format_as_stored(row.balance, row.currency),
                "debit": format_as_stored(row.debit, row.currency),
                "credit": format_as_stored(row.credit, row.currency),
            }
            for row in found.accounts
        ],
        "sums": [
            {
                "currency": row.currency,
                "debits": format_as_stored(row.debits, row.currency),
                "credits": format_as_stored(row.credits, row.currency),
                "balanced": row.balanced,
            }
            for row in found.sums
        ],
    }
