"""The hosted page a customer pays on, and what the buttons do."""

import json
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from sandbox.book import Row
from sandbox.core import Sandbox
from sandbox.exchange import Answer, Request, Unreadable, html_answer
from sandbox.pages import Pages
from sandbox.paystack import money, webhooks
from sandbox.paystack.transactions import AlreadyPaid, Outcome, act, find_by_access_code, find_by_reference

MERCHANT: Final = "Fintech Core"


@dataclass(frozen=True)
class _Notice:
    kind: str
    title: str
    text: str


_PAID = _Notice("good", "Payment successful", "It stands in the book. No real money moved.")
_ALREADY_PAID = _Notice("good", "Already paid", "This checkout was paid before. Nothing was charged again.")
_DECLINED = _Notice("bad", "Payment declined", "Nothing was charged. Another try is possible.")
_LEFT = _Notice("plain", "Checkout left", "Nothing was charged. It can still be paid on this page.")


class Checkout:
    """Shows the page and performs outcomes, for a browser and for the control API alike."""

    def __init__(self, sandbox: Sandbox, pages: Pages) -> None:
        self._sandbox = sandbox
        self._pages = pages

    def perform(
        self,
        reference: str,
        outcome: Outcome,
        *,
        amount: int | None = None,
        currency: str | None = None,
        is_urgent: bool = False,
    ) -> Row | None:
        """Act for the customer; None when the reference is unknown. Raises `AlreadyPaid`.

        `is_urgent` has the webhook delivered before this returns.
        """
        with self._sandbox.book.transaction() as db:
            row = find_by_reference(db, reference)
            if row is None:
                return None
            row = act(db, row, outcome, now=self._sandbox.clock.now(), amount=amount, currency=currency)
            urgent: list[int] = []
            if row["status"] == "success":
                event = webhooks.charge_success(row)
                urgent = self._sandbox.outbox.enqueue(db, event, is_urgent=is_urgent)
        self._sandbox.outbox.flush(urgent)
        return row

    def show(self, request: Request) -> Answer:
        """GET the page."""
        row = self._find(request)
        if row is None:
            return self._unknown()
        return self._page(row, _ALREADY_PAID if row["status"] == "success" else None)

    def submit(self, request: Request) -> Answer:
        """POST a button: act, then send the browser to the callback address, or show the result."""
        row = self._find(request)
        if row is None:
            return self._unknown()
        try:
            outcome = Outcome(str(request.fields().get("outcome", "")))
        except (Unreadable, ValueError):
            choices = ", ".join(Outcome)
            return html_answer(self._pages.message("Unknown outcome", f"Send one of: {choices}."), status=400)
        try:
            acted = self.perform(row["reference"], outcome)
        except AlreadyPaid:
            return self._page(row, _ALREADY_PAID)
        if acted is None:
            return self._unknown()
        target = _return_address(acted, outcome)
        if target is None:
            return self._page(acted, _notice_after(acted))
        return Answer(status=303, headers={"Location": target, "Cache-Control": "no-store"})

    def _find(self, request: Request) -> Row | None:
        with self._sandbox.book.transaction() as db:
            return find_by_access_code(db, request.params["access_code"])

    def _unknown(self) -> Answer:
        page = self._pages.message("No such checkout", "This address belongs to no transaction in the book.")
        return html_answer(page, status=404)

    def _page(self, row: Row, notice: _Notice | None) -> Answer:
        is_open = row["status"] != "success"
        page = self._pages.checkout(
            merchant=MERCHANT,
            email=row["email"],
            reference=row["reference"],
            amount=money.for_people(row["requested_amount"], row["currency"]),
            one_naira=money.for_people(money.ONE_NAIRA, row["currency"]),
            other_currency=money.other_currency(row["currency"]),
            action=f"/checkout/paystack/{row['access_code']}/act",
            notice=(notice.kind, notice.title, notice.text) if notice else None,
            is_open=is_open,
        )
        return html_answer(page)


def _notice_after(row: Row) -> _Notice:
    if row["status"] == "success":
        return _PAID
    return _DECLINED if row["status"] == "failed" else _LEFT


def _return_address(row: Row, outcome: Outcome) -> str | None:
    """Where the browser goes: who leaves goes to `cancel_action` when the merchant gave one."""
    if outcome is Outcome.ABANDONED:
        cancel = _cancel_action(row)
        if cancel is not None:
            return cancel
    if row["callback_url"] is None:
        return None
    address, mark, fragment = str(row["callback_url"]).partition("#")
    joint = "&" if "?" in address else "?"
    query = urlencode({"trxref": row["reference"], "reference": row["reference"]})
    return f"{address}{joint}{query}{mark}{fragment}"


def _cancel_action(row: Row) -> str | None:
    metadata = json.loads(row["metadata"])
    if isinstance(metadata, str):
        try:
            metadata = json.loads(metadata)
        except ValueError:
            return None
    address = metadata.get("cancel_action") if isinstance(metadata, dict) else None
    return address if isinstance(address, str) and address.startswith(("http://", "https://")) else None
