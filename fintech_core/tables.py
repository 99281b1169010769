"""Tables as commands print them: aligned for a terminal, or as Markdown for a page of the documentation."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """The heads of the columns, and rows with one cell for each."""

    head: Row
    rows: Sequence[Row]

    def as_text(self, *, right: Collection[str] = ()) -> str:
        """Align the columns by blanks: to the left, but for those named in ``right``."""
        lines = (self.head, *self.rows)
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        aligned = [str.rjust if name in right else str.ljust for name in self.head]
        return "\n".join(
            "  ".join(
                align(cell, width) for align, cell, width in zip(aligned, line, widths, strict=True)
            ).rstrip()
            for line in lines
        )

    def as_markdown(self) -> str:
        """Write it as the documentation has it."""
        lines = (self.head, ("---",) * len(self.head), *self.rows)
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
