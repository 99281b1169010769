"""Print the metrics: what ``/metrics`` would answer, or the tables of the documentation."""

from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from fintech_core import metrics


def tables() -> str:
    """Return Markdown tables of every metric, and of what may wait, as the documentation has them."""
    rows = [
        (f"`{one.name}`", " ".join(f"`{label}`" for label in one.labels), one.tells)
        for one in metrics.declared()
    ]
    waits = [part.waits for part in metrics.parts().values() if part.waits]
    return "\n".join(
        (
            *_table(("metric", "labels", "what it tells"), rows),
            "",
            *_table(
                ("`kind`", "`state`", "what waits"),
                sorted((f"`{one.kind}`", f"`{one.state}`", one.tells) for one in waits),
            ),
            "",
        )
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(row)} |".replace("|  |", "| |") for row in (head, ("---",) * len(head), *rows)]


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
