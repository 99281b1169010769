"""Values of the environment that no library reads."""

import re
from decimal import Decimal

from django.core.exceptions import ImproperlyConfigured

_AMOUNT = re.compile(r"([A-Z]{3})=(\d{1,15}(?:\.\d{1,4})?)", re.ASCII)


def amounts(name: str, text: str) -> dict[str, Decimal]:
    """Read an amount in major units for each currency, as ``NGN=100000,USD=100``; an empty text names none.

    Raises ImproperlyConfigured, which names the setting, for anything else and for a currency that stands there twice.
    """
    found: dict[str, Decimal] = {}
    for given in filter(None, map(str.strip, text.split(","))):
        match = _AMOUNT.fullmatch(given)
        if match is None or match[1] in found:
            raise ImproperlyConfigured(f"{name} says for each currency once how much, as NGN=100000,USD=100")
        found[match[1]] = Decimal(match[2])
    return found
