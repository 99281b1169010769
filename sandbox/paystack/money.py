"""Amounts at Paystack: integers in the smallest unit."""

from typing import Final

CURRENCIES: Final = ("NGN", "GHS", "ZAR", "KES", "USD")
MAX_MAJOR_UNITS: Final = 10_000_000
ONE_NAIRA: Final = 100

_SYMBOLS: Final = {"NGN": "₦", "GHS": "GH₵", "ZAR": "R", "KES": "KSh ", "USD": "$"}
_FLAT_FEE: Final = 100_00
_FLAT_FEE_FROM: Final = 2_500_00
_FEE_CAP: Final = 2_000_00


def parse_minor_units(value: object) -> int | None:
    """Read a positive amount, sent as integer or as a string of digits; None when it is neither."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        amount = value
    elif isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        amount = int(value)
    else:
        return None
    return amount if amount > 0 else None


def fee(amount: int) -> int:
    """Charge 1.5 % plus ₦100 (waived below ₦2,500), at most ₦2,000: a sample, not a price list."""
    percent = -(-amount * 15 // 1000)
    flat = _FLAT_FEE if amount >= _FLAT_FEE_FROM else 0
    return min(percent + flat, _FEE_CAP)


def for_people(amount: int, currency: str) -> str:
    """Write an amount for a page: `₦50,000.00`."""
    return f"{_SYMBOLS.get(currency, currency + ' ')}{amount // 100:,}.{amount % 100:02d}"


def other_currency(currency: str) -> str:
    """Pick a currency that is not the asked one."""
    return "KES" if currency != "KES" else "NGN"
