"""Names in statements: as people were called then, whatever they are called now."""

import csv
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

import psycopg
import pypdf
import pytest
import time_machine
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from fintech_core import audit, clock
from fintech_core.models import AuditRecord
from tests.concurrency.racing import under_way
from tests.factories import StaffFactory, UserFactory
from tests.transactions import pasts
from tests.transactions.attacks import conninfo, wait_for_a_waiter
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import happened, transfer_draft
from tests.transactions.test_statements import JANUARY_31, MIDNIGHT, drawn_up, issued
from transactions.drafts import Post
from transactions.serializers.statements import StatementResponse
from transactions.statements import as_csv, as_pdf, statement
from users.models import User
from users.past_names import names_since
from users.services.accounts import update_profile

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]
HOUR, TICK = timedelta(hours=1), timedelta(microseconds=1)
MORNING, EVENING = MIDNIGHT - 16 * HOUR, MIDNIGHT - 4 * HOUR
BEFORE, INSIDE, AFTER = MIDNIGHT - 30 * HOUR, MIDNIGHT - 10 * HOUR, MIDNIGHT + HOUR


def send(sender: User, recipient: User) -> None:
    happened(Post(transfer_draft(main_wallet(sender), main_wallet(recipient), "1.00")))


def rename(user: User, at: datetime | None = None, **changes: str) -> None:
    """Change somebody's profile as the route does, at a moment or now."""
    with pasts.at(at or clock.now()):
        update_profile(user_id=user.pk, changes=changes)


def pdf_text(owner: User) -> str:
    pages = pypdf.PdfReader(io.BytesIO(as_pdf.write(drawn_up(owner, JANUARY_31, JANUARY_31)))).pages
    return "\n".join(page.extract_text() for page in pages)


def others(owner: User) -> list[str]:
    """Return whom the two transfers of the day name, which JSON, CSV and PDF agree on."""
    told = drawn_up(owner, JANUARY_31, JANUARY_31)
    names = [line["counterparty"]["name"] for line in StatementResponse(told).data["lines"]]
    rows = list(csv.DictReader(io.StringIO("".join(as_csv.write(told)), newline="")))
    assert [row["counterparty"] for row in rows[1:-1]] == names
    text = pdf_text(owner)
    assert all(name in text for name in names)
    return names


@pytest.fixture
def pair(other_clock: None) -> tuple[User, User]:
    """Adé and Chidi: he gets 1.00 from her in the morning of 31 January and gives it back in the evening."""
    ade, chidi = (
        UserFactory(first_name="Adé", last_name="Ọbasanjọ"),
        UserFactory(first_name="Chidi", last_name="Okafor"),
    )
    with pasts.at(BEFORE - HOUR):
        fund(ade, "100.00")
    with pasts.at(MORNING):
        send(ade, chidi)
    with pasts.at(EVENING):
        send(chidi, ade)
    return ade, chidi


class TestNeverChange:
    @pytest.mark.parametrize("who", [(0,), (1,), (0, 1)], ids=["owner", "counterparty", "both"])
    def test_by_what_people_are_called_later(self, pair: tuple[User, User], who: tuple[int, ...]) -> None:
        for user in pair:
            rename(user, INSIDE, first_name="Inside")
        before = [issued(owner) for owner in pair]
        for at, first, last in ((AFTER, "Later", "Zulu"), (None, "Today", "Yankee")):
            for one in who:
                rename(pair[one], at, first_name=first, last_name=last)
            assert [issued(owner) for owner in pair] == before

    def test_by_a_name_that_is_taken_back(self, pair: tuple[User, User]) -> None:
        before = [issued(owner) for owner in pair]
        for first in ("Other", "Chidi", "Other"):
            rename(pair[1], first_name=first)
            assert [issued(owner) for owner in pair] == before

    def test_by_what_else_is_audited_nor_by_other_people(self, pair: tuple[User, User]) -> None:
        before = issued(pair[0])
        rename(UserFactory(), INSIDE, first_name="Stranger")
        rename(pair[1], AFTER, language="ig")
        with transaction.atomic():
            audit.record(
                actor=StaffFactory(),
                action="user.suspended",
                target=pair[1],
                changes={"first_name": ["x", "y"]},
            )
        assert issued(pair[0]) == before

    def test_over_http_while_the_history_tells_todays_name(self, api: Api, pair: tuple[User, User]) -> None:
        day = {"from": JANUARY_31.isoformat(), "to": JANUARY_31.isoformat()}
        forms = ("json", "csv", "pdf")
        client = api(pair[0])

        def answers() -> list[bytes]:
            return [
                client.get("/api/v1/wallet/statement", {**day, "format": form}).getvalue() for form in forms
            ]

        before = answers()
        for user in pair:
            told = api(user).patch("/api/v1/users/me", {"first_name": "Today"}, format="json")
            assert (told.status_code, told.json()["first_name"]) == (200, "Today")
        assert answers() == before
        for path in ("/api/v1/transactions/history", "/api/v1/transactions"):
            assert client.get(path).json()["results"][0]["counterparty"] == {"name": "Today O."}


class TestTheName:
    def test_of_a_line_is_the_one_of_its_time(self, pair: tuple[User, User]) -> None:
        ade, chidi = pair
        rename(chidi, BEFORE, first_name="Before")
        rename(chidi, INSIDE, first_name="Inside", last_name="Inuwa")
        rename(chidi, AFTER, first_name="After")
        rename(chidi, last_name="Zulu")
        assert others(ade) == ["Before O.", "Inside I."]

    def test_of_the_owner_is_the_one_at_the_end_of_the_period(self, pair: tuple[User, User]) -> None:
        ade, _ = pair
        assert "Adé Ọbasanjọ" in pdf_text(ade)
        rename(ade, INSIDE, first_name="Inside")
        rename(ade, AFTER, first_name="After", last_name="Zulu")
        assert "Inside Ọbasanjọ" in pdf_text(ade)

    def test_of_a_period_that_is_not_over_is_todays(self, pair: tuple[User, User]) -> None:
        ade, chidi = pair
        send(ade, chidi)
        rename(ade, first_name="New")
        rename(chidi, first_name="Newer")
        today = clock.business_day(clock.now())
        told = drawn_up(ade, today, today)
        assert str(told.owner_name()) == "New Ọbasanjọ"
        assert [line.counterparty for line in told.lines()] == ["Chidi O."]
        send(ade, chidi)
        assert [line.counterparty for line in drawn_up(ade, today, today).lines()] == ["Chidi O.", "Newer O."]

    def test_changes_right_after_the_instant_of_the_edit(self, pair: tuple[User, User]) -> None:
        _, chidi = pair
        rename(chidi, INSIDE, first_name="Inside")
        edited_at = AuditRecord.objects.get(action="user.profile_changed").at
        names = names_since(user_ids=[chidi.pk], since=MORNING)
        told = [names.at(chidi.pk, edited_at + shift).first_name for shift in (-TICK, 0 * TICK, TICK)]
        assert told == ["Chidi", "Chidi", "Inside"]
        assert str(names.at(chidi.pk, edited_at + TICK)) == "Inside Okafor"


class TestCost:
    DAY = date(2026, 3, 2)
    NOON = datetime.fromisoformat("2026-03-02T12:00:00+00:00")

    def statement_queries(self, count: int, renames: int) -> list[str]:
        """Return the queries of a CSV and of a PDF with so many counterparties, renamed so often."""
        owner = UserFactory()
        people = [UserFactory() for _ in range(count)]
        with pasts.at(self.NOON):
            fund(owner, "1000.00")
            for other in people:
                send(owner, other)
        for number in range(renames):
            for user in (owner, *people):
                rename(user, first_name=f"Name {number}")
        with CaptureQueriesContext(connection) as captured:
            told = drawn_up(owner, self.DAY, self.DAY)
            lines = list(as_csv.write(told))
            as_pdf.write(told)
        assert len(lines) == count + 4
        return [query["sql"] for query in captured.captured_queries]

    def test_is_the_same_for_any_number_of_people_and_renames(self, other_clock: None) -> None:
        few, many = self.statement_queries(1, 0), self.statement_queries(12, 3)
        assert len(few) == len(many)
        assert sum("auditrecord" in query for query in many) == 3  # lines of CSV, lines and owner of PDF

    def test_is_two_queries_more_for_each_batch(
        self, other_clock: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = self.statement_queries(11, 1)
        monkeypatch.setattr(statement, "BATCH", 4)
        batches = self.statement_queries(11, 1)
        # 12 lines in three batches, twice: the lines, the names of today, what was changed since.
        assert len(batches) - len(whole) == 2 * 2 * 3
        assert sum("auditrecord" in query for query in batches) == 7

    def test_the_log_is_asked_by_whom_it_speaks_of(self, other_clock: None) -> None:
        asked = next(query for query in self.statement_queries(3, 1) if "auditrecord" in query)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {asked}")
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "audit_by_target" in plan
        assert "Index Cond: (((target_type)::text = 'users.user'::text) AND ((target_id)::text = ANY" in plan


class TestEditUnderWay:
    @pytest.mark.parametrize(("late", "waits"), [(timedelta(minutes=1), True), (HOUR, False)])
    def test_is_waited_for_when_the_period_has_just_ended(
        self, pair: tuple[User, User], late: timedelta, waits: bool
    ) -> None:
        with pasts.at(MIDNIGHT + late), CaptureQueriesContext(connection) as captured:
            told = drawn_up(pair[0], JANUARY_31, JANUARY_31)
            assert (told.is_final, told.is_fresh) == (True, waits)
            list(as_csv.write(told))
            as_pdf.write(told)
        locks = [query["sql"] for query in captured.captured_queries if "users_user" in query["sql"]]
        assert sum("FOR NO KEY UPDATE" in query for query in locks) == (3 if waits else 0)

    @pytest.mark.concurrency
    def test_is_then_told_by_its_time(self, committed_db: None) -> None:
        user = UserFactory(first_name="Old")
        with under_way(lambda: update_profile(user_id=user.pk, changes={"first_name": "New"})):
            at = clock.database_now()
            told = names_since(user_ids=[user.pk], since=at, wait=True)
        later = names_since(user_ids=[user.pk], since=at)
        assert [names.at(user.pk, at).first_name for names in (told, later)] == ["New", "New"]

    @pytest.mark.concurrency
    def test_has_the_databases_time_after_the_wait_for_the_user(self, committed_db: None) -> None:
        """Of a server whose own clock is slow, too."""
        user = UserFactory()

        def edit() -> None:
            try:
                with time_machine.travel(clock.now() - HOUR, tick=True):
                    update_profile(user_id=user.pk, changes={"first_name": "New"})
            finally:
                connection.close()

        with (
            psycopg.connect(conninfo("default")) as asking,
            psycopg.connect(conninfo("default"), autocommit=True) as watcher,
            ThreadPoolExecutor(1) as pool,
        ):
            asking.execute("SELECT FROM users_user WHERE id = %s FOR NO KEY UPDATE", [user.pk])
            edited = pool.submit(edit)
            wait_for_a_waiter(watcher)
            (released,) = asking.execute("SELECT clock_timestamp()").fetchone() or ()
            asking.commit()
            edited.result(timeout=30)
        assert AuditRecord.objects.get(action="user.profile_changed").at > released
