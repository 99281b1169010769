"""Statements as PDF, to be handed to a landlord or a consulate. The same final statement has the same bytes."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from fpdf.enums import Align, XPos, YPos

from fintech_core import clock
from fintech_core.money import for_people, format_amount
from fintech_core.pdf import GREY, INK, SHADE, Paper
from transactions.enums import Direction
from transactions.statements.statement import Line, Statement

# Widths in mm; together the width of the page between its margins.
WHEN, WHAT, FIGURE = 26, 79, 25
ROW, SMALL_ROW = 5, 4
HEADINGS: Final = (("Date", WHEN), ("Details", WHAT), ("In", FIGURE), ("Out", FIGURE), ("Balance", FIGURE))


def write(statement: Statement) -> bytes:
    """Return the file."""
    paper = _StatementPaper(statement)
    paper.summary()
    paper.headings()
    for line in statement.lines():
        paper.row(line)
    paper.rule()
    return paper.finished()


class _StatementPaper(Paper):
    """The pages of one statement: who and when, the four figures, then the lines."""

    def __init__(self, statement: Statement) -> None:
        self.statement = statement
        self.currency = statement.wallet.currency
        super().__init__(
            title="Statement of account",
            note=f"{self.currency} wallet {statement.wallet.pk}",
            made_at=statement.until,
        )

    def summary(self) -> None:
        """Write whose statement it is, of which days, and that it adds up."""
        told = self.statement
        days = f"{told.first:%d %B %Y} to {told.last:%d %B %Y}"
        reach = "" if told.is_final else f", provisional: up to {_moment(told)}"
        self.facts(
            [
                ("Account holder", str(told.owner_name())),
                ("E-mail", told.wallet.owner.email),
                ("Currency", self.currency),
                ("Period", days + reach),
                ("Times", "as recorded, in Lagos (UTC+1)"),
            ]
        )
        boxes = (
            ("Opening balance", told.opening), ("Money in", told.money_in),
            ("Money out", told.money_out), ("Closing balance", told.closing),
        )  # fmt: skip
        width, top = (int(self.epw) - 9) // 4, self.get_y()
        self.set_fill_color(*SHADE)
        for index, (name, figure) in enumerate(boxes):
            left = self.l_margin + index * (width + 3)
            self.rect(left, top, width, 15, style="F", round_corners=True, corner_radius=2)
            self.set_xy(left + 1, top + 2)
            self.pen(8, colour=GREY)
            self.cell(width - 2, 4, name)
            self.set_xy(left + 1, top + 7)
            self._figure(for_people(figure, self.currency), width - 2)
        self.set_xy(self.l_margin, top + 19)
        self.pen(8, colour=GREY)
        lines = f"{told.count:,} {'line' if told.count == 1 else 'lines'}"
        proof = f"{lines}. Opening balance + money in \u2212 money out = closing balance."
        self.cell(0, 5, proof, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(2)

    def headings(self) -> None:
        """Write the heads of the columns."""
        self.set_fill_color(*SHADE)
        self.pen(8, bold=True)
        for name, width in HEADINGS:
            align = Align.R if width == FIGURE else Align.L
            self.cell(width, 7, name, align=align, fill=True)
        self.ln(8)

    def row(self, line: Line) -> None:
        """Write one line: when, what with its reference, and the figures."""
        entry, details = line.entry, list(self._details(line))
        height = ROW + SMALL_ROW * (len(details) - 1) + 1
        if self.will_page_break(height):
            self.add_page()
            self.headings()
        top = self.get_y()
        self.pen(8)
        at = entry.created_at.astimezone(clock.business_zone())
        self.cell(WHEN, ROW, f"{at:%d %b %Y}")
        self.cell(WHAT, ROW, details[0])
        amount = _plain(entry.amount, self.currency)
        into = entry.direction == Direction.CREDIT
        for text in (amount if into else "", "" if into else amount):
            self._figure_cell(text)
        self._figure_cell(_plain(entry.wallet_balance_after or Decimal(0), self.currency))
        self.pen(7, colour=GREY)
        self.set_xy(self.l_margin, top + ROW)
        self.cell(WHEN, SMALL_ROW, f"{at:%H:%M:%S}")
        for index, text in enumerate(details[1:]):
            self.set_xy(self.l_margin + WHEN, top + ROW + index * SMALL_ROW)
            self.cell(WHAT, SMALL_ROW, text)
        self.set_xy(self.l_margin, top + height)
        self.rule()
        self.set_y(top + height + 1)

    def _details(self, line: Line) -> Iterator[str]:
        """Yield what happened in one line, then its note and reference in as many small ones as they need."""
        entry, name = line.entry, line.counterparty
        booked = entry.transaction
        kind = str(booked.get_type_display())
        self.pen(8)
        yield self.wrapped(kind if name in {kind, booked.description} else f"{kind} \u00b7 {name}", WHAT)[0]
        self.pen(7)
        if booked.description:
            yield from self.wrapped(booked.description, WHAT)
        yield from self.wrapped(booked.reference, WHAT)
        if entry.effective_at is not None:
            yield f"effective {entry.effective_at.astimezone(clock.business_zone()):%d %b %Y}"

    def _figure_cell(self, text: str) -> None:
        """Write a figure to the right of its column, smaller where it is too wide."""
        self._fit(text, FIGURE, 8)
        self.cell(FIGURE, ROW, text, align=Align.R)
        self.pen(8)

    def _figure(self, text: str, width: int) -> None:
        self._fit(text, width, 10, bold=True)
        self.cell(width, 5, text)

    def _fit(self, text: str, width: int, size: int, *, bold: bool = False) -> None:
        """Choose the largest size up to ``size`` in which the text fits."""
        self.pen(size, bold=bold, colour=INK)
        needed = self.get_string_width(text) + 2 * self.c_margin
        if needed > width:
            self.pen(int(size * width / needed), bold=bold, colour=INK)


def _plain(amount: Decimal, currency: str) -> str:
    return f"{Decimal(format_amount(amount, currency)):,f}"


def _moment(statement: Statement) -> str:
    until = statement.until.astimezone(clock.business_zone())
    return f"{until:%d %B %Y %H:%M}"
