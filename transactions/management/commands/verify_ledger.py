"""``manage.py verify_ledger``: re-prove the ledger. Exit 0: it holds, 3: it does not, 1: it could not be asked."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error, transaction

from notifications.services import publish
from transactions import switches
from transactions.sealing.publishing import Head, NotAPublishedFile, read
from transactions.verification import Report, verify

FOUND = 3


class Command(BaseCommand):
    """Proves every rule of the ledger again, from the stored rows, in one snapshot."""

    help = "Re-prove the whole ledger from its rows (changes nothing unless --stop-money-out)."
    requires_system_checks = ()  # it must run when something else is broken

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare how to tell it, and what to do about it."""
        parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
        parser.add_argument(
            "--progress", action="store_true", help="name each check on stderr (on a terminal always)"
        )
        parser.add_argument(
            "--seals", action="store_true", help="prove the chain of seals and every row under it, too"
        )
        parser.add_argument(
            "--published",
            type=Path,
            metavar="FILE",
            help="with --seals: heads that seal_ledger --publish wrote",
        )
        parser.add_argument(
            "--stop-money-out", action="store_true", help="if something is found, pause outgoing money"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify, print, stop money out if asked to; exits 3 when something was found."""
        told = options["progress"] or (sys.stderr.isatty() and not options["json"])
        published = _published(options["published"], with_seals=options["seals"])
        try:
            report = verify(
                progress=self._progress if told else None, with_seals=options["seals"], published=published
            )
            stopped = options["stop_money_out"] and not report.balanced
            if stopped:
                _stop(report)
        except Error as error:
            raise CommandError(f"The ledger could not be verified: {str(error).splitlines()[0]}") from error
        if options["json"]:
            self.stdout.write(json.dumps(report.as_dict() | {"money_out_stopped": stopped}, indent=2))
        else:
            self._print(report, stopped=stopped)
        if not report.balanced:
            sys.exit(FOUND)

    def _progress(self, number: int, count: int, code: str) -> None:
        self.stderr.write(f"[{number}/{count}] {code}")

    def _print(self, report: Report, *, stopped: bool) -> None:
        for finding in report.findings:
            self.stdout.write(f"{finding.check}: {finding.row}: {finding.detail}")
            self.stdout.write(f"    {finding.meaning}")
            self.stdout.write(f"    next: {finding.next_step}")
        for code, count in report.broken.items():
            listed = sum(finding.check == code for finding in report.findings)
            if count > listed:
                self.stdout.write(f"{code}: and {count - listed} more")
        for note in report.notes:
            self.stdout.write(f"note: {note}")
        self._print_totals(report)
        if stopped:
            self.stdout.write("Outgoing money is stopped: manage.py money_out status")
        self.stdout.write(report.summary)

    def _print_totals(self, report: Report) -> None:
        totals = report.totals
        columns = ("currency", "entries", "debits", "credits", "wallets", "held", "parked")
        rows = [columns, *([str(getattr(row, name)) for name in columns] for row in totals.currencies)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(columns))]
        for row in rows:
            self.stdout.write("  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)))
        self.stdout.write(
            f"{totals.transactions} transactions, {totals.wallets} wallets, {report.checks} checks,"
            f" {report.took_s:.2f} s"
        )


def _published(file: Path | None, *, with_seals: bool) -> list[Head]:
    """Return the heads of a file. Raises CommandError when it cannot be read, or is of no use."""
    if file is None:
        return []
    if not with_seals:
        raise CommandError("--published goes with --seals.")
    try:
        return list(read(file))
    except (OSError, NotAPublishedFile) as error:
        raise CommandError(f"The published heads could not be read: {error}") from error


@transaction.atomic
def _stop(report: Report) -> None:
    """Pause outgoing money and tell why, in one transaction."""
    reason = f"verify_ledger: {', '.join(report.broken)}"[:500]
    switches.stop_money_out(actor=None, reason=reason)
    for code, count in report.broken.items():
        payload = {"check": code, "detail": f"{count} found"}
        publish(type="ledger.invariant_broken", user_id=None, payload=payload)
