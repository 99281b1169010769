"""Money: strict reading, exact writing, named rounding."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fintech_core import money

CURRENCIES = st.sampled_from(["NGN", "JPY", "KWD"])


class TestParseAmount:
    @pytest.mark.parametrize(
        ("text", "currency", "amount"),
        [
            ("1500", "NGN", "1500.00"),
            ("0.01", "NGN", "0.01"),
            ("1500.5", "NGN", "1500.50"),
            ("999999999999999.99", "NGN", "999999999999999.99"),
            ("5", "JPY", "5"),
            ("0.001", "KWD", "0.001"),
        ],
    )
    def test_decimal_strings_are_read(self, text: str, currency: str, amount: str) -> None:
        found = money.parse_amount(text, currency)
        assert str(found) == amount

    @pytest.mark.parametrize("text", ["0", "0.00"])
    def test_zero_is_read_where_it_is_allowed(self, text: str) -> None:
        assert str(money.parse_amount(text, "NGN", allow_zero=True)) == "0.00"
        for other in ("-0", "00", "0.000", "", 0, None):
            with pytest.raises(money.InvalidAmount):
                money.parse_amount(other, "NGN", allow_zero=True)

    @pytest.mark.parametrize(
        "text",
        [
            1500,
            1500.0,
            True,
            None,
            ["1"],
            b"1",
            "",
            " ",
            " 5",
            "5 ",
            "5\n",
            "+5",
            "-5",
            "-0.01",
            "0",
            "0.00",
            "00",
            "01",
            "1.",
            ".5",
            "1,000",
            "1_000",
            "1e3",
            "1E+2",
            "0x10",
            "NaN",
            "Infinity",
            "١٢",
            "１２",
            "1.001",
            "1" * 16,
            "1500.00.00",
            "5\x00",
        ],
    )
    def test_everything_else_is_refused_with_the_right_form(self, text: object) -> None:
        with pytest.raises(money.InvalidAmount, match=r"1500\.00"):
            money.parse_amount(text, "NGN")

    def test_a_currency_without_decimals_takes_none(self) -> None:
        with pytest.raises(money.InvalidAmount, match="JPY has 0 decimals"):
            money.parse_amount("5.0", "JPY")

    @given(units=st.integers(1, 10**17 - 1), currency=CURRENCIES)
    def test_what_is_written_is_read_back(self, units: int, currency: str) -> None:
        amount = units * money.quantum(currency)
        if amount < Decimal(10) ** money.MAX_INTEGER_DIGITS:
            assert money.parse_amount(money.format_amount(amount, currency), currency) == amount


class TestFormatAmount:
    @pytest.mark.parametrize(
        ("amount", "currency", "text"),
        [
            ("1500", "NGN", "1500.00"),
            ("1500.0000", "NGN", "1500.00"),
            ("0", "NGN", "0.00"),
            ("1E+3", "JPY", "1000"),
            ("0.5", "KWD", "0.500"),
            ("-3.1", "NGN", "-3.10"),
        ],
    )
    def test_it_has_exactly_the_currencys_decimals(self, amount: str, currency: str, text: str) -> None:
        assert money.format_amount(Decimal(amount), currency) == text

    def test_it_never_rounds(self) -> None:
        with pytest.raises(ValueError, match="more decimals"):
            money.format_amount(Decimal("1.005"), "NGN")


class TestRounding:
    def test_fees_round_half_to_even(self) -> None:
        assert money.basis_points(Decimal("0.50"), 100, "NGN") == Decimal("0.00")
        assert money.basis_points(Decimal("1.50"), 100, "NGN") == Decimal("0.02")

    def test_rewards_round_down(self) -> None:
        assert money.basis_points_down(Decimal("1.99"), 100, "NGN") == Decimal("0.01")

    @given(
        units=st.integers(0, 10**12),
        weights=st.lists(st.integers(0, 1000), min_size=1, max_size=8),
        currency=CURRENCIES,
    )
    def test_parts_sum_to_the_whole(self, units: int, weights: list[int], currency: str) -> None:
        amount = units * money.quantum(currency)
        if sum(weights) == 0:
            with pytest.raises(ValueError, match="positive"):
                money.split(amount, weights, currency)
            return
        parts = money.split(amount, weights, currency)
        assert sum(parts) == amount
        for part, weight in zip(parts, weights, strict=True):
            exact = amount * weight / sum(weights)
            assert part >= 0
            assert abs(part - exact) <= money.quantum(currency)
            assert weight > 0 or part == 0

    def test_no_weight_is_negative(self) -> None:
        with pytest.raises(ValueError, match="zero or more"):
            money.split(Decimal("1.00"), [2, -1], "NGN")
