"""``manage.py show_transaction ID|REFERENCE``: one movement explained to a person."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from transactions.explaining import explain
from transactions.models import Transaction


class Command(BaseCommand):
    """Prints the entries as T-accounts, what happened to it when, and the document and vendor attempts behind it."""

    help = "Explain one transaction: T-accounts, status history, linked document, vendor attempts."
    requires_system_checks = ()  # it must run when something else is broken

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which one."""
        parser.add_argument("transaction", metavar="ID|REFERENCE")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it; raises CommandError when there is none."""
        named = options["transaction"]
        rows = Transaction.objects.select_related(
            "from_user", "to_user", "initiated_by", "reverses", "refund_of"
        )
        found = rows.filter(reference=named).first() or next(_by_id(rows, named), None)
        if found is None:
            raise CommandError(f"There is no transaction {named}.")
        for line in explain(found):
            self.stdout.write(line)


def _by_id(rows: Any, named: str) -> Iterator[Transaction]:
    try:
        yield from rows.filter(pk=UUID(named))
    except ValueError:
        return
