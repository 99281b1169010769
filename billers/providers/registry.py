"""The vendors that settings name."""

from functools import lru_cache

from django.conf import settings
from django.utils.module_loading import import_string

from billers.providers.base import BillProvider


@lru_cache(maxsize=8)
def _make(path: str) -> BillProvider:
    made: BillProvider = import_string(path)()
    return made


def provider(vendor: str) -> BillProvider:
    """Return the vendor's adapter by the name in ``VENDORS["biller"]``; raises KeyError on another name."""
    return _make(settings.VENDORS["biller"][vendor])


def sells_in(vendor: str, currency: str) -> bool:
    """Say whether settings name this vendor and it is paid in this currency."""
    return vendor in settings.VENDORS["biller"] and provider(vendor).currency == currency


def vendors() -> list[str]:
    """Return the names of all configured vendors."""
    return list(settings.VENDORS["biller"])
