"""``manage.py export_ledger FILE``: the whole journal with its seals as NDJSON, to be proven without the database."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from fintech_core.watermark import WatermarkStalled
from transactions.sealing.copying import export


class Command(BaseCommand):
    """Streams what is complete; a file that is there already is not overwritten."""

    help = "Write every entry, transaction, hold and seal to FILE, one JSON object a line (see verify_ledger --file)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare where it goes."""
        parser.add_argument("file", type=Path, metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write it; raises CommandError when it cannot, and then leaves no half of a file."""
        file: Path = options["file"]
        partial = file.with_name(f"{file.name}.partial")
        if file.exists():
            raise CommandError(f"{file} is there already.")
        try:
            with partial.open("xb") as out:
                copy = export(out)
            partial.rename(file)
        except (OSError, WatermarkStalled, Error) as error:
            if not isinstance(error, FileExistsError):
                partial.unlink(missing_ok=True)
            raise CommandError(f"Not exported: {error}") from error
        self.stdout.write(f"{copy.entries} entries under {copy.seals} seals, {copy.lines} lines: {file}")
        self.stdout.write(f"prove it: manage.py verify_ledger --file {file}")
