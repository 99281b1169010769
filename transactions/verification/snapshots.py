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
           || ', expected ' || coalesce(base.balance, 0) + coalesce(since.moved, 0) AS detail
    FROM transactions_balancesnapshot mark
    LEFT JOIN transactions_ledgeraccount a ON a.id = mark.account_id
    LEFT JOIN LATERAL (
        SELECT s.balance, s.last_entry_id FROM public.transactions_balancesnapshot s
        WHERE s.account_id = mark.account_id AND (s.last_entry_id, s.id) < (mark.last_entry_id, mark.id)
        ORDER BY s.last_entry_id DESC, s.id DESC LIMIT 1
    ) base ON true
    CROSS JOIN LATERAL (
        SELECT max(e.created_at) AS latest,
               sum(CASE WHEN (e.direction = 'debit') = (a.type = ANY(%(debit_side)s)) THEN e.amount
                        ELSE -e.amount END) AS moved
        FROM transactions_ledgerentry e
        WHERE e.account_id = mark.account_id AND e.wallet_id IS NULL
          AND e.id > coalesce(base.last_entry_id, 0) AND e.id <= mark.last_entry_id
    ) since
    WHERE mark.balance <> coalesce(base.balance, 0) + coalesce(since.moved, 0)
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
