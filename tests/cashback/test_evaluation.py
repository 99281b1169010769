"""What a payment earns: percentage, cap, budget, scope and window, without a database."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cashback.enums import CampaignStatus
from cashback.evaluation import Payment, evaluate
from cashback.models import Campaign
from fintech_core.money import decimals, format_amount, quantum
from tests.cashback.offers import AIRTIME, BEGAN

NOW = BEGAN + timedelta(days=10)
PAID = Payment(Decimal("100.00"), "NGN", **AIRTIME, at=NOW)


def campaign(**changes: Any) -> Campaign:
    """A running campaign of 10 % on everything, ₦50 a payment, ₦1,000 altogether; not stored."""
    facts = {
        "status": CampaignStatus.RUNNING,
        "currency": "NGN",
        "percent_bp": 1_000,
        "cap": Decimal("50.00"),
        "budget": Decimal("1000.00"),
        "starts_at": BEGAN,
    }
    return Campaign(**{**facts, **changes})


def earned(payment: Payment, *campaigns: Campaign) -> Decimal | None:
    """Return the amount that is earned, None when nothing is."""
    award = evaluate(payment, campaigns)
    return None if award is None else award.amount


class TestAmount:
    @pytest.mark.parametrize(
        ("paid", "percent_bp", "reward"),
        [
            ("10000.00", 100, "100.00"),
            ("100.00", 1_000, "10.00"),
            ("99.99", 100, "0.99"),
            ("0.99", 100, None),
            ("1.00", 100, "0.01"),
            ("33.33", 333, "1.10"),
            ("0.01", 10_000, "0.01"),
            ("50000.00", 1, "5.00"),
        ],
    )
    def test_is_the_percentage_rounded_down(self, paid: str, percent_bp: int, reward: str | None) -> None:
        offer = campaign(percent_bp=percent_bp, cap=Decimal(100))
        wanted = None if reward is None else Decimal(reward)
        assert earned(replace(PAID, amount=Decimal(paid)), offer) == wanted

    @pytest.mark.parametrize(("paid", "reward"), [("499.99", "49.99"), ("500.00", "50"), ("500.10", "50")])
    def test_stops_at_the_cap(self, paid: str, reward: str) -> None:
        assert earned(replace(PAID, amount=Decimal(paid)), campaign()) == Decimal(reward)

    @pytest.mark.parametrize(
        ("spent", "reward"), [("989.99", "10"), ("990", "10"), ("990.01", "9.99"), ("999.99", "0.01")]
    )
    def test_is_cut_to_what_the_budget_holds(self, spent: str, reward: str) -> None:
        assert earned(PAID, campaign(spent=Decimal(spent))) == Decimal(reward)

    def test_nothing_is_earned_from_an_empty_budget(self) -> None:
        assert earned(PAID, campaign(spent=Decimal(1000))) is None

    @pytest.mark.parametrize(
        ("currency", "paid", "reward"), [("JPY", "1009", "100"), ("KWD", "1.009", "0.100")]
    )
    def test_has_the_decimals_of_its_currency(self, currency: str, paid: str, reward: str) -> None:
        offer = campaign(currency=currency, cap=Decimal(500))
        award = evaluate(replace(PAID, currency=currency, amount=Decimal(paid)), [offer])
        assert award is not None
        assert format_amount(award.amount, currency) == reward

    @pytest.mark.parametrize(("cap", "budget"), [("0.0149", "1000"), ("50", "0.0199")])
    def test_figures_finer_than_the_currency_are_rounded_down(self, cap: str, budget: str) -> None:
        assert earned(PAID, campaign(cap=Decimal(cap), budget=Decimal(budget))) == Decimal("0.01")

    def test_the_highest_award_wins_and_of_equals_the_older_campaign(self) -> None:
        older, newer, better, best = (
            campaign(id=UUID(int=number), percent_bp=points)
            for number, points in ((1, 1_000), (2, 1_000), (3, 1_001), (4, 2_000))
        )
        assert evaluate(PAID, [newer, older]).campaign is older  # type: ignore[union-attr]
        assert evaluate(PAID, [older, better, newer]).campaign is better  # type: ignore[union-attr]
        best.spent = Decimal("999.00")
        assert evaluate(PAID, [best, better]).campaign is better  # type: ignore[union-attr]


class TestMatching:
    @pytest.mark.parametrize("status", [status for status in CampaignStatus if status != "running"])
    def test_only_a_running_campaign_gives(self, status: str) -> None:
        assert earned(PAID, campaign(status=status)) is None

    def test_no_campaign_gives_nothing(self) -> None:
        assert earned(PAID) is None

    @pytest.mark.parametrize(("paid", "gives"), [("99.99", False), ("100.00", True), ("100.01", True)])
    def test_the_least_payment_is_included(self, paid: str, gives: bool) -> None:
        amount = earned(replace(PAID, amount=Decimal(paid)), campaign(min_payment=Decimal(100)))
        assert (amount is not None) is gives

    @pytest.mark.parametrize(
        ("scope", "gives"),
        [
            ({}, True),
            ({"category": "airtime"}, True),
            ({"category": "data"}, False),
            ({"biller": "mtn"}, True),
            ({"biller": "glo"}, False),
            ({"product": "airtime"}, True),
            ({"product": "vtu"}, False),
            (AIRTIME, True),
            ({**AIRTIME, "product": "vtu"}, False),
            ({**AIRTIME, "biller": "MTN"}, False),
            ({"currency": "USD"}, False),
        ],
    )
    def test_each_part_of_the_scope_counts(self, scope: dict[str, str], gives: bool) -> None:
        assert (earned(PAID, campaign(**scope)) is not None) is gives

    @pytest.mark.parametrize(
        ("window", "gives"),
        [
            ({"starts_at": NOW}, True),
            ({"starts_at": NOW + timedelta(microseconds=1)}, False),
            ({"ends_at": NOW}, False),
            ({"ends_at": NOW + timedelta(microseconds=1)}, True),
        ],
    )
    def test_the_window_includes_its_beginning_and_not_its_end(
        self, window: dict[str, Any], gives: bool
    ) -> None:
        assert (earned(PAID, campaign(**window)) is not None) is gives


CURRENCIES = st.sampled_from(["NGN", "USD", "JPY", "KWD"])


def amounts(currency: str, *, least: int = 0) -> st.SearchStrategy[Decimal]:
    """Amounts of a currency: any number of its smallest units."""
    return st.integers(least, 10**15).map(lambda units: units * quantum(currency))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Payment, list[Campaign]]:
    """A payment and campaigns that may cover it."""
    currency = draw(CURRENCIES)
    budgets = draw(st.lists(amounts(currency), min_size=1, max_size=4))
    campaigns = [
        campaign(
            currency=currency,
            percent_bp=draw(st.integers(1, 10_000)),
            cap=draw(amounts(currency, least=1)),
            min_payment=draw(amounts(currency)) if draw(st.booleans()) else Decimal(0),
            budget=budget,
            spent=budget * draw(st.sampled_from([0, 1])) if draw(st.booleans()) else Decimal(0),
        )
        for budget in budgets
    ]
    return replace(PAID, currency=currency, amount=draw(amounts(currency, least=1))), campaigns


class TestProperties:
    @given(cases())
    def test_a_reward_is_positive_exact_and_within_every_bound(
        self, case: tuple[Payment, list[Campaign]]
    ) -> None:
        payment, campaigns = case
        award = evaluate(payment, campaigns)
        if award is None:
            return
        giving = award.campaign
        assert Decimal(0) < award.amount <= giving.cap
        assert award.amount <= giving.budget - giving.spent
        assert award.amount * 10_000 <= payment.amount * giving.percent_bp
        assert award.amount <= payment.amount
        assert award.amount == award.amount.quantize(quantum(payment.currency))
        assert -award.amount.as_tuple().exponent == decimals(payment.currency)  # type: ignore[operator]
        assert payment.amount >= giving.min_payment

    @given(cases())
    def test_nobody_else_would_have_given_more(self, case: tuple[Payment, list[Campaign]]) -> None:
        payment, campaigns = case
        alone = [evaluate(payment, [each]) for each in campaigns]
        most = max((award.amount for award in alone if award), default=None)
        together = evaluate(payment, campaigns)
        assert (None if together is None else together.amount) == most

    @given(cases())
    def test_a_unit_less_than_the_exact_share_is_never_lost(
        self, case: tuple[Payment, list[Campaign]]
    ) -> None:
        payment, [giving, *_] = case
        award = evaluate(payment, [giving])
        if award is None or award.amount in {giving.cap, giving.budget - giving.spent}:
            return
        unit = quantum(payment.currency)
        assert (award.amount + unit) * 10_000 > payment.amount * giving.percent_bp
