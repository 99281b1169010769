"""A receipt on paper, with a QR code that leads to the page that verifies it."""

from fintech_core import clock
from fintech_core.money import for_people
from fintech_core.pdf import GREY, Paper
from transactions.receipts.reading import Receipt

QR_SIZE = 38


def write(receipt: Receipt) -> bytes:
    """Return the file; the same receipt has the same bytes."""
    booked = receipt.transaction
    made_at = booked.completed_at or booked.created_at
    paper = Paper(title="Receipt", note=f"Reference {booked.reference}", made_at=made_at)
    paper.pen(22, bold=True)
    paper.cell(0, 14, for_people(receipt.total, booked.currency), new_x="LMARGIN", new_y="NEXT")
    paper.ln(2)
    paper.facts(list(_facts(receipt).items()))
    paper.rule()
    paper.ln(6)
    top = paper.get_y()
    paper.qr(receipt.verify_url, QR_SIZE)
    left = paper.l_margin + QR_SIZE + 8
    paper.set_xy(left, top + 4)
    paper.pen(10, bold=True)
    paper.cell(0, 6, "Is this receipt real?")
    paper.set_xy(left, top + 11)
    paper.pen(8, colour=GREY)
    paper.cell(0, 5, "Scan the code, or open the address below: it says what was paid, and whether")
    paper.set_xy(left, top + 15)
    paper.cell(0, 5, "it was reversed since.")
    for index, line in enumerate(paper.wrapped(receipt.verify_url, paper.epw - QR_SIZE - 8)):
        paper.set_xy(left, top + 23 + 4 * index)
        paper.cell(0, 5, line)
    return paper.finished()


def _facts(receipt: Receipt) -> dict[str, str]:
    """Name what the receipt says, in the order of the page."""
    booked = receipt.transaction
    at = (booked.completed_at or booked.created_at).astimezone(clock.business_zone())
    facts = {"What": str(booked.get_type_display()), "From": receipt.sender, "To": receipt.receiver}
    facts["Amount"] = for_people(receipt.amount, booked.currency)
    if receipt.fee:
        facts["Fee"] = for_people(receipt.fee, booked.currency)
    if booked.converted_amount is not None:
        got = for_people(booked.converted_amount, booked.converted_currency)
        facts["Converted to"] = f"{got} at {booked.conversion_rate:f}"
    if booked.description:
        facts["Note"] = booked.description
    return facts | {"When": f"{at:%d %B %Y, %H:%M:%S} in Lagos", "Reference": booked.reference}
