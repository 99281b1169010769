"""Values of the environment: read exactly, or refused with the name of the setting."""

from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured

from fintech_core.environment import amounts


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("NGN=100000", {"NGN": Decimal(100_000)}),
        ("NGN=100000,USD=99.50", {"NGN": Decimal(100_000), "USD": Decimal("99.50")}),
        (" NGN=1 , KWD=0.001, ", {"NGN": Decimal(1), "KWD": Decimal("0.001")}),
        ("", {}),
    ],
)
def test_amounts_are_read_for_each_currency(text: str, read: dict[str, Decimal]) -> None:
    assert amounts("LIMIT", text) == read


@pytest.mark.parametrize(
    "text",
    [
        "100000",
        "NGN",
        "NGN=",
        "NGN:1",
        "ngn=1",
        "NGN=-1",
        "NGN=1e3",
        "NGN=NaN",
        "NGN=\u0661",
        "NGN=1;USD=2",
        "NGN=1,NGN=2",
    ],
)
def test_anything_else_stops_the_start(text: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="LIMIT"):
        amounts("LIMIT", text)
