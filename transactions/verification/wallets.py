"""Checks of wallets: what each shows is what its entries, its holds and its owner's day explain."""

from typing import Any

from django.conf import settings

from transactions.enums import TransactionType
from transactions.verification.check import FREEZE, Check
from transactions.verification.entries import exponents

# What counts against a sender's limits, on the day that it was recorded. Where the database's clock was set back over
# midnight it was counted on the day that had begun, since a wallet's days never go back.
COUNTED = (TransactionType.TRANSFER, TransactionType.BILL_PAYMENT, TransactionType.WITHDRAWAL)
NEAR_MIDNIGHT = "1 minute"


def counting() -> dict[str, Any]:
    """Return what the counters of spending are derived by."""
    return {
        "counted": [str(kind) for kind in COUNTED],
        "zone": settings.BUSINESS_TIME_ZONE,
        "slack": NEAR_MIDNIGHT,
    }


SHOWS_ITS_ENTRIES = Check(
    "wallet_shows_its_entries",
    "A wallet's balance, version or time of its last entry is not what its entries give.",
    "wallet",
    """
    WITH sums AS (
        SELECT e.wallet_id, sum(:signed) AS balance, count(*) AS lines
        FROM transactions_ledgerentry e WHERE e.wallet_id IS NOT NULL GROUP BY e.wallet_id
    ), last AS (
        SELECT DISTINCT ON (e.wallet_id) e.wallet_id, e.wallet_version, e.wallet_balance_after, e.created_at
        FROM transactions_ledgerentry e WHERE e.wallet_id IS NOT NULL
        ORDER BY e.wallet_id, e.wallet_version DESC NULLS LAST
    )
    SELECT w.id AS key, concat_ws('; ',
               CASE WHEN w.balance <> coalesce(sums.balance, 0)
                    THEN 'balance ' || w.balance || ', its entries sum to ' || coalesce(sums.balance, 0) END,
               CASE WHEN w.balance IS DISTINCT FROM coalesce(last.wallet_balance_after, 0)
                    THEN 'balance ' || w.balance || ', its last entry says '
                         || coalesce(last.wallet_balance_after, 0) END,
               CASE WHEN w.version <> coalesce(sums.lines, 0)
                    THEN 'version ' || w.version || ', it has ' || coalesce(sums.lines, 0) || ' entries' END,
               CASE WHEN w.last_entry_at IS DISTINCT FROM last.created_at
                    THEN 'last entry at ' || coalesce(w.last_entry_at::text, 'no time') || ', it was at '
                         || coalesce(last.created_at::text, 'no time') END) AS detail
    FROM wallet_wallet w LEFT JOIN sums ON sums.wallet_id = w.id LEFT JOIN last ON last.wallet_id = w.id
    WHERE w.balance <> coalesce(sums.balance, 0)
       OR w.balance IS DISTINCT FROM coalesce(last.wallet_balance_after, 0)
       OR w.version <> coalesce(sums.lines, 0)
       OR w.last_entry_at IS DISTINCT FROM last.created_at
    """,
    FREEZE,
)

HELD = Check(
    "held_is_the_sum_of_holds",
    "What a wallet holds is not the sum of its pending transactions.",
    "wallet",
    """
    SELECT w.id AS key, 'held ' || w.held || ', pending ' || coalesce(p.held, 0) AS detail
    FROM wallet_wallet w
    LEFT JOIN (SELECT t.from_wallet_id, sum(t.hold_amount) AS held FROM transactions_transaction t
               WHERE t.status = 'pending' GROUP BY t.from_wallet_id) p ON p.from_wallet_id = w.id
    WHERE w.held <> coalesce(p.held, 0)
    """,
    FREEZE,
)

AVAILABLE = Check(
    "available_is_not_negative",
    "A wallet is overdrawn, or holds more than it has.",
    "wallet",
    """
    SELECT w.id AS key, 'balance ' || w.balance || ', held ' || w.held AS detail
    FROM wallet_wallet w WHERE w.balance < 0 OR w.held < 0 OR w.held > w.balance
    """,
    FREEZE,
)

SPENT = Check(
    "spent_is_what_was_sent",
    "A wallet's counters of the day and the month are not what its transactions of that time add up to.",
    "wallet",
    """
    WITH period AS (
        SELECT w.id, w.spent_on, w.spent_today, w.spent_this_month,
               w.spent_on::timestamp AT TIME ZONE %(zone)s AS day,
               (w.spent_on + 1)::timestamp AT TIME ZONE %(zone)s AS day_end,
               date_trunc('month', w.spent_on::timestamp) AT TIME ZONE %(zone)s AS month,
               (date_trunc('month', w.spent_on::timestamp) + interval '1 month') AT TIME ZONE %(zone)s AS month_end
        FROM wallet_wallet w
    ), sent AS (
        SELECT p.id,
               coalesce(sum(t.amount) FILTER (WHERE kept.yes AND t.created_at >= p.day + near.by
                                                AND t.created_at < p.day_end - near.by), 0) AS today_least,
               coalesce(sum(t.amount) FILTER (WHERE (kept.yes OR edge.day) AND t.created_at >= p.day - near.by
                                                AND t.created_at < p.day_end + near.by), 0) AS today_most,
               coalesce(sum(t.amount) FILTER (WHERE kept.yes AND t.created_at >= p.month + near.by
                                                AND t.created_at < p.month_end - near.by), 0) AS month_least,
               coalesce(sum(t.amount) FILTER (WHERE (kept.yes OR edge.month) AND t.created_at >= p.month - near.by
                                                AND t.created_at < p.month_end + near.by), 0) AS month_most,
               count(*) FILTER (WHERE kept.yes
                                  AND (p.spent_on IS NULL OR t.created_at >= p.day_end + near.by)) AS later,
               count(*) FILTER (WHERE t.created_at >= p.day - near.by AND t.created_at < p.day_end + near.by
                                   OR t.completed_at >= p.day - near.by AND t.completed_at < p.day_end + near.by
                               ) AS on_the_day
        FROM period p
        CROSS JOIN (SELECT %(slack)s::interval AS by) near
        JOIN transactions_transaction t ON t.from_wallet_id = p.id AND t.type = ANY(%(counted)s)
        CROSS JOIN LATERAL (SELECT t.status IN ('pending', 'completed') AS yes) kept
        CROSS JOIN LATERAL (
            SELECT least(abs(extract(epoch FROM t.created_at - p.day)),
                         abs(extract(epoch FROM t.created_at - p.day_end))) < extract(epoch FROM near.by) AS day,
                   least(abs(extract(epoch FROM t.created_at - p.month)),
                         abs(extract(epoch FROM t.created_at - p.month_end))) < extract(epoch FROM near.by) AS month
        ) edge
        GROUP BY p.id
    )
    SELECT p.id AS key,
           'on ' || coalesce(p.spent_on::text, 'no day') || ' it counts ' || p.spent_today || ' today and '
           || p.spent_this_month || ' this month; its transactions say ' || coalesce(s.today_most, 0) || ' and '
           || coalesce(s.month_most, 0) || ', ' || coalesce(s.later, 0) || ' of them later, '
           || coalesce(s.on_the_day, 0) || ' on that day' AS detail
    FROM period p LEFT JOIN sent s ON s.id = p.id
    WHERE p.spent_today NOT BETWEEN coalesce(s.today_least, 0) AND coalesce(s.today_most, 0)
       OR p.spent_this_month NOT BETWEEN coalesce(s.month_least, 0) AND coalesce(s.month_most, 0)
       OR s.later > 0
       OR (p.spent_on IS NOT NULL AND coalesce(s.on_the_day, 0) = 0)
    """,
    FREEZE,
    counting,
)

STATUS = Check(
    "wallet_status_is_audited",
    "A wallet's status is not what the audit log says was last decided.",
    "wallet",
    """
    WITH decided AS (
        SELECT DISTINCT ON (a.target_id) a.target_id, a.changes->'status'->>1 AS status
        FROM fintech_core_auditrecord a
        WHERE a.target_type = 'wallet.wallet' AND a.changes->'status' IS NOT NULL
        ORDER BY a.target_id, a.id DESC
    )
    SELECT w.id AS key, 'is ' || w.status || ', decided was ' || coalesce(d.status, 'active') AS detail
    FROM wallet_wallet w LEFT JOIN decided d ON d.target_id = w.id::text
    WHERE w.status IS DISTINCT FROM coalesce(d.status, 'active')
    """,
    FREEZE,
)

FACTS = Check(
    "wallet_is_whole",
    "A wallet has amounts that its currency cannot have, a currency that is not in use, no number, or a twin.",
    "wallet",
    """
    SELECT w.id AS key, w.kind || ' ' || w.currency || ' ' || w.balance || ' held ' || w.held AS detail
    FROM (SELECT *, count(*) OVER (PARTITION BY owner_id, kind, currency) AS twins FROM wallet_wallet) w
    LEFT JOIN unnest(%(currencies)s::text[], %(decimals)s::int[]) c(code, places) ON c.code = w.currency
    WHERE c.code IS NULL OR w.balance <> round(w.balance, c.places) OR w.held <> round(w.held, c.places)
       OR w.kind NOT IN ('main', 'cashback') OR w.status NOT IN ('active', 'no_debit', 'frozen', 'closed')
       OR w.twins > 1 OR w.opening_number IS NULL
    """,
    FREEZE,
    exponents,
)

CHECKS = (SHOWS_ITS_ENTRIES, HELD, AVAILABLE, SPENT, STATUS, FACTS)
