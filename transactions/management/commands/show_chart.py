"""``manage.py show_chart``: the chart of accounts, and which of them each type of movement may touch."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from transactions import chart
from transactions.balances import DEBIT_SIDE

# The heads of the columns, and the rows.
Row = tuple[str, ...]
Table = tuple[Row, list[Row]]
RESERVED = "reserved"
CODES = ("account", "movement", "may debit", "may credit")


def accounts() -> Table:
    """Return the accounts, each of which exists in every enabled currency."""
    rows: list[Row] = [
        (
            account.code,
            account.name,
            str(account.type),
            "debit" if account.type in DEBIT_SIDE else "credit",
            RESERVED if account.reserved else "",
        )
        for account in chart.ACCOUNTS
    ]
    return ("account", "what stands there", "type", "normal balance", "note"), rows


def rules() -> Table:
    """Return what each type of movement may debit and credit."""
    rows: list[Row] = [
        (str(kind), ", ".join(rule.debit), ", ".join(rule.credit), RESERVED if rule.reserved else "")
        for kind, rule in chart.RULES.items()
    ]
    return ("movement", "may debit", "may credit", "note"), rows


def as_markdown(table: Table) -> str:
    """Write a table as the documentation has it; codes of accounts and types are set as code."""
    head, rows = table
    coded = tuple(column for column, name in enumerate(head) if name in CODES)
    marked = [
        tuple(_code(cell) if column in coded else cell for column, cell in enumerate(row)) for row in rows
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *marked))


def _code(cell: str) -> str:
    return ", ".join(f"`{part}`" for part in cell.split(", "))


def _as_text(table: Table) -> str:
    head, rows = table
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in (head, *rows))
    return "\n".join(lines)


class Command(BaseCommand):
    """Prints every way money can move, from ``transactions/chart.py``. It asks no database."""

    help = (
        "Print the chart of accounts and what each type of movement may debit and credit; with --markdown the "
        "tables of docs/reference/ledger.md."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take one switch."""
        parser.add_argument("--markdown", action="store_true", help="as Markdown tables")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print."""
        written = as_markdown if options["markdown"] else _as_text
        self.stdout.write("\n\n".join(written(table) for table in (accounts(), rules())))
