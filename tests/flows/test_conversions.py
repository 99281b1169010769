"""Converting money as an app sees it, and the paper that tells of it afterwards; the web process may die in between."""

import csv
import io
import re
from datetime import date
from typing import Any
from uuid import uuid4

import httpx2
import pypdf
import pytest

from fintech_core import clock
from tests.clients import PIN, Client, Person
from tests.flows.crashing import strike
from tests.stack import Stack

CONVERT = "/wallet/convert"


def traveller(stack: Stack) -> Person:
    """Return somebody with NGN 20,000.00 and an empty wallet in dollars."""
    person: Person = stack.person(funds="20000.00")
    assert person.post("/wallets", {"currency": "USD"}).status_code == 201
    return person


def quote(person: Person, amount: str = "15500.00") -> dict[str, Any]:
    """Ask what an amount makes in dollars."""
    answer = person.post(f"{CONVERT}/quote", {"from_currency": "NGN", "to_currency": "USD", "amount": amount})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def convert(person: Person, quote_id: str, key: str | None = None) -> httpx2.Response:
    """Take a quote."""
    return person.pay(CONVERT, {"quote_id": quote_id, "pin": PIN}, key=key)


def today() -> str:
    """Return the business date."""
    day: date = clock.business_day(clock.now())
    return day.isoformat()


class TestConverting:
    def test_from_the_quote_to_the_paper(self, stack: Stack) -> None:
        ada = traveller(stack)
        promised = quote(ada)
        done = convert(ada, promised["quote_id"])
        assert done.status_code == 201, done.text
        assert done.json()["conversion"]["amount_to"] == promised["amount_to"]
        assert (ada.balance(), ada.balance("USD")) == ("4500.00", promised["amount_to"])
        days = {"currency": "NGN", "from": today(), "to": today()}
        told = ada.get("/wallet/statement", **days).json()
        assert (told["opening_balance"], told["closing_balance"], told["count"]) == ("0.00", "4500.00", 2)
        as_csv = ada.call("GET", "/wallet/statement", params=days, headers={"Accept": "text/csv"})
        rows = list(csv.DictReader(io.StringIO(as_csv.text, newline="")))
        assert [row["balance"] for row in rows] == ["0.00", "20000.00", "4500.00", "4500.00"]
        as_pdf = ada.call("GET", "/wallet/statement", params=days, headers={"Accept": "application/pdf"})
        assert "NGN 4,500.00" in pypdf.PdfReader(io.BytesIO(as_pdf.content)).pages[0].extract_text()
        past = ada.get("/wallet/balance/at", currency="USD", at=done.json()["completed_at"]).json()
        assert past["balance"] == promised["amount_to"]

    def test_anybody_can_verify_its_receipt(self, stack: Stack) -> None:
        ada = traveller(stack)
        done = convert(ada, quote(ada)["quote_id"]).json()
        receipt = ada.get(f"/transactions/{done['id']}/receipt").json()
        stranger = Client(stack.address)
        told = stranger.get(f"/receipts/{receipt['code']}").json()
        assert (told["result"], told["amount"], told["receiver"]) == ("real", "15500.00", {"name": "Ada O."})
        page = httpx2.get(f"{stack.address}/receipts/{receipt['code']}")
        assert page.status_code == 200
        assert re.search("This receipt is real.*NGN 15,500.00", page.text, re.DOTALL)
        stranger.close()


class TestDying:
    @pytest.mark.parametrize("point", ["ledger.locked", "ledger.written", "idempotency.before_commit"])
    def test_before_commit_nothing_happened_and_the_quote_still_holds(self, stack: Stack, point: str) -> None:
        ada, key = traveller(stack), str(uuid4())
        promised = quote(ada)
        strike(stack, point, stack.web, lambda: convert(ada, promised["quote_id"], key))
        assert (ada.balance(), ada.balance("USD")) == ("20000.00", "0.00")
        done = convert(ada, promised["quote_id"], key)
        assert done.status_code == 201, done.text
        assert "Idempotent-Replayed" not in done.headers
        assert (ada.balance(), ada.balance("USD")) == ("4500.00", promised["amount_to"])

    def test_after_commit_the_same_key_answers_what_was_done(self, stack: Stack) -> None:
        ada, key = traveller(stack), str(uuid4())
        promised = quote(ada)
        point = "idempotency.after_commit"
        strike(stack, point, stack.web, lambda: convert(ada, promised["quote_id"], key))
        again = convert(ada, promised["quote_id"], key)
        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
        other = convert(ada, promised["quote_id"])
        assert (other.status_code, other.json()["code"]) == (409, "quote_used")
        assert (ada.balance(), ada.balance("USD")) == ("4500.00", promised["amount_to"])
