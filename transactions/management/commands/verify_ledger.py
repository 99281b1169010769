"""``manage.py verify_ledger``: re-prove the ledger. Exit 0: it holds, 3: it does not, 1: it could not be asked."""

import json
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from fintech_core.tables import Table
from fintech_core.watermark import WatermarkStalled
from transactions.sealing.publishing import Head, NotAPublishedFile, read
from transactions.verification import Report, verify
from transactions.verification.copies import verify_copy
from transactions.verification.incremental_run import stop_money_out, verify_incrementally

FOUND: Final = 3
# A run that takes longer tells how far it is, whoever listens.
LONG_S: Final = 3


class Command(BaseCommand):
    """Proves every rule of the ledger again, from the stored rows in one snapshot, or from a copy."""

    help = (
        "Re-prove the whole ledger from its rows (changes nothing unless --stop-money-out or --incremental)."
    )
    requires_system_checks = ()  # it must run when something else is broken

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare what to prove, how to tell it, and what to do about it."""
        parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
        parser.add_argument(
            "--progress", action="store_true", help=f"tell each step on stderr (after {LONG_S} s always)"
        )
        parser.add_argument(
            "--seals", action="store_true", help="prove the chain of seals and every row under it, too"
        )
        parser.add_argument(
            "--published",
            type=Path,
            metavar="FILE",
            help="heads that seal_ledger --publish wrote; with --file they prove the seals whose keys are not here",
        )
        source = parser.add_mutually_exclusive_group()
        source.add_argument(
            "--incremental",
            action="store_true",
            help="go on from the last entry verified so, and leave a mark",
        )
        source.add_argument(
            "--file",
            type=Path,
            help="prove a copy by export_ledger; asks no database, and no key where heads are --published",
        )
        parser.add_argument(
            "--stop-money-out", action="store_true", help="if something is found, pause outgoing money"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify, print, stop money out if asked to; exits 3 when something was found."""
        self.started, self.talkative = time.monotonic(), options["progress"]
        stopped = False
        published = _published(options)
        try:
            report = self._report(options, published)
            stopped = options["stop_money_out"] and not report.balanced
            if stopped:
                stop_money_out(report.broken)
        except Error as error:
            raise CommandError(f"The ledger could not be verified: {str(error).splitlines()[0]}") from error
        if options["json"]:
            self.stdout.write(json.dumps(report.as_dict() | {"money_out_stopped": stopped}, indent=2))
        else:
            self._print(report, stopped=stopped)
        if not report.balanced:
            sys.exit(FOUND)

    def _report(self, options: dict[str, Any], published: list[Head]) -> Report:
        if options["file"] is not None:
            try:
                return verify_copy(options["file"], published=published, told=self._line)
            except OSError as error:
                raise CommandError(f"The copy could not be read: {error}") from error
        if options["incremental"]:
            try:
                return verify_incrementally(
                    with_seals=options["seals"], published=published, progress=self._progress
                )
            except WatermarkStalled as stalled:
                raise CommandError(f"Nothing new can be called complete: {stalled}") from stalled
        return verify(progress=self._progress, with_seals=options["seals"], published=published)

    def _progress(self, number: int, count: int, code: str) -> None:
        if self.talkative or time.monotonic() - self.started > LONG_S:
            self.stderr.write(f"[{number}/{count}] {code}")

    def _line(self, number: int) -> None:
        self._progress(number, number, "lines read")

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
        rows = [tuple(str(getattr(row, name)) for name in columns) for row in totals.currencies]
        self.stdout.write(Table(columns, rows).as_text(right=columns))
        self.stdout.write(
            f"{totals.transactions} transactions, {totals.wallets} wallets, {report.checks} checks,"
            f" {report.took_s:.2f} s"
        )


def _published(options: dict[str, Any]) -> list[Head]:
    """Return the heads of a file. Raises CommandError when it cannot be read, or is of no use."""
    file: Path | None = options["published"]
    if file is None:
        return []
    if not options["seals"] and options["file"] is None:
        raise CommandError("--published goes with --seals or --file.")
    try:
        return list(read(file))
    except (OSError, NotAPublishedFile) as error:
        raise CommandError(f"The published heads could not be read: {error}") from error
