"""Floats: staff say how much an account should have at least and at most; a job tells when it crosses that."""

from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import transaction

from fintech_core import audit, money
from fintech_core.audit import Actor
from notifications.services import publish
from transactions import chart
from transactions.balances import account_balance
from transactions.enums import FloatState
from transactions.errors import FloatMonitorRefused
from transactions.models import FloatMonitor, LedgerAccount

WATCHED: Final = (chart.BILLER_FLOAT, chart.GATEWAY_CLEARING)


@transaction.atomic
def set_monitor(
    *,
    account: LedgerAccount,
    floor: Decimal | None,
    ceiling: Decimal | None,
    is_active: bool,
    note: str,
    actor: Actor,
) -> FloatMonitor:
    """Set the bounds of a float, in major units of its currency; the one there is changes. Returns it.

    Raises FloatMonitorRefused for another kind of account, and for bounds that clash or that the currency cannot have.
    """
    if not account.code.startswith(WATCHED):
        raise FloatMonitorRefused(f"{account.code} is no float: {', '.join(WATCHED)}.")
    if floor is None and ceiling is None:
        raise FloatMonitorRefused("Give a floor, a ceiling, or both.")
    if floor is not None and ceiling is not None and floor >= ceiling:
        raise FloatMonitorRefused("The floor is below the ceiling.")
    if any(bound is not None and bound % money.quantum(account.currency) for bound in (floor, ceiling)):
        places = money.decimals(account.currency)
        raise FloatMonitorRefused(f"{account.currency} has {places} decimals.")
    row = FloatMonitor.objects.select_for_update().filter(account=account).first()
    before = {} if row is None else _bounds(row)
    monitor = row or FloatMonitor(account=account)
    monitor.floor, monitor.ceiling, monitor.is_active, monitor.note = floor, ceiling, is_active, note
    if row is None:
        monitor.save(force_insert=True)
    else:
        monitor.save(update_fields=["floor", "ceiling", "is_active", "note"])
    changes = {name: [before.get(name), value] for name, value in _bounds(monitor).items()}
    audit.record(actor=actor, action="float_monitor.set", target=monitor, reason=note, changes=changes)
    return monitor


def check_floats(*, now: datetime) -> int:
    """Look at every float that is watched and tell each crossing of a bound once; returns how many floats crossed one.

    What dips and recovers between two looks was never seen.
    """
    watched = FloatMonitor.objects.filter(is_active=True).order_by("pk").values_list("pk", flat=True)
    return sum(_check(monitor_id, now) for monitor_id in list(watched))


@transaction.atomic
def _check(monitor_id: UUID, now: datetime) -> bool:
    """Compare one float with its bounds under the monitor's lock; say whether it has crossed one."""
    rows = FloatMonitor.objects.select_for_update(of=("self",)).select_related("account")
    monitor = rows.filter(pk=monitor_id, is_active=True).first()
    if monitor is None:
        return False
    account = monitor.account
    balance = account_balance(code=account.code, currency=account.currency)
    state = _state(monitor, balance)
    if state == monitor.state:
        return False
    for before, after in _crossings(FloatState(monitor.state), state):
        _tell(monitor, balance, before, after)
    monitor.state, monitor.changed_at = state, now
    monitor.save(update_fields=["state", "changed_at"])
    return True


def _crossings(before: FloatState, after: FloatState) -> list[tuple[FloatState, FloatState]]:
    """Return each bound's crossing in order: from one side of both to the other are two."""
    if FloatState.WITHIN in (before, after):
        return [(before, after)]
    return [(before, FloatState.WITHIN), (FloatState.WITHIN, after)]


def _tell(monitor: FloatMonitor, balance: Decimal, before: FloatState, after: FloatState) -> None:
    account = monitor.account
    bound = monitor.floor if FloatState.BELOW in (before, after) else monitor.ceiling
    publish(
        type="float.crossed",
        user_id=None,
        payload={
            "account": account.code,
            "currency": account.currency,
            "balance": money.format_amount(balance, account.currency),
            "bound": "" if bound is None else money.format_amount(bound, account.currency),
            "state": str(after),
            "before": str(before),
        },
    )


def _state(monitor: FloatMonitor, balance: Decimal) -> FloatState:
    """Say on which side of its bounds a balance is; on a bound is within."""
    if monitor.floor is not None and balance < monitor.floor:
        return FloatState.BELOW
    if monitor.ceiling is not None and balance > monitor.ceiling:
        return FloatState.ABOVE
    return FloatState.WITHIN


def _bounds(monitor: FloatMonitor) -> dict[str, str | bool | None]:
    return {
        "floor": None if monitor.floor is None else f"{monitor.floor:f}",
        "ceiling": None if monitor.ceiling is None else f"{monitor.ceiling:f}",
        "is_active": monitor.is_active,
    }
