"""``manage.py show_chart``: the chart of accounts, and which of them each type of movement may touch."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from fintech_core.tables import Row, Table
from transactions import chart
from transactions.balances import DEBIT_SIDE

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
    return Table(("account", "what stands there", "type", "normal balance", "note"), rows)


def rules() -> Table:
    """Return what each type of movement may debit and credit."""
    rows: list[Row] = [
        (str(kind), ", ".join(rule.debit), ", ".join(rule.credit), RESERVED if rule.reserved else "")
        for kind, rule in chart.RULES.items()
    ]
    return Table(("movement", "may debit", "may credit", "note"), rows)


def as_markdown(table: Table) -> str:
    """Write a table as the documentation has it; codes of accounts and types are set as code."""
    coded = tuple(name in CODES for name in table.head)
    rows = [
        tuple(_code(cell) if is_code else cell for cell, is_code in zip(row, coded, strict=True))
        for row in table.rows
    ]
    return Table(table.head, rows).as_markdown()


def _code(cell: str) -> str:
    return ", ".join(f"`{part}`" for part in cell.split(", "))


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
        written = as_markdown if options["markdown"] else Table.as_text
        self.stdout.write("\n\n".join(written(table) for table in (accounts(), rules())))
