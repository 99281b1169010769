"""What a customer gets at a rate: every rounding is shown, and no circle of conversions pays."""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fintech_core import clock, money
from fintech_core.models import AuditRecord
from tests.factories import StaffFactory
from transactions.errors import NotConvertible, PairNotOffered, RateRefused
from transactions.exchange import rates
from transactions.exchange.pricing import price
from transactions.exchange.rates import Rate
from transactions.models import ExchangeRate
from transactions.services.exchange_rates import add_rate

CODES = ("NGN", "USD", "JPY", "KWD")
MIDS = st.decimals(Decimal("0.01"), Decimal("9999"), places=4)


class TestPrice:
    @pytest.mark.parametrize(
        ("amount", "rate", "shown", "amount_to"),
        [
            ("155000.00", Rate("NGN", "USD", 1 / Decimal(1550), 0), "0.00064516", "99.99"),
            ("100.00", Rate("USD", "NGN", Decimal(1550), 150), "1526.75000000", "152675.00"),
            ("100.00", Rate("NGN", "JPY", 1 / Decimal("10.5"), 0), "0.09523809", "9"),
            ("1", Rate("JPY", "KWD", Decimal("10.5") / 5050, 0), "0.00207920", "0.002"),
            ("0.001", Rate("KWD", "JPY", 5050 / Decimal("10.5"), 0), "480.95238095", None),
            ("0.01", Rate("NGN", "USD", 1 / Decimal(1550), 0), None, None),
            ("999999999999999.99", Rate("USD", "NGN", Decimal(1550), 0), None, None),
        ],
    )
    def test_is_rounded_down_to_the_other_currencys_unit(
        self, amount: str, rate: Rate, shown: str | None, amount_to: str | None
    ) -> None:
        if amount_to is None:
            with pytest.raises(NotConvertible):
                price(Decimal(amount), rate)
            return
        made = price(Decimal(amount), rate)
        assert (f"{made.rate:f}", money.format_amount(made.amount_to, rate.to_currency)) == (shown, amount_to)

    @settings(max_examples=300)
    @given(
        st.tuples(MIDS, MIDS, MIDS), st.permutations(CODES), st.integers(0, 400), st.integers(1, 10**9),
        st.integers(2, 4),
    )  # fmt: skip
    def test_b_59_no_circle_pays(
        self, mids: tuple[Decimal, ...], order: list[str], spread: int, units: int, length: int
    ) -> None:
        worth = dict(zip(CODES, (Decimal(1), *mids), strict=True))
        circle = [*order[:length], order[0]]
        held = start = units * money.quantum(circle[0])
        for given_, taken in itertools.pairwise(circle):
            try:
                made = price(held, Rate(given_, taken, worth[given_] / worth[taken], spread))
            except NotConvertible:
                assume(False)
            held = made.amount_to
        assert held <= start

    @given(MIDS, st.integers(0, 4_999), st.integers(1, 10**9))
    def test_the_amount_can_be_worked_out_from_what_is_shown(
        self, mid: Decimal, spread: int, units: int
    ) -> None:
        amount = units * money.quantum("USD")
        try:
            made = price(amount, Rate("USD", "NGN", mid, spread))
        except NotConvertible:
            assume(False)
        assert made.amount_to <= amount * made.rate < made.amount_to + money.quantum("NGN")


@pytest.mark.django_db
class TestStaffTable:
    def test_crosses_every_pair_over_the_default_currency(self) -> None:
        at = datetime(2026, 2, 1, tzinfo=UTC)
        crossed = rates.provider().rate(from_currency="USD", to_currency="KWD", at=at)
        assert (crossed.mid, crossed.spread_basis_points) == (Decimal(1550) / 5050, 300)
        direct = rates.provider().rate(from_currency="NGN", to_currency="USD", at=at)
        assert (direct.mid, direct.spread_basis_points) == (Decimal(1) / 1550, 150)

    def test_a_rate_holds_from_its_instant_on(self) -> None:
        staff, now = StaffFactory(), clock.now()
        later = now + timedelta(hours=1)
        add_rate(
            currency="USD", mid=Decimal("1600.5"), spread_basis_points=0, effective_from=later, note="x",
            actor=staff, now=now,
        )  # fmt: skip
        table = rates.StaffTable()
        pair = {"from_currency": "USD", "to_currency": "NGN"}
        assert table.rate(**pair, at=later - timedelta(seconds=1)).mid == 1550
        assert table.rate(**pair, at=later).mid == Decimal("1600.5")
        assert AuditRecord.objects.get(action="exchange_rate.added").actor_id == staff.pk

    def test_before_its_first_rate_a_currency_is_not_offered(self) -> None:
        with pytest.raises(PairNotOffered):
            rates.provider().rate(
                from_currency="USD", to_currency="NGN", at=datetime(2025, 12, 31, tzinfo=UTC)
            )

    @pytest.mark.parametrize(("currency", "shift"), [("NGN", 1), ("USD", -1)])
    def test_no_rate_of_the_default_currency_and_none_dated_back(self, currency: str, shift: int) -> None:
        now, before = clock.now(), ExchangeRate.objects.count()
        with pytest.raises(RateRefused):
            add_rate(
                currency=currency, mid=Decimal(1), spread_basis_points=0,
                effective_from=now + timedelta(seconds=shift), note="x", actor=StaffFactory(), now=now,
            )  # fmt: skip
        assert ExchangeRate.objects.count() == before
