"""Limits: dated rules, counted by the business day, given back to the day they were counted in."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, ProgrammingError, transaction
from django.db.models import Model
from hypothesis import given
from hypothesis import strategies as st

from fintech_core import clock
from tests.factories import StaffFactory, UnverifiedUserFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.pasts import at
from tests.transactions.story import bill_draft, happened, transfer_draft
from transactions import limits
from transactions.drafts import Authorize, Post, Void
from transactions.errors import InsufficientFunds, KycRequired, LimitExceeded, LimitRuleRefused
from transactions.limits import Limits, Spent
from transactions.models import ExchangeRate, FeeRule, LimitRule, ParkedCredit, Transaction
from transactions.rule_table import REMEMBERED_S
from transactions.selectors import limits_of
from transactions.services.ledger import TransactionService
from transactions.services.limit_rules import add_limit_rule
from transactions.verification import verify
from users.models import User

NOON = datetime(2026, 3, 31, 11, 0, tzinfo=UTC)
TODAY = date(2026, 3, 31)
IDES = datetime(2026, 3, 15, 11, 0, tzinfo=UTC)
LIMITS = Limits(1, "NGN", Decimal(100), Decimal(250), Decimal(1_000), Decimal(5_000))


def spent(today: int, month: int, on: date = TODAY) -> Spent:
    return Spent(Decimal(today), Decimal(month), on)


@pytest.fixture(autouse=True)
def fresh_table() -> None:
    """Read the rules anew in each test."""
    limits.forget()


class TestRefusal:
    """Whoever may not send at all learns that before the lack of money: more of it would not help."""

    @pytest.mark.django_db
    @pytest.mark.parametrize(("tier", "refusal"), [(0, KycRequired), (1, InsufficientFunds)])
    @pytest.mark.parametrize("held", [False, True])
    def test_without_money_it_is_about_the_tier_first(
        self, tier: int, refusal: type[Exception], held: bool
    ) -> None:
        sender, receiver = main_wallet(UserFactory(kyc_tier=tier)), main_wallet(UserFactory())
        sending = Post(transfer_draft(sender, receiver, "50000.01"))
        with pytest.raises(refusal):
            happened(Authorize(bill_draft(sender, "50000.01")) if held else sending)
        assert Transaction.objects.count() == 0


class TestCheckSpend:
    def test_up_to_the_limit_passes_and_a_kobo_more_does_not(self) -> None:
        limits.check_spend(LIMITS, spent(150, 150), Decimal(100), NOON)
        with pytest.raises(LimitExceeded) as refusal:
            limits.check_spend(LIMITS, spent(150, 150), Decimal("100.01"), NOON)
        assert refusal.value.facts["limit_name"] == "single"

    def test_names_the_first_limit_that_is_passed_what_is_left_and_when_it_resets(self) -> None:
        with pytest.raises(LimitExceeded) as refusal:
            limits.check_spend(LIMITS, spent(200, 900), Decimal("50.01"), NOON)
        facts = refusal.value.facts
        assert (facts["limit_name"], facts["limit"], facts["used"], facts["remaining"]) == (
            "daily", "250.00", "200.00", "50.00",
        )  # fmt: skip
        assert facts["resets_at"] == "2026-03-31T23:00:00.000000Z"

    def test_the_month_resets_with_the_business_month(self) -> None:
        with pytest.raises(LimitExceeded) as refusal:
            limits.check_spend(LIMITS, spent(0, 950), Decimal("50.01"), NOON)
        assert refusal.value.facts["limit_name"] == "monthly"
        assert refusal.value.facts["resets_at"] == "2026-03-31T23:00:00.000000Z"

    @pytest.mark.parametrize(
        ("used_today", "name", "resets_at"),
        [(220, "daily", "2026-03-15T23:00:00.000000Z"), (0, "monthly", "2026-03-31T23:00:00.000000Z")],
    )
    def test_in_the_middle_of_a_month_each_limit_resets_at_its_own_time(
        self, used_today: int, name: str, resets_at: str
    ) -> None:
        with pytest.raises(LimitExceeded) as refusal:
            limits.check_spend(LIMITS, spent(used_today, 950), Decimal("50.01"), IDES)
        assert (refusal.value.facts["limit_name"], refusal.value.facts["resets_at"]) == (name, resets_at)

    def test_none_is_no_limit(self) -> None:
        limits.check_spend(Limits(3, "NGN", None, None, None, None), spent(0, 0), Decimal(10**14), NOON)

    def test_more_used_than_a_lowered_limit_leaves_nothing_and_not_less(self) -> None:
        with pytest.raises(LimitExceeded) as refusal:
            limits.check_spend(LIMITS, spent(400, 400), Decimal("0.01"), NOON)
        assert refusal.value.facts["remaining"] == "0.00"

    def test_tier_zero_may_not_send_at_all(self) -> None:
        with pytest.raises(KycRequired):
            limits.check_spend(Limits(0, "NGN", None, None, None, None), spent(0, 0), Decimal(1), NOON)


class TestSpent:
    def test_an_earlier_day_counts_for_the_month_only(self) -> None:
        assert spent(30, 70).as_of(TODAY) == spent(30, 70)
        assert spent(30, 70, date(2026, 3, 30)).as_of(TODAY) == spent(0, 70)

    def test_an_earlier_month_counts_no_more(self) -> None:
        assert spent(30, 70).as_of(date(2026, 4, 1)) == spent(0, 0, date(2026, 4, 1))
        assert spent(30, 70, date(2025, 3, 31)).as_of(TODAY) == spent(0, 0)

    def test_days_never_go_back(self) -> None:
        tomorrow = spent(30, 70, date(2026, 4, 1))
        assert tomorrow.as_of(TODAY) == tomorrow

    def test_a_wallet_that_never_spent_begins_today(self) -> None:
        assert Spent(Decimal(0), Decimal(0), None).as_of(TODAY) == spent(0, 0)

    def test_what_is_given_back_goes_to_the_day_and_month_it_was_counted_in(self) -> None:
        assert spent(30, 70).minus(Decimal(20), spent_on=TODAY) == spent(10, 50)
        assert spent(30, 70).minus(Decimal(20), spent_on=date(2026, 3, 1)) == spent(30, 50)
        assert spent(30, 70).minus(Decimal(20), spent_on=date(2026, 2, 28)) == spent(30, 70)

    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 50), st.booleans()), max_size=40))
    def test_counts_what_a_list_of_everything_sent_adds_up_to(
        self, steps: list[tuple[int, int, bool]]
    ) -> None:
        """Days go by around the end of a month; some holds are given back later, the oldest first."""
        day, counted, open_holds = date(2026, 3, 29), Spent(Decimal(0), Decimal(0), None), []
        listed: list[tuple[date, int]] = []
        for days, amount, give_back in steps:
            day += timedelta(days=days)
            counted = counted.as_of(day)
            if give_back and open_holds:
                when, much = open_holds.pop(0)
                counted = counted.minus(Decimal(much), spent_on=when)
                listed.remove((when, much))
            else:
                counted = counted.plus(Decimal(amount))
                open_holds.append((day, amount))
                listed.append((day, amount))
        if steps:
            assert counted.today == sum(much for when, much in listed if when == day)
            month = (day.year, day.month)
            assert counted.this_month == sum(m for when, m in listed if (when.year, when.month) == month)


class TestBusinessDay:
    def test_begins_at_midnight_in_lagos(self) -> None:
        last = datetime(2026, 3, 31, 22, 59, 59, 999_999, tzinfo=UTC)
        assert clock.business_day(last) == TODAY
        assert clock.business_day(last + timedelta(microseconds=1)) == date(2026, 4, 1)
        assert clock.next_day(last) == clock.next_month(last) == datetime(2026, 3, 31, 23, 0, tzinfo=UTC)


@pytest.mark.django_db
class TestRules:
    def add(self, *, after: timedelta, daily: str, now: datetime) -> LimitRule:
        """Add a rule of tier 1 in NGN that takes effect after a while."""
        return add_limit_rule(
            tier=1, currency="NGN", single=None, daily=Decimal(daily), monthly=None, max_balance=None,
            effective_from=now + after, note="x", actor=StaffFactory(), now=now,
        )  # fmt: skip

    def daily(self, at: datetime) -> Decimal | None:
        return limits.limits_for(tier=1, currency="NGN", at=at).daily

    def test_a_rule_takes_effect_at_its_instant(self) -> None:
        now = clock.now()
        self.add(after=timedelta(minutes=5), daily="123.00", now=now)
        limits.forget()
        instant = now + timedelta(minutes=5)
        assert self.daily(instant - timedelta(microseconds=1)) == 50_000
        assert self.daily(instant) == 123

    def test_what_is_remembered_is_younger_than_the_notice_of_a_rule(self) -> None:
        assert timedelta(seconds=REMEMBERED_S) < timedelta(minutes=1)
        assert self.daily(clock.now()) == 50_000
        rule = self.add(after=timedelta(minutes=1), daily="123.00", now=clock.now())
        assert self.daily(rule.effective_from) == 50_000
        limits.forget()
        assert self.daily(rule.effective_from) == 123

    def test_nearer_than_a_minute_is_refused_by_the_service_and_by_the_database(self) -> None:
        now, before = clock.now(), LimitRule.objects.count()
        with pytest.raises(LimitRuleRefused):
            self.add(after=timedelta(seconds=59), daily="1.00", now=now)
        with pytest.raises(IntegrityError, match="limit_takes_effect_later"), transaction.atomic():
            LimitRule.objects.create(
                tier=1, currency="NGN", saved_at=now, effective_from=now + timedelta(seconds=59)
            )
        assert LimitRule.objects.count() == before

    def test_a_negative_one_is_refused_by_the_service_and_by_the_database(self) -> None:
        now, before = clock.now(), LimitRule.objects.count()
        with pytest.raises(LimitRuleRefused):
            self.add(after=timedelta(hours=1), daily="-0.01", now=now)
        with pytest.raises(IntegrityError, match="limit_is_not_negative"), transaction.atomic():
            LimitRule.objects.create(
                tier=1, currency="NGN", monthly=-1, saved_at=now, effective_from=now + timedelta(hours=1)
            )
        assert LimitRule.objects.count() == before

    @pytest.mark.parametrize("model", [LimitRule, FeeRule, ExchangeRate])
    def test_nobody_edits_or_deletes_a_rule_that_may_be_in_force(self, model: type[Model]) -> None:
        for edit in (lambda: model.objects.update(note="x"), lambda: model.objects.all().delete()):
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                edit()

    def test_a_currency_without_a_rule_lets_nothing_move(self) -> None:
        allowed = limits.limits_for(tier=1, currency="EUR", at=clock.now())
        assert (allowed.single, allowed.daily, allowed.monthly, allowed.max_balance) == (0, 0, 0, 0)
        assert limits.over_cap(allowed, Decimal("0.01"))


@pytest.mark.django_db
class TestCounting:
    def test_a_hold_counts_and_its_void_gives_it_back(self) -> None:
        ada = UserFactory()
        fund(ada, "60000.00")
        held = happened(Authorize(bill_draft(main_wallet(ada), "50000.00")))
        assert self.left(ada) == "0.00"
        with pytest.raises(LimitExceeded):
            happened(Authorize(bill_draft(main_wallet(ada), "0.01")))
        happened(Void(held.pk, "declined"))
        assert self.left(ada) == "50000.00"

    def test_counts_on_the_day_it_is_recorded_whenever_the_request_began(self) -> None:
        ada, now = UserFactory(), clock.now()
        fund(ada, "60000.00")
        self.hold(ada, "50000.00", now - timedelta(days=1))
        for began in (now - timedelta(days=1), now, now + timedelta(days=1)):
            with pytest.raises(LimitExceeded) as refusal:
                self.hold(ada, "0.01", began)
            assert refusal.value.facts["limit_name"] == "daily"
        assert self.left(ada) == "0.00"

    def test_a_void_gives_back_on_the_day_of_its_hold_whenever_it_was_asked_for(self) -> None:
        ada, now = UserFactory(), clock.now()
        fund(ada, "60000.00")
        held = self.hold(ada, "30000.00", now - timedelta(days=1))
        self.hold(ada, "20000.00", now)
        with transaction.atomic():
            TransactionService.void(held, failure_code="declined", now=now + timedelta(days=40))
        wallet = main_wallet(ada)
        assert (wallet.spent_today, wallet.spent_this_month) == (20_000, 20_000)
        assert self.left(ada) == "30000.00"

    @pytest.mark.usefixtures("other_clock")
    def test_a_request_that_waits_over_midnight_counts_on_the_day_that_has_come(self) -> None:
        """It began the day before, and found the counters on a day later than its own."""
        ada, midnight = UserFactory(), clock.next_day(clock.now() - timedelta(days=2))
        with at(midnight - timedelta(minutes=10)):
            fund(ada, "200000.00")
            self.hold(ada, "50000.00", clock.now())
        with at(midnight + timedelta(minutes=10)):
            self.hold(ada, "30000.00", clock.now())
            self.hold(ada, "20000.00", midnight - timedelta(seconds=1))
            for began in (midnight - timedelta(seconds=1), clock.now()):
                with pytest.raises(LimitExceeded):
                    self.hold(ada, "0.01", began)
            assert self.left(ada) == "0.00"
        assert main_wallet(ada).spent_on == clock.business_day(midnight)
        assert verify().findings == ()

    def test_tells_when_each_limit_resets(self) -> None:
        told = limits_of(user=UserFactory(), at=IDES)["NGN"]
        assert told["daily"]["resets_at"] == "2026-03-15T23:00:00.000000Z"
        assert told["monthly"]["resets_at"] == "2026-03-31T23:00:00.000000Z"

    def test_a_fee_does_not_count(self) -> None:
        ada = UserFactory()
        fund(ada, "60000.00")
        happened(Authorize(bill_draft(main_wallet(ada), "100.00", "25.00")))
        assert self.left(ada) == "49900.00"

    def test_a_balance_may_reach_the_cap_and_not_pass_it(self) -> None:
        user = UnverifiedUserFactory()
        fund(user, "50000.00")
        fund(user, "0.01")
        assert main_wallet(user).balance == 50_000
        assert ParkedCredit.objects.get(owner=user).reason == "balance_cap"

    @staticmethod
    def hold(user: User, amount: str, now: datetime) -> Transaction:
        """Hold money by a request that began at ``now``."""
        with transaction.atomic():
            return TransactionService.authorize(bill_draft(main_wallet(user), amount), now=now)

    @staticmethod
    def left(user: User) -> str:
        """Return what the user may still send today."""
        return str(limits_of(user=user, at=clock.now())["NGN"]["daily"]["remaining"])
