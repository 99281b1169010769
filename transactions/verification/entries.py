"""Checks of the journal: sums, order, running balances, and that each line fits where it stands."""

from typing import Any

from moneyed import CURRENCIES

from fintech_core.money import decimals
from transactions.verification.check import Check


def exponents() -> dict[str, Any]:
    """Return every known currency and how many decimals each has, as two arrays."""
    return {"currencies": list(CURRENCIES), "decimals": [decimals(currency) for currency in CURRENCIES]}


SUM_TO_ZERO = Check(
    "entries_sum_to_zero",
    "The debits and credits of a transaction differ in a currency.",
    "transaction",
    """
    SELECT e.transaction_id AS key, e.currency || ' is off by ' || sum(:signed) AS detail
    FROM transactions_ledgerentry e GROUP BY e.transaction_id, e.currency HAVING sum(:signed) <> 0
    """,
)

CURRENCY_SUMS = Check(
    "currency_sums_to_zero",
    "All entries of a currency together do not sum to zero.",
    "currency",
    """
    SELECT e.currency AS key, 'off by ' || sum(:signed) AS detail
    FROM transactions_ledgerentry e GROUP BY e.currency HAVING sum(:signed) <> 0
    """,
)

OF_COMPLETED = Check(
    "entries_are_of_completed_transactions",
    "Entries belong to a transaction that is not completed, or that does not exist.",
    "entry",
    """
    SELECT e.id AS key, 'transaction ' || e.transaction_id || ' is ' || coalesce(t.status, 'missing') AS detail
    FROM transactions_ledgerentry e LEFT JOIN transactions_transaction t ON t.id = e.transaction_id
    WHERE t.status IS DISTINCT FROM 'completed'
    """,
)

FOLLOW = Check(
    "entry_follows_the_one_before",
    "A wallet's entries have a gap, go back in time, or carry a balance that the one before does not lead to.",
    "entry",
    """
    SELECT line.id AS key,
           'wallet ' || line.wallet_id || ': ' || concat_ws('; ',
               CASE WHEN line.wallet_version IS DISTINCT FROM line.expected_version
                    THEN 'version ' || coalesce(line.wallet_version::text, 'none') || ', expected '
                         || line.expected_version END,
               CASE WHEN line.wallet_balance_after IS DISTINCT FROM line.expected_balance
                    THEN 'balance after ' || coalesce(line.wallet_balance_after::text, 'none') || ', expected '
                         || coalesce(line.expected_balance::text, 'unknown') END,
               CASE WHEN line.created_at < line.previous_at THEN 'before the one before it' END) AS detail
    FROM (
        SELECT e.id, e.wallet_id, e.wallet_version, e.wallet_balance_after, e.created_at,
               lag(e.wallet_version, 1, 0) OVER by_version + 1 AS expected_version,
               lag(e.wallet_balance_after, 1, 0) OVER by_version + :signed AS expected_balance,
               lag(e.created_at) OVER by_version AS previous_at
        FROM transactions_ledgerentry e
        WHERE e.wallet_id IS NOT NULL
        WINDOW by_version AS (PARTITION BY e.wallet_id ORDER BY e.wallet_version, e.id)
    ) line
    WHERE line.wallet_version IS DISTINCT FROM line.expected_version
       OR line.wallet_balance_after IS DISTINCT FROM line.expected_balance
       OR line.created_at < line.previous_at
    """,
)

FITS = Check(
    "entry_fits_its_account",
    "An entry's account, wallet and currency do not go together.",
    "entry",
    """
    SELECT e.id AS key,
           coalesce(a.code || ' ' || a.currency, 'no account') || ' against an entry in ' || e.currency
           || ' of ' || coalesce(w.kind || ' wallet in ' || w.currency, 'no wallet') AS detail
    FROM transactions_ledgerentry e
    LEFT JOIN transactions_ledgeraccount a ON a.id = e.account_id
    LEFT JOIN wallet_wallet w ON w.id = e.wallet_id
    WHERE a.currency IS DISTINCT FROM e.currency
       OR a.wallet_kind IS DISTINCT FROM coalesce(w.kind, '')
       OR (e.wallet_id IS NULL) <> (w.id IS NULL)
       OR (w.id IS NOT NULL AND w.currency <> e.currency)
    """,
)

FACTS = Check(
    "entry_is_whole",
    "An entry has a direction, an amount or wallet facts that cannot be.",
    "entry",
    """
    SELECT e.id AS key, e.direction || ' ' || e.amount || ' ' || e.currency AS detail
    FROM transactions_ledgerentry e
    LEFT JOIN unnest(%(currencies)s::text[], %(decimals)s::int[]) c(code, places) ON c.code = e.currency
    WHERE e.direction NOT IN ('debit', 'credit') OR e.amount <= 0
       OR c.code IS NULL OR e.amount <> round(e.amount, c.places)
       OR (e.wallet_id IS NULL) <> (e.wallet_version IS NULL)
       OR (e.wallet_id IS NULL) <> (e.wallet_balance_after IS NULL)
       OR e.wallet_balance_after < 0
    """,
    parameters=exponents,
)

# Seals and copies cannot write down a time that is none, and the future stands after all that is booked now.
# The minute is for a clock that was set back a little.
TIMES = Check(
    "entry_is_booked_with_its_transaction",
    "An entry's times are not those of its transaction, or lie in the future.",
    "entry",
    """
    SELECT e.id AS key, 'transaction ' || t.id || ' was completed at ' || coalesce(t.completed_at::text, 'no time')
           || ', the entry booked at ' || e.created_at AS detail
    FROM transactions_ledgerentry e JOIN transactions_transaction t ON t.id = e.transaction_id
    WHERE e.created_at IS DISTINCT FROM t.completed_at
       OR e.effective_at IS DISTINCT FROM CASE WHEN t.hold_amount IS NULL THEN t.effective_at END
       OR e.created_at NOT BETWEEN 'epoch' AND statement_timestamp() + interval '1 minute'
    """,
)

CHECKS = (SUM_TO_ZERO, CURRENCY_SUMS, OF_COMPLETED, FOLLOW, FITS, FACTS, TIMES)
