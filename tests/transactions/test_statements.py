"""Statements: they add up, they never change, and every format says the same."""

import csv
import io
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pypdf
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from fintech_core import clock
from fintech_core.ids import uuid7
from tests.factories import StaffFactory, UserFactory
from tests.transactions import pasts
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import happened, transfer_draft
from tests.transactions.test_balance_at import corrected
from transactions.drafts import Post
from transactions.enums import BalanceClock
from transactions.errors import StatementTooLong
from transactions.serializers.statements import StatementResponse
from transactions.services import TransactionService
from transactions.statements import as_csv, as_pdf, past, statement
from transactions.statements.statement import Statement
from users.models import User

pytestmark = pytest.mark.django_db
PATH = "/api/v1/wallet/statement"
Api = Callable[..., APIClient]
JANUARY_31 = date(2026, 1, 31)
MIDNIGHT = datetime(2026, 1, 31, 23, 0, tzinfo=UTC)  # in Lagos


def today() -> date:
    return clock.business_day(clock.now())


def drawn_up(owner: User, first: date, last: date) -> Statement:
    return statement.draw_up(wallet=main_wallet(owner), first=first, last=last, max_lines=1_000)


def issued(owner: User, *, first: date = JANUARY_31, last: date = JANUARY_31) -> tuple[str, bytes, str]:
    """Return a statement as JSON, PDF and CSV."""
    told = drawn_up(owner, first, last)
    return str(StatementResponse(told).data), as_pdf.write(told), "".join(as_csv.write(told))


def period(first: date | None = None, last: date | None = None, **more: str) -> dict[str, str]:
    return {"from": (first or today()).isoformat(), "to": (last or today()).isoformat(), **more}


@pytest.fixture
def ada() -> User:
    """Somebody with three lines of today: 100.00 in, 40.00 out, 15.00 in."""
    owner, friend = (
        UserFactory(first_name="Adé", last_name="Ọbasanjọ"),
        UserFactory(first_name="Chidi", last_name="Okafor"),
    )
    move(owner, friend)
    return owner


@pytest.fixture
def past_ada(other_clock: None) -> User:
    """The same, with the three lines in the evening of 31 January, two minutes before and after midnight in Lagos."""
    owner, friend = (
        UserFactory(first_name="Adé", last_name="Ọbasanjọ"),
        UserFactory(first_name="Chidi", last_name="Okafor"),
    )
    with pasts.at(MIDNIGHT - timedelta(minutes=2)):
        move(owner, friend)
    with pasts.at(MIDNIGHT + timedelta(minutes=2)):
        fund(owner, "7.00")
    return owner


def move(owner: User, friend: User) -> None:
    fund(owner, "100.00")
    happened(Post(transfer_draft(main_wallet(owner), main_wallet(friend), "39.00", "1.00")))
    fund(owner, "15.00")


class TestJson:
    def test_opening_and_lines_are_closing(self, api: Api, ada: User) -> None:
        told = api(ada).get(PATH, period()).json()
        assert (told["opening_balance"], told["closing_balance"], told["count"]) == ("0.00", "75.00", 3)
        assert (told["money_in"], told["money_out"], told["is_final"]) == ("115.00", "40.00", False)
        signed = [
            Decimal(line["amount"]) * (1 if line["direction"] == "in" else -1) for line in told["lines"]
        ]
        assert [line["balance_after"] for line in told["lines"]] == ["100.00", "60.00", "75.00"]
        assert Decimal(told["opening_balance"]) + sum(signed) == Decimal(told["closing_balance"])
        assert told["lines"][1]["counterparty"] == {"name": "Chidi O."}

    def test_a_wallet_without_movement_has_an_empty_statement(self, api: Api) -> None:
        told = api(UserFactory()).get(PATH, period(today() - timedelta(days=30))).json()
        assert (told["opening_balance"], told["closing_balance"], told["lines"]) == ("0.00", "0.00", [])

    def test_1_01_tells_of_ones_own_wallet_alone(self, api: Api, ada: User) -> None:
        assert api(UserFactory()).get(PATH, period()).json()["lines"] == []
        assert api(ada).get(PATH, period(currency="USD")).status_code == 404
        assert api().get(PATH, period()).status_code == 401


class TestDays:
    def test_both_ends_are_days_of_lagos(self, past_ada: User) -> None:
        january = drawn_up(past_ada, date(2026, 1, 1), JANUARY_31)
        february = drawn_up(past_ada, date(2026, 2, 1), date(2026, 2, 1))
        assert (january.opening, january.closing, january.count, january.is_final) == (0, 75, 3, True)
        assert (february.opening, february.closing, february.count) == (75, 82, 1)
        assert january.until == MIDNIGHT

    def test_a_day_that_is_not_over_is_told_as_far_as_it_goes(self, ada: User) -> None:
        told = drawn_up(ada, today(), today())
        assert (told.is_final, told.count) == (False, 3)
        fund(ada, "1.00")
        assert (told.count, drawn_up(ada, today(), today()).count) == (3, 4)

    def test_a_period_that_ends_in_the_future_is_told_up_to_now(self, api: Api, ada: User) -> None:
        ahead = period(today() - timedelta(days=3), today() + timedelta(days=20))
        told = api(ada).get(PATH, ahead).json()
        assert (told["to_on"], told["is_final"], told["count"]) == (ahead["to"], False, 3)
        assert told["closing_balance"] == "75.00"
        assert clock.business_day(datetime.fromisoformat(told["until_at"])) == today()
        fund(ada, "1.00")
        assert api(ada).get(PATH, ahead).json()["closing_balance"] == "76.00"
        answer = api(ada).get(PATH, ahead, headers={"Accept": "text/csv"})
        assert f"statement-NGN-{ahead['from']}-{today()}.csv" in answer.headers["Content-Disposition"]
        rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode(), newline="")))
        assert (rows[-1]["type"], rows[-1]["date"]) == ("closing_balance", today().isoformat())
        paper = pypdf.PdfReader(io.BytesIO(api(ada).get(PATH, {**ahead, "format": "pdf"}).content))
        assert "provisional: up to" in paper.pages[0].extract_text()

    def test_drawn_up_before_its_end_and_after_it_differs_by_what_came_between(self, past_ada: User) -> None:
        february = {"first": date(2026, 2, 1), "last": date(2026, 2, 28)}
        with pasts.at(MIDNIGHT + timedelta(days=3)):
            early = drawn_up(past_ada, **february)
        assert (early.is_final, early.reaches_on) == (False, date(2026, 2, 4))
        final = issued(past_ada, **february)
        fund(past_ada, "500.00")
        assert issued(past_ada, **february) == final
        late = drawn_up(past_ada, **february)
        assert (late.is_final, late.reaches_on, late.closing) == (True, date(2026, 2, 28), 82)

    @pytest.mark.parametrize(
        ("query", "field", "code"),
        [
            ({}, "from", "required"),
            ({"from": "2026-02-30", "to": "2026-03-01"}, "from", "invalid"),
            ({"from": "20260101", "to": "2026-03-01"}, "from", "invalid"),
            ({"from": "2026-03-02", "to": "2026-03-01"}, "to", "before_from"),
            ({"from": "2026-03-02", "to": "2999-03-01"}, "from", "period_too_long"),
            ({"from": "2999-03-01", "to": "2999-03-01"}, "from", "in_the_future"),
            ({"from": "9999-12-31", "to": "9999-12-31"}, "from", "in_the_future"),
            ({"from": "0001-01-01", "to": "0001-01-01"}, "from", "too_early"),
            ({"from": "2016-01-01", "to": "2026-01-01"}, "from", "period_too_long"),
            ({"from": "2026-03-01", "to": "2026-03-01", "format": "xml"}, "format", "invalid_choice"),
            ({"from": "2026-03-01", "to": "2026-03-01", "wallet": "1"}, "wallet", "unknown_parameter"),
        ],
    )
    def test_4_05_refuses_what_is_no_period(self, api: Api, query: dict, field: str, code: str) -> None:
        answer = api(UserFactory()).get(PATH, query)
        assert answer.status_code == 400, answer.content
        assert (field, code) in [(error["field"], error["code"]) for error in answer.json()["errors"]]
        assert answer.headers["Content-Type"] == "application/problem+json"


class TestNeverChanges:
    def test_not_by_later_postings_nor_by_corrections_dated_back_into_it(self, past_ada: User) -> None:
        before = issued(past_ada)
        fund(past_ada, "500.00")
        booked = corrected(past_ada, "-20.00", effective_at=MIDNIGHT - timedelta(hours=6))
        with transaction.atomic():
            TransactionService.reverse(booked, actor=StaffFactory(), reason="no", now=clock.now())
        assert issued(past_ada) == before
        at = MIDNIGHT - timedelta(hours=1)
        wallet = main_wallet(past_ada)
        assert past.balance_at(wallet=wallet, at=at, by=BalanceClock.EFFECTIVE) == -20

    def test_a_correction_is_a_line_of_the_day_it_was_recorded_and_says_its_date(
        self, api: Api, past_ada: User
    ) -> None:
        corrected(past_ada, "-20.00", effective_at=MIDNIGHT - timedelta(hours=6))
        lines = api(past_ada).get(PATH, period()).json()["lines"]
        assert [(line["amount"], line["effective_at"]) for line in lines] == [
            ("20.00", "2026-01-31T17:00:00.000000Z")
        ]


class TestCsv:
    def rows(self, owner: User) -> list[dict[str, str]]:
        told = drawn_up(owner, today(), today())
        return list(csv.DictReader(io.StringIO("".join(as_csv.write(told)), newline="")))

    def test_each_line_between_opening_and_closing_balance(self, api: Api, ada: User) -> None:
        answer = api(ada).get(PATH, period(), headers={"Accept": "text/csv"})
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
        assert f"statement-NGN-{today()}-{today()}.csv" in answer.headers["Content-Disposition"]
        rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode(), newline="")))
        assert [(row["type"], row["money_in"], row["money_out"], row["balance"]) for row in rows] == [
            ("opening_balance", "", "", "0.00"),
            ("funding", "100.00", "", "100.00"),
            ("transfer", "", "40.00", "60.00"),
            ("funding", "15.00", "", "75.00"),
            ("closing_balance", "", "", "75.00"),
        ]

    @pytest.mark.parametrize(
        "note",
        [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1+1",
            " =1+1",
            "\r=1",
            "＝1+1",
            "a;=cmd|' /C calc'!A0",
            'x",=1+1',
            "a\n=2",
        ],
    )
    def test_8_17_what_people_wrote_is_no_formula(self, note: str) -> None:
        owner, friend = UserFactory(), UserFactory()
        fund(owner, "100.00")
        draft = transfer_draft(main_wallet(owner), main_wallet(friend), "1.00")
        happened(Post(replace(draft, description=note)))
        written = self.rows(owner)[2]["description"]
        assert written.replace("'", "") == note.replace("'", "")
        cells = re.split(r"[,;|\"\t\r\n]", written)
        assert [cell for cell in cells if re.match(r"\s*[=+\-@＝＋－＠]", cell)] == []

    @pytest.mark.parametrize("note", ["Rent - May", "it's 3+4", "a@b", "Bola = friend", "Ọjà fún Ṣọlá", "🎉"])
    def test_ordinary_words_stay_as_they_are(self, note: str) -> None:
        assert as_csv.harmless(note) == note

    def test_is_read_in_batches(self, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(statement, "BATCH", 2)
        with CaptureQueriesContext(connection) as captured:
            rows = self.rows(ada)
        assert len(rows) == 5
        batches = [query for query in captured.captured_queries if "LIMIT" not in query["sql"]]
        assert sum("transactions_transaction" in query["sql"] for query in batches) == 2


class TestPdf:
    def test_tells_the_same_figures_and_every_letter(self, api: Api, ada: User) -> None:
        answer = api(ada).get(PATH, period(format="pdf"))
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/pdf")
        pages = pypdf.PdfReader(io.BytesIO(answer.content)).pages
        text = "\n".join(page.extract_text() for page in pages)
        for expected in (
            "Adé Ọbasanjọ",
            "NGN 75.00",
            "NGN 115.00",
            "Chidi O.",
            "40.00",
            "Page 1 of 1",
            "provisional",
        ):
            assert expected in text

    def test_the_same_statement_has_the_same_bytes(self, past_ada: User) -> None:
        told = drawn_up(past_ada, JANUARY_31, JANUARY_31)
        first = as_pdf.write(told)
        time.sleep(1.1)
        assert as_pdf.write(drawn_up(past_ada, JANUARY_31, JANUARY_31)) == first

    def test_a_long_one_has_its_headings_on_every_page(self, ada: User) -> None:
        friend = main_wallet(UserFactory())
        draft = transfer_draft(main_wallet(ada), friend, "1.00")
        notes = ["x" * 200, "a word " * 28, "🎉 שלום \u202e", "one\ntwo"] * 12
        for note in notes:
            happened(Post(replace(draft, id=uuid7(), description=note)))
        pages = pypdf.PdfReader(io.BytesIO(as_pdf.write(drawn_up(ada, today(), today())))).pages
        assert len(pages) > 2
        assert all("Balance" in page.extract_text() for page in pages)


class TestChoosing:
    @pytest.mark.parametrize(
        ("accept", "expected"),
        [
            ("*/*", "application/json"),
            ("application/json", "application/json"),
            ("text/csv", "text/csv"),
            ("text/*", "text/csv"),
            ("application/pdf", "application/pdf"),
            ("application/pdf;q=0.5, text/csv;q=0.9", "text/csv"),
            ("text/html, application/pdf", "application/pdf"),
        ],
    )
    def test_by_what_the_client_accepts(self, api: Api, ada: User, accept: str, expected: str) -> None:
        answer = api(ada).get(PATH, period(), headers={"Accept": accept})
        assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (200, expected)
        assert "Accept" in answer.headers["Vary"]

    @pytest.mark.parametrize("accept", ["text/html", "image/png", "application/xml", "nonsense"])
    def test_what_it_cannot_make_is_not_acceptable(self, api: Api, ada: User, accept: str) -> None:
        answer = api(ada).get(PATH, period(), headers={"Accept": accept})
        assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
        assert answer.headers["Content-Type"] == "application/problem+json"

    def test_by_name_whatever_is_accepted(self, api: Api, ada: User) -> None:
        answer = api(ada).get(PATH, period(format="csv"), headers={"Accept": "image/png"})
        assert answer.headers["Content-Type"].startswith("text/csv")


class TestRefused:
    def test_more_lines_than_one_document_carries(self, ada: User) -> None:
        with pytest.raises(StatementTooLong) as refusal:
            statement.draw_up(wallet=main_wallet(ada), first=today(), last=today(), max_lines=2)
        assert (refusal.value.facts["lines"], refusal.value.facts["max_lines"]) == (3, 2)

    @pytest.mark.parametrize(
        "edit",
        [
            "DELETE FROM transactions_ledgerentry WHERE wallet_id = %s AND wallet_version = 2",
            "UPDATE transactions_ledgerentry SET amount = 41 WHERE wallet_id = %s AND wallet_version = 2",
        ],
    )
    def test_books_that_contradict_themselves_are_told_to_nobody(
        self, committed_db: None, api: Api, edit: str
    ) -> None:
        owner, friend = UserFactory(), UserFactory()
        move(owner, friend)
        with pasts.as_owner() as session:
            session.execute("ALTER TABLE transactions_ledgerentry DISABLE TRIGGER USER")
            session.execute(edit, [main_wallet(owner).pk])
        for chosen in ("json", "csv", "pdf"):
            answer = api(owner).get(PATH, period(format=chosen))
            assert (answer.status_code, answer.json()["code"]) == (503, "books_do_not_add_up")
