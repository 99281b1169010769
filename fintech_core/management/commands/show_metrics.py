"""Print the metrics: what ``/metrics`` would answer, or the tables of the documentation."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from fintech_core import metrics
from fintech_core.tables import Table


def tables() -> str:
    """Return Markdown tables of every metric, and of what may wait, as the documentation has them."""
    rows = [
        (f"`{one.name}`", " ".join(f"`{label}`" for label in one.labels), one.tells)
        for one in metrics.declared()
    ]
    waits = sorted(
        (f"`{part.waits.kind}`", f"`{part.waits.state}`", part.waits.tells)
        for part in metrics.parts().values()
        if part.waits
    )
    declared = Table(("metric", "labels", "what it tells"), rows)
    waiting = Table(("`kind`", "`state`", "what waits"), waits)
    return f"{declared.as_markdown()}\n\n{waiting.as_markdown()}\n"


class Command(BaseCommand):
    """Print the metrics without a web server."""

    help = (
        "Print what /metrics would answer; with --tables the tables of docs/how-to/watch-with-prometheus.md"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take one switch."""
        parser.add_argument("--tables", action="store_true", help="every metric there is, as Markdown")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print."""
        self.stdout.write(tables() if options["tables"] else metrics.page("")[0].decode(), ending="")
