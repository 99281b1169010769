"""Corrections by staff: two people, a reason, dated back at most to the first month that is open."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, connection, transaction
from rest_framework.test import APIClient

from fintech_core import clock
from fintech_core.approvals import AnotherPersonRequired, ApprovalDecided
from fintech_core.exceptions import DomainError
from fintech_core.models import AuditRecord
from notifications.models import Event
from tests.factories import ManagerFactory, StaffFactory, UserFactory
from tests.transactions import pasts
from tests.transactions.money import fund, main_wallet
from transactions.enums import BalanceClock, Direction
from transactions.errors import EffectiveTimeRefused, InsufficientFunds, MonthNotClosable
from transactions.models import Adjustment, ClosedMonth, LedgerEntry, Transaction
from transactions.services import adjustments, months
from transactions.statements import past
from transactions.verification import verify
from users.models import User
from wallet.models import Wallet
from wallet.services import open_wallet

pytestmark = pytest.mark.django_db
JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
IN_JANUARY = datetime(2026, 1, 20, 12, 0, tzinfo=UTC)
END_OF_JANUARY = datetime(2026, 1, 31, 23, 0, tzinfo=UTC)  # midnight in Lagos


@pytest.fixture
def staff() -> tuple[User, User]:
    return ManagerFactory(), StaffFactory()


@pytest.fixture
def ada(other_clock: None) -> User:
    """Somebody who has had 100.00 since the New Year."""
    owner: User
    with pasts.at(datetime(2026, 1, 1, 12, 0, tzinfo=UTC)):
        owner = UserFactory()
        fund(owner, "100.00")
    return owner


def asked(owner: User, maker: User, **changes: Any) -> Adjustment:
    facts = {
        "direction": Direction.DEBIT,
        "amount": Decimal("30.00"),
        "effective_at": None,
        "reason": "Case 4711",
    }
    return adjustments.request_adjustment(
        wallet=main_wallet(owner), maker=maker, now=clock.now(), **{**facts, **changes}
    )


def booked(adjustment: Adjustment, checker: User) -> Adjustment:
    return adjustments.book_adjustment(
        adjustment_id=adjustment.pk, checker=checker, reason="seen", now=clock.now()
    )


def books() -> tuple[object, ...]:
    return (
        list(Adjustment.objects.order_by("pk").values_list("pk", "status", "decided_by", "result_id")),
        Transaction.objects.count(), LedgerEntry.objects.count(), AuditRecord.objects.count(), Event.objects.count(),
        ClosedMonth.objects.count(),
    )  # fmt: skip


class TestBooking:
    @pytest.mark.parametrize(("direction", "balance"), [(Direction.CREDIT, 130), (Direction.DEBIT, 70)])
    def test_moves_the_money_tells_the_owner_and_writes_down_who(
        self, ada: User, staff: tuple[User, User], direction: Direction, balance: int
    ) -> None:
        maker, checker = staff
        request = asked(ada, maker, direction=direction)
        assert main_wallet(ada).balance == 100
        done = booked(request, checker)
        assert main_wallet(ada).balance == balance
        made = Transaction.objects.get(pk=done.result_id)
        assert (made.type, made.source_id) == ("adjustment", done.pk)
        told = Event.objects.get(type="wallet.adjusted", user_id=ada.pk)
        assert told.payload["amount"] == "30.00"
        trail = AuditRecord.objects.filter(target_id=str(done.pk)).order_by("id")
        assert [(row.action, row.actor_id, row.reason) for row in trail] == [
            ("adjustment.requested", maker.pk, "Case 4711"),
            ("adjustment.booked", checker.pk, "seen"),
        ]
        assert verify().findings == ()

    def test_dated_back_it_counts_from_then_by_the_effective_clock_alone(
        self, ada: User, staff: tuple[User, User]
    ) -> None:
        request = asked(ada, staff[0], effective_at=IN_JANUARY)
        done = booked(request, staff[1])
        wallet = main_wallet(ada)
        made = Transaction.objects.get(pk=done.result_id)
        assert made.effective_at == IN_JANUARY
        assert {entry.effective_at for entry in made.entries.all()} == {IN_JANUARY}
        balances = {by: past.balance_at(wallet=wallet, at=IN_JANUARY, by=by) for by in BalanceClock}
        assert balances == {BalanceClock.RECORDED: 100, BalanceClock.EFFECTIVE: 70}

    def test_a_wallet_whose_debits_are_stopped_can_be_corrected(
        self, ada: User, staff: tuple[User, User]
    ) -> None:
        type(main_wallet(ada)).objects.filter(owner=ada).update(status="no_debit")
        booked(asked(ada, staff[0]), staff[1])
        assert main_wallet(ada).balance == 70


class TestRefused:
    def test_by_the_person_who_asked(self, ada: User, staff: tuple[User, User]) -> None:
        request = asked(ada, staff[0])
        before = books()
        with pytest.raises(AnotherPersonRequired):
            booked(request, staff[0])
        with pytest.raises(AnotherPersonRequired):
            adjustments.reject_adjustment(
                adjustment_id=request.pk, checker=staff[0], reason="no", now=clock.now()
            )
        assert books() == before
        with pytest.raises(IntegrityError, match="approval_needs_two_people"), transaction.atomic():
            Adjustment.objects.filter(pk=request.pk).update(
                status="rejected", decided_by=staff[0], decided_at=clock.now()
            )

    def test_a_second_decision(self, ada: User, staff: tuple[User, User]) -> None:
        request = asked(ada, staff[0])
        booked(request, staff[1])
        before = books()
        with pytest.raises(ApprovalDecided):
            booked(request, staff[1])
        with pytest.raises(ApprovalDecided):
            adjustments.reject_adjustment(
                adjustment_id=request.pk, checker=staff[1], reason="no", now=clock.now()
            )
        assert books() == before

    def test_more_than_is_there_stays_asked_for(self, ada: User, staff: tuple[User, User]) -> None:
        request = asked(ada, staff[0], amount=Decimal("100.01"))
        before = books()
        with pytest.raises(InsufficientFunds):
            booked(request, staff[1])
        assert books() == before

    @pytest.mark.parametrize(
        "effective_at", [END_OF_JANUARY - timedelta(microseconds=1), datetime(2026, 1, 1, 13, tzinfo=UTC)]
    )
    def test_into_a_closed_month(self, ada: User, staff: tuple[User, User], effective_at: datetime) -> None:
        request = asked(ada, staff[0], effective_at=effective_at)
        months.close_month(month=JANUARY, actor=staff[0], reason="month end", now=clock.now())
        before = books()
        with pytest.raises(EffectiveTimeRefused) as refusal:
            booked(request, staff[1])
        assert refusal.value.facts["earliest_on"] == "2026-02-01"
        with pytest.raises(EffectiveTimeRefused):
            asked(ada, staff[0], effective_at=effective_at)
        assert books() == before
        booked(asked(ada, staff[0], effective_at=END_OF_JANUARY), staff[1])

    def test_into_a_closed_month_by_the_database_itself(self, ada: User, staff: tuple[User, User]) -> None:
        from tests.transactions.test_balance_at import corrected

        months.close_month(month=JANUARY, actor=staff[0], reason="month end", now=clock.now())
        before = books()
        with pytest.raises(IntegrityError, match="closed_months_stay_closed"), transaction.atomic():
            corrected(ada, "1.00", effective_at=END_OF_JANUARY - timedelta(microseconds=1))
        assert books() == before
        corrected(ada, "1.00", effective_at=END_OF_JANUARY)

    @pytest.mark.parametrize("shift", [timedelta(days=-1), timedelta(days=36500)])
    def test_before_the_wallet_was_opened_or_in_the_future(
        self, ada: User, staff: tuple[User, User], shift: timedelta
    ) -> None:
        before = books()
        with pytest.raises(EffectiveTimeRefused):
            asked(ada, staff[0], effective_at=main_wallet(ada).created_at + shift)
        assert books() == before


class TestClosing:
    def test_in_order_once_over_and_for_good(self, ada: User, staff: tuple[User, User]) -> None:
        def close(month: date) -> ClosedMonth:
            return months.close_month(month=month, actor=staff[0], reason="month end", now=clock.now())

        with pytest.raises(MonthNotClosable, match="before the first wallet"):
            close(date(2025, 11, 1))
        closed = close(JANUARY)
        for month in (JANUARY, date(2025, 12, 1), date(2026, 3, 1), date(2026, 2, 2), date(2999, 1, 1)):
            with pytest.raises(MonthNotClosable):
                close(month)
        assert months.next_to_close(now=clock.now()) == FEBRUARY
        close(FEBRUARY)
        assert AuditRecord.objects.filter(action="month.closed").count() == 2
        for attack in (closed.delete, lambda: ClosedMonth.objects.update(reason="x")):
            with pytest.raises(Exception, match=r"append_only|permission denied"), transaction.atomic():
                attack()

    @pytest.mark.parametrize("month", [date(1, 1, 1), date(1926, 1, 1), date(9999, 12, 1)])
    def test_a_first_month_that_was_mistyped_is_refused(self, staff: tuple[User, User], month: date) -> None:
        """Every month after it would have to be closed before any of today's."""
        with pytest.raises(MonthNotClosable):
            months.close_month(month=month, actor=staff[0], reason="month end", now=clock.now())
        assert not ClosedMonth.objects.exists()

    def test_a_month_that_is_not_over_stays_open(self, staff: tuple[User, User]) -> None:
        this_month = clock.business_day(clock.now()).replace(day=1)
        with pytest.raises(MonthNotClosable):
            months.close_month(month=this_month, actor=staff[0], reason="early", now=clock.now())
        assert not ClosedMonth.objects.exists()


@pytest.mark.concurrency
class TestRaces:
    def test_of_twenty_bookings_of_one_correction_one_wins(self, committed_db: None) -> None:
        owner, maker, checker = UserFactory(), ManagerFactory(), StaffFactory()
        fund(owner, "100.00")
        request = asked(owner, maker, amount=Decimal("1.00"))
        codes: list[str] = []

        def book() -> None:
            try:
                booked(request, checker)
                codes.append("booked")
            except DomainError as refusal:
                codes.append(refusal.code)
            connection.close()

        threads = [threading.Thread(target=book) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(codes) == ["approval_decided"] * 19 + ["booked"]
        assert main_wallet(owner).balance == 99

    def test_a_month_is_not_closed_while_something_is_dated_into_it(self, committed_db: None) -> None:
        owner, maker = UserFactory(), StaffFactory()
        fund(owner, "100.00")
        wallet = main_wallet(owner)
        Wallet.objects.update(created_at=IN_JANUARY)
        order: list[str] = []
        dated, done = threading.Event(), threading.Event()

        def date_back() -> None:
            with transaction.atomic():
                months.lock_open_month(
                    wallet=wallet, effective_at=clock.now() - timedelta(microseconds=1), now=clock.now()
                )
                dated.set()
                done.wait(1)
                order.append("dated")
            connection.close()

        thread = threading.Thread(target=date_back)
        thread.start()
        dated.wait(5)
        threading.Timer(0.3, done.set).start()
        months.close_month(month=JANUARY, actor=maker, reason="month end", now=clock.now())
        order.append("closed")
        thread.join()
        assert order == ["dated", "closed"]


class TestRoute:
    PATH = "/api/v1/admin/adjustments"

    def ask(
        self, client: APIClient, owner: User, key: str | None = None, path: str = PATH, **changes: Any
    ) -> Any:
        facts = {
            "wallet": str(main_wallet(owner).pk),
            "amount": "30.00",
            "direction": "debit",
            "reason": "Case 4711",
        }
        headers = {"Idempotency-Key": key or str(uuid4())}
        return client.post(path, {**facts, **changes}, format="json", headers=headers)

    def test_asks_and_moves_nothing(self, api: Callable[..., APIClient], ada: User) -> None:
        maker = StaffFactory()
        maker.user_permissions.add(Permission.objects.get(codename="add_adjustment"))
        answer = self.ask(api(maker), ada, key="k", effective_at="2026-01-20T12:00:00Z")
        assert answer.status_code == 202, answer.content
        request = Adjustment.objects.get(pk=answer.json()["approval_id"])
        assert (request.status, request.effective_at, request.requested_by) == (
            "pending",
            IN_JANUARY,
            maker,
        )
        assert self.ask(api(maker), ada, key="k", effective_at="2026-01-20T12:00:00Z").json() == answer.json()
        assert Adjustment.objects.count() == 1
        assert main_wallet(ada).balance == 100

    def test_a_dry_run_asks_nobody(self, api: Callable[..., APIClient], ada: User) -> None:
        before = books()
        answer = self.ask(api(StaffFactory(is_superuser=True)), ada, path=f"{self.PATH}?dry_run=true")
        assert (answer.status_code, answer.json()["dry_run"]) == (200, True)
        assert books() == before

    @pytest.mark.parametrize(
        ("changes", "status", "code"),
        [
            ({"amount": "1.005"}, 400, "invalid_amount"),
            ({"amount": "0.00"}, 400, "invalid_amount"),
            ({"amount": 30}, 400, "invalid_amount"),
            ({"amount": 10.5}, 400, "invalid_amount"),
            ({"amount": True}, 400, "invalid_amount"),
            ({"amount": " 5"}, 400, "invalid_amount"),
            ({"amount": "5\n"}, 400, "invalid_amount"),
            ({"amount": "1e2"}, 400, "invalid_amount"),
            ({"amount": None}, 400, "null"),
            ({"wallet": "x"}, 400, "invalid"),
            ({"wallet": 5}, 400, "invalid"),
            ({"currency": "KWD"}, 400, "unknown_field"),
            ({"direction": "up"}, 400, "invalid_choice"),
            ({"reason": ""}, 400, "blank"),
            ({"effective_at": "2999-01-01T00:00:00Z"}, 422, "effective_time_refused"),
            ({"wallet": "00000000-0000-0000-0000-000000000000"}, 404, "not_found"),
        ],
    )
    def test_refuses_what_cannot_be_booked(
        self, api: Callable[..., APIClient], ada: User, changes: dict, status: int, code: str
    ) -> None:
        before = books()
        answer = self.ask(api(StaffFactory(is_superuser=True)), ada, **changes)
        body = answer.json()
        assert answer.status_code == status, body
        assert code in {body["code"], *(error["code"] for error in body.get("errors", []))}
        assert books() == before

    def test_reads_the_amount_in_the_currency_of_the_wallet(
        self, api: Callable[..., APIClient], ada: User
    ) -> None:
        client = api(StaffFactory(is_superuser=True))
        yen, dinars = (open_wallet(user=ada, currency=code) for code in ("JPY", "KWD"))
        for wallet, amount in ((yen, "30.0"), (yen, "30.00"), (dinars, "1.0001")):
            answer = self.ask(client, ada, wallet=str(wallet.pk), amount=amount)
            assert [error["code"] for error in answer.json()["errors"]] == ["invalid_amount"]
        assert not Adjustment.objects.exists()
        for wallet, amount in ((yen, "30"), (dinars, "1.001")):
            answer = self.ask(client, ada, wallet=str(wallet.pk), amount=amount, direction="credit")
            asked_for = Adjustment.objects.get(pk=answer.json()["approval_id"])
            assert (asked_for.wallet_id, asked_for.amount) == (wallet.pk, Decimal(amount))

    def test_5_01_customers_and_staff_without_the_permission_may_not(
        self, api: Callable[..., APIClient], ada: User
    ) -> None:
        before = books()
        for user in (ada, StaffFactory()):
            assert self.ask(api(user), ada).status_code == 403
        assert books() == before


class TestApprovals:
    PATH = "/api/v1/admin/approvals"

    def test_another_person_approves_and_the_list_says_so(
        self, api: Callable[..., APIClient], ada: User
    ) -> None:
        maker, checker = StaffFactory(is_superuser=True), StaffFactory(is_superuser=True)
        request = asked(ada, maker)
        other = asked(ada, maker)
        path = f"{self.PATH}/{request.pk}/approve"
        own = api(maker).post(path, {}, format="json")
        assert (own.status_code, own.json()["code"]) == (403, "another_person_required")
        assert main_wallet(ada).balance == 100
        done = api(checker).post(path, {"reason": "seen"}, format="json")
        assert (done.status_code, done.json()["status"]) == (200, "approved")
        assert main_wallet(ada).balance == 70
        again = api(checker).post(path, {}, format="json")
        assert (again.status_code, again.json()["code"]) == (409, "approval_decided")
        waiting = api(checker).get(self.PATH, {"status": "pending"}).json()["results"]
        assert [row["id"] for row in waiting] == [str(other.pk)]
        everything = api(checker).get(self.PATH).json()["results"]
        assert [row["transaction_id"] for row in everything] == [None, done.json()["transaction_id"]]

    def test_another_person_rejects_with_a_reason(self, api: Callable[..., APIClient], ada: User) -> None:
        request, checker = asked(ada, StaffFactory()), StaffFactory(is_superuser=True)
        path = f"{self.PATH}/{request.pk}/reject"
        assert api(checker).post(path, {}, format="json").status_code == 400
        done = api(checker).post(path, {"reason": "not ours"}, format="json").json()
        assert (done["status"], done["transaction_id"], main_wallet(ada).balance) == ("rejected", None, 100)

    def test_nobody_decides_without_the_permission(self, api: Callable[..., APIClient], ada: User) -> None:
        request = asked(ada, StaffFactory())
        asker = StaffFactory()
        asker.user_permissions.add(Permission.objects.get(codename="add_adjustment"))
        before = books()
        for user in (ada, StaffFactory(), asker):
            for deed in ("approve", "reject"):
                answer = api(user).post(
                    f"{self.PATH}/{request.pk}/{deed}", {"reason": "because"}, format="json"
                )
                assert answer.status_code == 403
            assert api(user).get(self.PATH).status_code == 403
        assert books() == before
