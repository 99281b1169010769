"""``manage.py show_transaction ID|REFERENCE``: one movement explained to a person."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from transactions.explaining import explain
from transactions.models import Transaction

LISTED = 20


class Command(BaseCommand):
    """Prints the entries as T-accounts, what happened to it when, and the document and vendor attempts behind it."""

    help = (
        "Explain one transaction: T-accounts, status history, linked document, vendor attempts. "
        "Where several senders gave one reference, each is named with its id."
    )
    requires_system_checks = ()  # it must run when something else is broken

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare which one."""
        parser.add_argument("transaction", metavar="ID|REFERENCE")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it; raises CommandError when there is none, or when several senders gave this reference."""
        named = options["transaction"]
        rows = Transaction.objects.select_related(
            "from_user", "to_user", "initiated_by", "reverses", "refund_of"
        )
        found = list(rows.filter(reference=named).order_by("-id")[: LISTED + 1]) or list(_by_id(rows, named))
        if not found:
            raise CommandError(f"There is no transaction {named}.")
        if len(found) > 1:
            raise CommandError(_several(named, found))
        for line in explain(found[0]):
            self.stdout.write(line)


def _several(named: str, found: list[Transaction]) -> str:
    """Name each by its id, sender and day, newest first; of very many the newest."""
    lines = [
        f"  {row.pk}  {row.created_at:%Y-%m-%d}  {row.from_user.email if row.from_user else ''}"
        for row in found[:LISTED]
    ]
    more = ["  …"] if len(found) > LISTED else []
    return "\n".join([f"Several senders gave the reference {named}. Name one by its id:", *lines, *more])


def _by_id(rows: Any, named: str) -> Iterator[Transaction]:
    try:
        yield from rows.filter(pk=UUID(named))
    except ValueError:
        return
