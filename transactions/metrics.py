"""Metrics of the ledger: whether money may go out, what proves the books, floats, and what waits."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db import connection
from django.db.models import QuerySet

from fintech_core import clock, jobs, metrics
from fintech_core.metrics import Metric, Sample
from transactions import switches
from transactions.balances import account_balance
from transactions.enums import BulkStatus, FloatState, ParkedCreditStatus, TransactionStatus
from transactions.models import (
    BulkTransfer,
    FloatMonitor,
    LedgerEntry,
    LedgerSeal,
    ParkedCredit,
    Transaction,
)
from transactions.services import expiry
from transactions.verification import marks

VERIFICATION: Final = "transactions.verify_ledger"
MOST_FLOATS: Final = 50
MOST_CHECKS: Final = 200

MONEY_OUT_STOPPED: Final = Metric("money_out_stopped", "1 while outgoing money is stopped")
SNAPSHOT_LAG: Final = Metric(
    "ledger_snapshot_lag_seconds",
    "Age of the oldest entry of an account that no balance snapshot counts; up to an hour is normal",
)
SEAL_LAG: Final = Metric("ledger_seal_lag_seconds", "Age of the oldest entry that no seal covers")
PROOF_LAG: Final = Metric(
    "ledger_verification_lag_seconds", "Age of the oldest entry that no verification without findings covers"
)
PROVEN_AT: Final = Metric(
    "ledger_verified_timestamp_seconds", "When a verification last found nothing; missing before the first"
)
FINDINGS: Final = Metric(
    "ledger_findings", "What the last verification by the job found; missing before the first"
)
FINDINGS_BY_CHECK: Final = Metric(
    "ledger_findings_by_check", "The same by check, where it found any", ("check",)
)
FLOAT_BALANCE: Final = Metric(
    "float_balance", "What a watched account has, in major units", ("account", "currency")
)
FLOAT_FLOOR: Final = Metric(
    "float_floor", "The floor that staff set, where they did", ("account", "currency")
)
FLOAT_CEILING: Final = Metric(
    "float_ceiling", "The ceiling that staff set, where they did", ("account", "currency")
)
FLOAT_STATE: Final = Metric(
    "float_state",
    f"1 for the state ({', '.join(FloatState.values)}) that the job saw last, 0 for the others",
    ("account", "currency", "state"),
)

# One look into an index for each account: which of its entries comes after its newest snapshot.
_FIRST_WITHOUT_SNAPSHOT: Final = """
    SELECT min(following.created_at)
    FROM transactions_ledgeraccount a
    LEFT JOIN LATERAL (
        SELECT s.last_entry_id FROM transactions_balancesnapshot s
        WHERE s.account_id = a.id ORDER BY s.last_entry_id DESC LIMIT 1
    ) base ON true
    CROSS JOIN LATERAL (
        SELECT e.created_at FROM transactions_ledgerentry e
        WHERE e.account_id = a.id AND e.wallet_id IS NULL AND e.id > coalesce(base.last_entry_id, 0)
        ORDER BY e.id LIMIT 1
    ) following
    WHERE a.wallet_kind = ''
"""


def register() -> None:
    """Register the ledger's parts."""
    metrics.register("money_out", read_money_out, MONEY_OUT_STOPPED)
    metrics.register("snapshots", read_snapshots, SNAPSHOT_LAG)
    metrics.register("seals", read_seals, SEAL_LAG)
    metrics.register("verification", read_verification, PROOF_LAG, PROVEN_AT, FINDINGS, FINDINGS_BY_CHECK)
    metrics.register("floats", read_floats, FLOAT_BALANCE, FLOAT_FLOOR, FLOAT_CEILING, FLOAT_STATE)
    metrics.register_waiting("hold", "open", "holds", _open_holds, since="created_at")
    metrics.register_waiting(
        "hold",
        "overdue",
        "holds a day past their end, or a day old without one",
        expiry.overdue_holds,
        since="created_at",
    )
    metrics.register_waiting(
        "parked_credit", "parked", "credits that may not land yet", _parked_credits, since="created_at"
    )
    metrics.register_waiting(
        "bulk_transfer", "due", "bulks that nobody has finished in time", _due_bulks, since="next_check_at"
    )


def read_money_out() -> Iterable[Sample]:
    """Tell the switch as the database has it now."""
    return (MONEY_OUT_STOPPED.sample(switches.is_money_out_stopped()),)


def read_snapshots() -> Iterable[Sample]:
    """Tell how far the balance snapshots are behind."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_WITHOUT_SNAPSHOT)
        row = cursor.fetchone()
    return (SNAPSHOT_LAG.sample(_since(row[0] if row else None)),)


def read_seals() -> Iterable[Sample]:
    """Tell how far the seals are behind."""
    through = LedgerSeal.objects.order_by("-number").values_list("through_entry", flat=True).first()
    return (SEAL_LAG.sample(_lag(through or 0)),)


def read_verification() -> Iterable[Sample]:
    """Tell how far the proof of the ledger is behind, and what it found; a mark that is not ours proves nothing."""
    mark, _ = marks.newest()
    yield PROOF_LAG.sample(_lag(mark.through_entry if mark else 0))
    if mark:
        yield PROVEN_AT.sample(mark.checked_at)
    broken = jobs.last_detail(VERIFICATION).get("broken")
    if broken is not None:
        yield FINDINGS.sample(sum(broken.values()))
        for check, count in sorted(broken.items())[:MOST_CHECKS]:
            yield FINDINGS_BY_CHECK.sample(count, check)


def read_floats() -> Iterable[Sample]:
    """Tell every float that is watched, beside its bounds."""
    rows = FloatMonitor.objects.filter(is_active=True).select_related("account")
    for monitor in rows.order_by("account__currency", "account__code")[:MOST_FLOATS]:
        names = monitor.account.code, monitor.account.currency
        yield FLOAT_BALANCE.sample(account_balance(code=names[0], currency=names[1]), *names)
        if monitor.floor is not None:
            yield FLOAT_FLOOR.sample(monitor.floor, *names)
        if monitor.ceiling is not None:
            yield FLOAT_CEILING.sample(monitor.ceiling, *names)
        for state in FloatState.values:
            yield FLOAT_STATE.sample(state == monitor.state, *names, state)


def _lag(through: int) -> timedelta:
    """Return the age of the first entry after ``through``, by the table's own key."""
    following = LedgerEntry.objects.filter(pk__gt=through).order_by("pk")
    return _since(following.values_list("created_at", flat=True).first())


def _since(at: datetime | None) -> timedelta:
    return timedelta() if at is None else max(timedelta(), clock.now() - at)


def _open_holds(now: datetime) -> QuerySet[Transaction]:
    return Transaction.objects.filter(status=TransactionStatus.PENDING)


def _parked_credits(now: datetime) -> QuerySet[ParkedCredit]:
    return ParkedCredit.objects.filter(status=ParkedCreditStatus.PARKED)


def _due_bulks(now: datetime) -> QuerySet[BulkTransfer]:
    rows = BulkTransfer.objects.filter(status=BulkStatus.PROCESSING, next_check_at__lte=now)
    return rows.order_by("next_check_at")
