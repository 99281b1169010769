"""Snapshots of accounts, so that a balance is the newest one plus a few entries."""

from typing import Any, Final

from django.db import connection, transaction

from fintech_core.watermark import watermark
from transactions.balances import DEBIT_SIDE
from transactions.models import LedgerEntry

# A snapshot is due after so many entries of the account, or when there are any and the last one is an hour old: an
# account of one entry a minute gets 24 rows a day, and no balance reads more than this many lines for long.
DUE_AFTER_ENTRIES: Final = 1_000
DUE_AFTER: Final = "1 hour"
LIMIT_S: Final = 90
PATIENCE_S: Final = 5

_TAKE: Final = """
    INSERT INTO transactions_balancesnapshot (account_id, last_entry_id, balance, currency, taken_at)
    SELECT a.id, %(cut)s, coalesce(base.balance, 0) + since.moved, a.currency,
           greatest(clock_timestamp(), since.latest, base.taken_at)
    FROM transactions_ledgeraccount a
    LEFT JOIN LATERAL (
        SELECT s.balance, s.last_entry_id, s.taken_at FROM transactions_balancesnapshot s
        WHERE s.account_id = a.id ORDER BY s.last_entry_id DESC LIMIT 1
    ) base ON true
    CROSS JOIN LATERAL (
        SELECT count(*) AS lines, max(e.created_at) AS latest,
               sum(CASE WHEN (e.direction = 'debit') = (a.type = ANY(%(debit_side)s)) THEN e.amount
                        ELSE -e.amount END) AS moved
        FROM transactions_ledgerentry e
        WHERE e.account_id = a.id AND e.wallet_id IS NULL
          AND e.id > coalesce(base.last_entry_id, 0) AND e.id <= %(cut)s
    ) since
    WHERE a.wallet_kind = '' AND since.lines > 0
      AND (since.lines >= %(due_after)s OR base.taken_at IS NULL
           OR base.taken_at < clock_timestamp() - %(due_age)s::interval)
    ON CONFLICT (account_id, last_entry_id) DO NOTHING
"""


def take_snapshots(*, due_after: int = DUE_AFTER_ENTRIES, wait_s: int = PATIENCE_S) -> int:
    """Write a snapshot of every account that is due for one and return how many there were.

    ``due_after`` is how many entries make an account due. Runs in autocommit, since it waits for the watermark of the
    entries first. Raises WatermarkStalled, and then has written nothing. Running twice at once does no harm.
    """
    cut = watermark(LedgerEntry, wait_s=wait_s)
    given: dict[str, Any] = {
        "cut": cut, "due_after": due_after, "due_age": DUE_AFTER, "debit_side": [str(kind) for kind in DEBIT_SIDE],
    }  # fmt: skip
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{LIMIT_S}s'")
        cursor.execute(_TAKE, given)
        return int(cursor.rowcount)
