"""Sandbox time: the machine's clock plus what the control API added to it.

The offset stands in the book, so that a restart does not travel back in time.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sandbox.book import Book, set_meta

LAGOS = ZoneInfo("Africa/Lagos")
_OFFSET = "clock_offset_s"


class Clock:
    """The one place the sandbox reads time from."""

    def __init__(self, book: Book) -> None:
        self._book = book

    @property
    def offset_s(self) -> float:
        """Seconds the sandbox is ahead of the machine."""
        return float(self._book.meta(_OFFSET) or 0)

    def now(self) -> datetime:
        """Sandbox time, aware, in UTC."""
        return self.machine_now() + timedelta(seconds=self.offset_s)

    def machine_now(self) -> datetime:
        """The machine's time, aware, in UTC."""
        return datetime.now(UTC)

    def advance(self, seconds: float) -> None:
        """Move sandbox time forward."""
        offset = self.offset_s + seconds
        with self._book.transaction() as db:
            set_meta(db, _OFFSET, str(offset))


def iso_ms(moment: datetime) -> str:
    """Write a moment as Paystack does: UTC, milliseconds, `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def iso_us(moment: datetime) -> str:
    """Write a moment as VTpass does: UTC, microseconds, `Z`. Sorts as text; the book keeps its times so."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_iso(text: str) -> datetime:
    """Read a moment that `iso_us` or `iso_ms` wrote."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
