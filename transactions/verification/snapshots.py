"""Checks of balance snapshots: each is the one before it plus the entries between them."""

from typing import Any

from transactions.balances import DEBIT_SIDE
from transactions.verification.check import Check


def _sides() -> dict[str, Any]:
    return {"debit_side": [str(kind) for kind in DEBIT_SIDE]}


BALANCES = Check(
    "snapshot_is_the_sum_of_entries",
    "A balance snapshot is not the one before it plus the entries between them, or counts entries recorded after it.",
    "balance snapshot",
    """
    SELECT mark.id AS key,
           a.code || ' ' || mark.currency || ': ' || mark.balance || ' after entry ' || mark.last_entry_id
           || ', expected ' || mark.before + coalesce(since.moved, 0) AS detail
    FROM (
        SELECT s.*, lag(s.balance, 1, 0) OVER following AS before,
               lag(s.last_entry_id, 1, 0::bigint) OVER following AS after_entry
        FROM transactions_balancesnapshot s
        WINDOW following AS (PARTITION BY s.account_id ORDER BY s.last_entry_id, s.id)
    ) mark
    LEFT JOIN transactions_ledgeraccount a ON a.id = mark.account_id
    CROSS JOIN LATERAL (
        SELECT max(e.created_at) AS latest,
               sum(CASE WHEN (e.direction = 'debit') = (a.type = ANY(%(debit_side)s)) THEN e.amount
                        ELSE -e.amount END) AS moved
        FROM transactions_ledgerentry e
        WHERE e.account_id = mark.account_id AND e.wallet_id IS NULL
          AND e.id > mark.after_entry AND e.id <= mark.last_entry_id
    ) since
    WHERE mark.balance <> mark.before + coalesce(since.moved, 0)
       OR since.latest > mark.taken_at
       OR mark.currency IS DISTINCT FROM a.currency OR a.wallet_kind <> ''
    """,
    parameters=_sides,
)

AHEAD = Check(
    "snapshot_is_not_ahead",
    "A balance snapshot reaches past the newest entry, so that entries to come would not be counted.",
    "balance snapshot",
    """
    SELECT s.id AS key, 'after entry ' || s.last_entry_id AS detail
    FROM transactions_balancesnapshot s
    WHERE s.last_entry_id > (SELECT coalesce(max(e.id), 0) FROM transactions_ledgerentry e)
       OR s.taken_at > clock_timestamp() + interval '1 minute'
    """,
)

CHECKS = (BALANCES, AHEAD)
