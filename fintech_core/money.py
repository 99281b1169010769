"""Money: strict parsing, exact formatting, named rounding.

Amounts are ``Decimal`` in major units (naira, not kobo) and never have more decimals than their currency.
The table of currencies is py-moneyed's (ISO 4217).
"""

import re
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from functools import lru_cache

from django.conf import settings
from moneyed import CURRENCIES

MAX_INTEGER_DIGITS = 15
ZERO = Decimal(0)
_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,14})(?:\.([0-9]+))?")


class InvalidAmount(ValueError):
    """The text is no amount of this currency; the message shows the right form."""


def is_enabled(currency: str) -> bool:
    """Say whether wallets can be opened in this currency."""
    return currency in settings.CURRENCIES


@lru_cache(maxsize=512)
def decimals(currency: str) -> int:
    """Return how many decimals the currency has: NGN 2, JPY 0, KWD 3. Raises KeyError on an unknown code."""
    return len(str(CURRENCIES[currency].sub_unit)) - 1


@lru_cache(maxsize=512)
def quantum(currency: str) -> Decimal:
    """Return the smallest amount of the currency: NGN 0.01, JPY 1, KWD 0.001."""
    return Decimal(1).scaleb(-decimals(currency))


def format_amount(amount: Decimal, currency: str) -> str:
    """Write an amount with exactly the currency's decimals: ``1500.00``. Raises ValueError if that would round."""
    exact = amount.quantize(quantum(currency))
    if exact != amount:
        raise ValueError(f"{amount} has more decimals than {currency} allows")
    return f"{exact:f}"


def format_as_stored(amount: Decimal, currency: str) -> str:
    """Write an amount like ``format_amount``, or as it stands where a broken row does not fit its currency."""
    try:
        return format_amount(amount, currency)
    except (KeyError, ValueError):
        return f"{amount:f}"


def for_people(amount: Decimal, currency: str) -> str:
    """Write an amount as a person reads it: ``NGN 1,500.00``. Raises ValueError if that would round."""
    return f"{currency} {Decimal(format_amount(amount, currency)):,f}"


def parse_amount(text: object, currency: str, *, allow_zero: bool = False) -> Decimal:
    """Read an amount in major units from what a client sent; it is positive unless zero is allowed.

    Accepts an ASCII decimal string without sign, exponent, space or separator, with at most 15 digits before the
    point and no more decimals than the currency has. Raises InvalidAmount with a sentence that shows the form.
    """
    places = decimals(currency)
    example = f"{Decimal(1500).quantize(quantum(currency)):f}"
    if not isinstance(text, str):
        raise InvalidAmount(f'Send the amount as a JSON string, for example "{example}".')
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise InvalidAmount(
            f'Send a positive decimal string with at most {MAX_INTEGER_DIGITS} digits, for example "{example}".'
        )
    if len(match[2] or "") > places:
        raise InvalidAmount(f'{currency} has {places} decimals: send, for example, "{example}".')
    amount = Decimal(text)
    if not amount and not allow_zero:
        raise InvalidAmount(f'The amount must be greater than zero, for example "{example}".')
    return amount.quantize(quantum(currency))


def basis_points(amount: Decimal, points: int, currency: str) -> Decimal:
    """Return ``points`` / 10,000 of the amount, rounded half to even: fees."""
    return (amount * points / 10_000).quantize(quantum(currency), rounding=ROUND_HALF_EVEN)


def basis_points_down(amount: Decimal, points: int, currency: str) -> Decimal:
    """Return ``points`` / 10,000 of the amount, rounded down: rewards."""
    return (amount * points / 10_000).quantize(quantum(currency), rounding=ROUND_DOWN)


def split(amount: Decimal, weights: list[int], currency: str) -> list[Decimal]:
    """Split an amount by weights so that the parts are never negative and sum to the whole.

    Each part is rounded down; what is left goes, unit by unit, to the first parts. Raises ValueError when there is
    no positive weight.
    """
    total = sum(weights)
    if total <= 0 or min(weights) < 0:
        raise ValueError("splitting needs weights of zero or more, at least one of them positive")
    unit = quantum(currency)
    parts = [(amount * weight / total).quantize(unit, rounding=ROUND_DOWN) for weight in weights]
    left = int((amount - sum(parts, ZERO)) / unit)
    receivers = [index for index, weight in enumerate(weights) if weight > 0]
    for step in range(left):
        parts[receivers[step % len(receivers)]] += unit
    return parts
