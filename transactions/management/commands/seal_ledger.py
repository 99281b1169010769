"""``manage.py seal_ledger``: seal what is complete, and publish the head of the chain outside the database."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from fintech_core.watermark import WatermarkStalled
from transactions.models import LedgerSeal
from transactions.sealing import chain
from transactions.sealing.publishing import NotAPublishedFile, publish


class Command(BaseCommand):
    """Does at once what the job does every minute, to the end."""

    help = "Seal entries and holds that are complete and not sealed yet; with --publish, write the head to a file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare where the head goes."""
        parser.add_argument(
            "--publish",
            type=Path,
            metavar="FILE",
            help="add the head of the chain to FILE; keep it where the database's administrators cannot write",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Seal, tell, publish; raises CommandError when it cannot."""
        try:
            while made := chain.seal():
                for link in made:
                    self.stdout.write(f"{link}: {link.entries} entries, {link.holds} holds, {link.chain}")
        except (WatermarkStalled, chain.SealBroken, chain.UnknownKey, Error) as error:
            raise CommandError(f"Not sealed: {error}") from error
        head = chain.head()
        if head is None:
            self.stdout.write("Nothing to seal yet.")
            return
        self.stdout.write(f"The head is {head}, through entry {head.through_entry}: {head.chain}")
        if options["publish"] is not None:
            self._publish(head, options["publish"])

    def _publish(self, head: LedgerSeal, file: Path) -> None:
        try:
            added = publish(head, file)
        except (OSError, NotAPublishedFile) as error:
            raise CommandError(f"Not published: {error}") from error
        self.stdout.write(f"Published in {file}." if added else f"{file} has it already.")
