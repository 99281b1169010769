"""The ids of the chart's accounts, remembered by the process: an account's identity never changes."""

from functools import lru_cache

from transactions.errors import ChartViolation
from transactions.models import LedgerAccount


@lru_cache(maxsize=1024)
def account_id(code: str, currency: str) -> int:
    """Return the id of an account of the chart. Raises ChartViolation when it is not open in this currency."""
    found = LedgerAccount.objects.filter(code=code, currency=currency).values_list("pk", flat=True).first()
    if found is None:
        raise ChartViolation(f"the chart has no account {code} in {currency}")
    return int(found)
