"""PDF documents: A4 pages in the house's style, for statements and receipts.

The fonts lie beside this file, so that a page looks the same everywhere and shows ₦ and every Nigerian letter; the
PDF's own fourteen fonts know neither. A character that they do not have is drawn as an empty box.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import segno
from fpdf import FPDF
from fpdf.enums import Align, XPos, YPos
from fpdf.fonts import TTFFont

BRAND: Final = "Fintech Core"
MARGIN: Final = 15.0
INK: Final = (17, 24, 39)
GREY: Final = (107, 114, 128)
ACCENT: Final = (79, 70, 229)
LINE: Final = (229, 231, 235)
SHADE: Final = (246, 247, 249)
_FONTS: Final = Path(__file__).parent / "fonts"
_FAMILY: Final = "DejaVu"
_BOX: Final = "\u25a1"
_MAX_LINES: Final = 6


class Paper(FPDF):
    """A4 pages with a title on the first, the brand on each, and a footer with ``note`` and the page's number.

    ``made_at`` goes into the file instead of the present time: the same document has the same bytes.
    """

    def __init__(self, *, title: str, note: str, made_at: datetime) -> None:
        super().__init__(format="A4")
        self.note = note
        self.set_margin(MARGIN)
        self.set_auto_page_break(True, margin=20)
        self.add_font(_FAMILY, "", _FONTS / "DejaVuSans.ttf")
        self.add_font(_FAMILY, "B", _FONTS / "DejaVuSans-Bold.ttf")
        self.set_title(title)
        self.set_creator(BRAND)
        self.set_creation_date(made_at)
        self.set_lang("en")
        self._known = frozenset(
            code for font in self.fonts.values() if isinstance(font, TTFFont) for code in font.cmap
        )
        self.add_page()
        self.pen(18, bold=True)
        self.cell(0, 10, title, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(2)

    def header(self) -> None:
        """Write the brand above each page."""
        self.pen(9, bold=True, colour=ACCENT)
        self.cell(0, 6, BRAND, align=Align.R, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(1)

    def footer(self) -> None:
        """Write the note and the page's number below each page."""
        self.set_y(-15)
        self.pen(7, colour=GREY)
        self.cell(150, 5, self.readable(self.note))
        self.cell(0, 5, f"Page {self.page_no()} of {{nb}}", align=Align.R)

    def pen(self, size: float, *, bold: bool = False, colour: tuple[int, int, int] = INK) -> None:
        """Choose size (points), weight and colour of what is written next."""
        self.set_font(_FAMILY, "B" if bold else "", size)
        self.set_text_color(*colour)

    def readable(self, text: str) -> str:
        """Return text as the fonts can show it: one line, an empty box for each character they do not have."""
        flat = " ".join(text.split())
        return "".join(character if ord(character) in self._known else _BOX for character in flat)

    def wrapped(self, text: str, width: float) -> list[str]:
        """Break readable text into lines of a width (mm) in the present font; a very long one is cut."""
        room = width - 2 * self.c_margin
        lines, line = [], ""
        for word in self.readable(text).split(" "):
            for part in self._parts(word, room):
                joined = f"{line} {part}" if line else part
                if line and self.get_string_width(joined) > room:
                    lines.append(line)
                    joined = part
                line = joined
        lines.append(line)
        return [*lines[: _MAX_LINES - 1], "…"] if len(lines) > _MAX_LINES else lines

    def _parts(self, word: str, room: float) -> list[str]:
        """Return a word whole, or in parts where it is wider than a line."""
        needed = self.get_string_width(word)
        if needed <= room:
            return [word]
        size = max(1, int(len(word) * room / needed * 0.8))
        return [word[start : start + size] for start in range(0, len(word), size)]

    def facts(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Write name and value below each other, the names in grey."""
        for name, value in pairs:
            self.pen(9, colour=GREY)
            self.cell(45, 6, name)
            self.pen(9)
            for line in self.wrapped(value, self.epw - 45):
                self.set_x(self.l_margin + 45)
                self.cell(0, 6, line, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(3)

    def qr(self, text: str, size: int) -> None:
        """Draw text as a QR code of ``size`` mm at the pen's place."""
        rows = segno.make(text, error="m", micro=False).matrix
        left, top, step = self.get_x(), self.get_y(), size / len(rows)
        self.set_fill_color(*INK)
        for line, row in enumerate(rows):
            for column, dark in enumerate(row):
                if dark:
                    self.rect(left + column * step, top + line * step, step, step, style="F")

    def rule(self) -> None:
        """Draw a thin line across the page."""
        self.set_draw_color(*LINE)
        self.line(self.l_margin, self.get_y(), self.w - self.r_margin, self.get_y())

    def finished(self) -> bytes:
        """Return the file."""
        return bytes(self.output())
