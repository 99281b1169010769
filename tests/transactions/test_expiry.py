"""Holds that end at their time, and those that nobody but a person may end."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from billers.models import BillPayment
from fintech_core import clock
from fintech_core.documents import may_be_alive
from fintech_core.models import JobRun
from notifications.models import Event
from tests.billers.bench import order
from tests.factories import UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import bill_draft, happened, settlement
from transactions import tasks
from transactions.drafts import Authorize, Source
from transactions.errors import TransactionNotPending
from transactions.models import Transaction
from transactions.services import expiry
from transactions.services.expiry import Expired
from transactions.verification import verify
from users.models import User

pytestmark = pytest.mark.django_db


def held(
    user: User, amount: str = "40.00", *, until: datetime | None, source: Source | None = None
) -> Transaction:
    draft = replace(bill_draft(main_wallet(user), amount), source=source, expires_at=until)
    return happened(Authorize(draft))


@pytest.fixture
def ada() -> User:
    user: User = UserFactory()
    fund(user, "100.00")
    return user


class TestExpireHolds:
    def test_gives_money_and_limits_back_and_tells_the_owner(self, ada: User) -> None:
        now = clock.now()
        hold = held(ada, until=now)
        assert expiry.expire_holds(now=now).count == 1
        ended, wallet = Transaction.objects.get(pk=hold.pk), main_wallet(ada)
        assert (ended.status, ended.failure_code) == ("cancelled", "hold_expired")
        assert (wallet.balance, wallet.held, wallet.spent_today, wallet.spent_this_month) == (100, 0, 0, 0)
        event = Event.objects.get(type="hold.expired")
        assert (event.user_id, event.payload["amount"]) == (ada.pk, "40.00")
        assert verify().findings == ()

    def test_lesson_32_an_instant_before_its_time_it_is_held_listed_and_captured(self, ada: User) -> None:
        until = clock.now() + timedelta(hours=1)
        hold = held(ada, until=until)
        assert expiry.expire_holds(now=until - timedelta(microseconds=1)).count == 0
        client = APIClient()
        client.force_authenticate(ada)
        listed = client.get(f"/api/v1/transactions/{hold.pk}").json()
        wallet = client.get("/api/v1/wallet").json()
        assert (listed["status"], wallet["held"], wallet["available"]) == ("pending", "40.00", "60.00")
        assert expiry.expire_holds(now=until).count == 1
        listed = client.get(f"/api/v1/transactions/{hold.pk}").json()
        wallet = client.get("/api/v1/wallet").json()
        assert (listed["status"], wallet["held"], wallet["available"]) == ("cancelled", "0.00", "100.00")
        assert listed["failure"]["code"] == "hold_expired"
        with pytest.raises(TransactionNotPending):
            happened(settlement(hold, main_wallet(ada), hold.amount, hold.fee, hold.fee))

    def test_until_the_sweep_comes_a_late_capture_still_works(self, ada: User) -> None:
        now = clock.now()
        hold = held(ada, until=now - timedelta(minutes=1))
        done = happened(settlement(hold, main_wallet(ada), hold.amount, hold.fee, hold.fee))
        assert done.status == "completed"
        assert expiry.expire_holds(now=now).count == 0
        assert (main_wallet(ada).balance, main_wallet(ada).held) == (60, 0)

    def test_without_an_end_of_its_own_it_stays(self, ada: User) -> None:
        hold = held(ada, until=None)
        assert expiry.expire_holds(now=clock.now() + timedelta(days=400)).count == 0
        assert Transaction.objects.get(pk=hold.pk).status == "pending"
        assert main_wallet(ada).held == 40

    def test_a_document_of_a_kind_that_nobody_knows_may_be_alive(self, ada: User) -> None:
        now = clock.now()
        held(ada, until=now, source=Source("agreement", uuid4()))
        assert may_be_alive("agreement", uuid4())
        assert expiry.expire_holds(now=now).count == 0
        assert main_wallet(ada).held == 40

    def test_a_bill_that_is_under_way_keeps_its_hold(self, ada: User) -> None:
        from billers import services

        fund(ada, "20000.00")
        now = clock.now()
        payment = services.pay_bill(user=ada, order=order(), now=now)
        bill = Source("bill_payment", payment.pk)
        assert may_be_alive(bill.kind, bill.id)
        BillPayment.objects.filter(pk=payment.pk).update(
            status="failed", completed_at=now, next_check_at=None
        )
        assert not may_be_alive(bill.kind, bill.id)
        assert not may_be_alive(bill.kind, uuid4())

    def test_one_that_lives_does_not_keep_the_others(self, ada: User) -> None:
        now = clock.now()
        held(ada, "10.00", until=now - timedelta(hours=2), source=Source("agreement", uuid4()))
        for _ in range(3):
            held(ada, "5.00", until=now - timedelta(hours=1))
        assert expiry.expire_holds(now=now).count == 3
        assert main_wallet(ada).held == 10

    def test_goes_on_after_those_that_live_and_begins_anew_at_the_end(
        self, ada: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Two that live are older than the one that may go, and two of the three end at one instant."""
        monkeypatch.setattr(expiry, "LOOKED_AT", 1)
        now = clock.now()
        early, late = now - timedelta(hours=2), now - timedelta(hours=1)
        first, second = (
            held(ada, "10.00", until=until, source=Source("agreement", uuid4())).pk for until in (early, late)
        )
        third = held(ada, "10.00", until=late).pk
        sweep = expiry.expire_holds
        assert sweep(now=now) == Expired(0, first)
        assert sweep(now=now, after=first) == Expired(0, second)
        assert sweep(now=now, after=second) == Expired(1, third)
        assert sweep(now=now, after=third) == Expired(0, None)
        assert sweep(now=now) == Expired(0, first)
        assert main_wallet(ada).held == 20

    def test_where_it_goes_on_is_found_by_the_index(self, ada: User) -> None:
        now = clock.now()
        after = held(ada, "10.00", until=now).pk
        with CaptureQueriesContext(connection) as asked:
            expiry.expire_holds(now=now, after=after)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            # On a table of one page the index of open holds costs as little, but gives no order.
            cursor.execute("SET LOCAL enable_sort = off")
            cursor.execute(f"EXPLAIN {asked[-1]['sql']}")
            plan = [line for (line,) in cursor.fetchall()]
        assert any("transaction_expiring_holds" in line for line in plan)
        assert any("Index Cond" in line and ">=" in line for line in plan)


class TestAlarm:
    @pytest.mark.parametrize(
        ("until", "after", "count"),
        [
            (None, timedelta(hours=24), 0),
            (None, timedelta(hours=25), 1),
            (timedelta(hours=1), timedelta(hours=25), 0),
            (timedelta(hours=1), timedelta(hours=26), 1),
        ],
    )
    def test_counts_what_waits_for_a_day(
        self, ada: User, until: timedelta | None, after: timedelta, count: int
    ) -> None:
        now = clock.now()
        held(ada, until=None if until is None else now + until, source=Source("agreement", uuid4()))
        assert expiry.raise_alarm(now=now + after) == count
        assert main_wallet(ada).held == 40

    def test_health_tells_of_them(self, ada: User, time_machine: Any) -> None:
        held(ada, until=None)
        assert expiry.check_holds().ok
        time_machine.move_to(clock.now() + timedelta(days=2))
        report = expiry.check_holds()
        assert (report.ok, report.detail) == (False, {"overdue": 1})


class TestJob:
    def test_expires_and_counts(self, ada: User) -> None:
        held(ada, until=clock.now() - timedelta(seconds=1))
        tasks.expire_holds()
        assert JobRun.objects.get(name="transactions.expire_holds").detail == {
            "expired": 1, "last": None, "overdue": 0
        }  # fmt: skip
        assert main_wallet(ada).held == 0

    def test_the_next_run_goes_on_where_the_last_one_stopped(
        self, ada: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(expiry, "LOOKED_AT", 1)
        now = clock.now()
        live = held(ada, "10.00", until=now - timedelta(hours=2), source=Source("agreement", uuid4())).pk
        dead = held(ada, "10.00", until=now - timedelta(hours=1)).pk
        for expired, last in [(0, str(live)), (1, str(dead)), (0, None)]:
            tasks.expire_holds()
            detail = JobRun.objects.get(name="transactions.expire_holds").detail
            assert (detail["expired"], detail["last"]) == (expired, last)
        assert main_wallet(ada).held == 10
