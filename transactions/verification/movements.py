"""Checks of transactions: that what each one says agrees with its entries, its hold and its parties."""

from fintech_core.ids import MADE_REFERENCE
from transactions.verification.check import Check
from transactions.verification.entries import exponents
from transactions.verification.undoing import CHECKS as UNDOING
from transactions.verification.undoing import receivables


def made() -> dict[str, str]:
    """Return what a reference of ours looks like, as a pattern of PostgreSQL."""
    return {"made": f"^{MADE_REFERENCE}$"}


HAS_ENTRIES = Check(
    "completed_has_entries",
    "A completed transaction has fewer than two entries.",
    "transaction",
    """
    SELECT t.id AS key, count(e.id) || ' entries' AS detail
    FROM transactions_transaction t LEFT JOIN transactions_ledgerentry e ON e.transaction_id = t.id
    WHERE t.status = 'completed' GROUP BY t.id HAVING count(e.id) < 2
    """,
)

AMOUNTS = Check(
    "amount_and_fee_are_what_moved",
    "The debits of a transaction, in its currency, are not its amount and fee.",
    "transaction",
    """
    SELECT t.id AS key, t.amount || ' and fee ' || t.fee || ', debited ' || coalesce(moved.debits, 0) AS detail
    FROM transactions_transaction t
    LEFT JOIN (SELECT e.transaction_id, e.currency, sum(e.amount) AS debits
               FROM transactions_ledgerentry e WHERE e.direction = 'debit'
               GROUP BY e.transaction_id, e.currency) moved
           ON moved.transaction_id = t.id AND moved.currency = t.currency
    WHERE t.status = 'completed' AND t.amount + t.fee <> coalesce(moved.debits, 0)
    """,
)

# A reversal is held to being the mirror instead: its receiver gets the fee back, too. Of a refund the sender may owe a
# part: it stands on receivables in the same posting.
PARTIES = Check(
    "wallets_moved_what_it_says",
    "The wallets of a transaction did not move by its amount and fee, or one moved that it does not name.",
    "transaction",
    """
    WITH moved AS (
        SELECT t.id, t.type, t.amount, t.fee, coalesce(t.converted_amount, t.amount) AS landing, t.from_wallet_id,
               t.to_wallet_id,
               -sum(:signed) FILTER (WHERE e.wallet_id = t.from_wallet_id) AS sent,
               sum(:signed) FILTER (WHERE e.wallet_id = t.to_wallet_id) AS received,
               sum(e.amount) FILTER (WHERE t.type = 'refund' AND e.direction = 'debit'
                                           AND e.account_id = ANY (ARRAY(
                   SELECT a.id FROM transactions_ledgeraccount a WHERE a.code = %(receivables)s))) AS owed
        FROM transactions_transaction t LEFT JOIN transactions_ledgerentry e ON e.transaction_id = t.id
        WHERE t.status = 'completed' AND t.type <> 'reversal'
        GROUP BY t.id, t.type, t.amount, t.fee, landing, t.from_wallet_id, t.to_wallet_id
    )
    SELECT id AS key, 'sender ' || coalesce(sent::text, 'none') || ', receiver ' || coalesce(received::text, 'none')
           || ', for ' || amount || ' and fee ' || fee AS detail
    FROM moved
    WHERE from_wallet_id IS NOT NULL AND coalesce(sent, 0) + coalesce(owed, 0) <> amount + fee
       OR from_wallet_id IS NULL AND owed IS NOT NULL
       OR to_wallet_id IS NOT NULL AND received IS DISTINCT FROM landing
    UNION ALL
    SELECT t.id, 'wallet ' || e.wallet_id || ' moved by ' || sum(:signed) || ' and is not named'
    FROM transactions_transaction t JOIN transactions_ledgerentry e ON e.transaction_id = t.id
    WHERE e.wallet_id IS DISTINCT FROM t.from_wallet_id AND e.wallet_id IS DISTINCT FROM t.to_wallet_id
      AND e.wallet_id IS NOT NULL
    GROUP BY t.id, e.wallet_id
    """,
    parameters=receivables,
)

OWNERS = Check(
    "parties_own_the_wallets",
    "The sender or receiver of a transaction is not the owner of the wallet it names.",
    "transaction",
    """
    SELECT t.id AS key, 'from user ' || coalesce(t.from_user_id::text, 'none') || ' to user '
           || coalesce(t.to_user_id::text, 'none') AS detail
    FROM transactions_transaction t
    LEFT JOIN wallet_wallet f ON f.id = t.from_wallet_id
    LEFT JOIN wallet_wallet r ON r.id = t.to_wallet_id
    WHERE t.from_wallet_id IS NOT NULL AND t.from_user_id IS DISTINCT FROM f.owner_id
       OR t.to_wallet_id IS NOT NULL AND t.to_user_id IS DISTINCT FROM r.owner_id
    """,
)

CURRENCIES = Check(
    "entries_are_of_its_currency",
    "A transaction has entries in a currency that is neither its own nor the one it converts to.",
    "transaction",
    """
    SELECT DISTINCT t.id AS key, t.currency || ' has entries in ' || e.currency AS detail
    FROM transactions_transaction t JOIN transactions_ledgerentry e ON e.transaction_id = t.id
    LEFT JOIN transactions_transaction reversed ON reversed.id = t.reverses_id
    WHERE e.currency NOT IN (t.currency, coalesce(nullif(t.converted_currency, ''),
                                                  nullif(reversed.converted_currency, ''), t.currency))
    """,
)

HOLDS = Check(
    "capture_is_within_its_hold",
    "A hold does not cover its transaction or was made for another fee, or a transaction ended without one.",
    "transaction",
    """
    SELECT t.id AS key, t.status || ': ' || t.amount || ' and fee ' || t.fee || ', held '
           || coalesce(t.hold_amount::text, 'none') || coalesce(' with fee ' || t.hold_fee, '') AS detail
    FROM transactions_transaction t
    WHERE (t.status <> 'completed' AND t.hold_fee <> t.fee) OR t.hold_fee < 0 OR t.hold_fee >= t.hold_amount
       OR (t.hold_amount IS NULL AND t.hold_fee IS NOT NULL)
       OR CASE WHEN t.status = 'completed' THEN t.hold_amount IS NOT NULL
                    AND (t.amount + t.fee > t.hold_amount OR t.from_wallet_id IS NULL)
               ELSE t.hold_amount IS DISTINCT FROM t.amount + t.fee OR t.from_wallet_id IS NULL END
    """,
)

STATUS = Check(
    "status_fits_the_facts",
    "A transaction's status, times and failure code do not go together, or it is of the future.",
    "transaction",
    """
    SELECT t.id AS key, t.status || ', made ' || t.created_at || ', ended ' || coalesce(t.completed_at::text, 'never')
           || coalesce(', failure ' || nullif(t.failure_code, ''), '') AS detail
    FROM transactions_transaction t
    WHERE t.status NOT IN ('pending', 'completed', 'failed', 'cancelled')
       OR (t.status = 'pending') <> (t.completed_at IS NULL)
       OR (t.status = 'failed' AND t.failure_code = '')
       OR (t.status IN ('pending', 'completed') AND t.failure_code <> '')
       OR (t.end_number IS NOT NULL) <> (t.status IN ('failed', 'cancelled'))
       OR (t.hold_number IS NULL) <> (t.hold_amount IS NULL)
       OR t.completed_at < t.created_at
       OR least(t.created_at, t.completed_at) < 'epoch' OR NOT isfinite(t.effective_at)
       OR greatest(t.created_at, t.completed_at, t.effective_at) > statement_timestamp() + interval '1 minute'
       OR (t.status = 'completed' AND t.hold_amount IS NULL AND t.completed_at <> t.created_at)
    """,
)

FACTS = Check(
    "transaction_is_whole",
    "A transaction has amounts that its currency cannot have, or half of a conversion, source or reversal.",
    "transaction",
    """
    SELECT t.id AS key, t.type || ' ' || t.amount || ' and fee ' || t.fee || ' ' || t.currency AS detail
    FROM transactions_transaction t
    LEFT JOIN unnest(%(currencies)s::text[], %(decimals)s::int[]) c(code, places) ON c.code = t.currency
    WHERE c.code IS NULL OR t.amount <= 0 OR t.fee < 0
       OR t.amount <> round(t.amount, c.places) OR t.fee <> round(t.fee, c.places)
       OR t.hold_amount <> round(t.hold_amount, c.places)
       OR t.from_wallet_id = t.to_wallet_id
       OR (t.source_id IS NULL) <> (t.source_kind = '')
       OR (t.type = 'conversion') <> (t.converted_amount IS NOT NULL)
       OR (t.converted_amount IS NULL) <> (t.converted_currency = '')
       OR (t.converted_amount IS NULL) <> (t.conversion_rate IS NULL)
       OR t.converted_currency = t.currency
       OR (t.type = 'reversal') <> (t.reverses_id IS NOT NULL)
       OR (t.refund_of_id IS NOT NULL AND t.type <> 'refund')
    """,
    parameters=exponents,
)

DATED = Check(
    "corrections_alone_are_dated_back",
    "A transaction that is no correction takes effect at a time of its own, or a correction after it was recorded.",
    "transaction",
    """
    SELECT t.id AS key, t.type || ' made ' || t.created_at || ', effective ' || t.effective_at AS detail
    FROM transactions_transaction t
    WHERE t.effective_at IS NOT NULL
      AND (t.type <> 'adjustment' OR t.hold_amount IS NOT NULL
           OR t.effective_at > t.created_at OR NOT isfinite(t.effective_at))
    """,
)

OWN = Check(
    "own_money_stays_with_its_owner",
    "A conversion or a redemption of cashback is not between two wallets of one person.",
    "transaction",
    """
    SELECT t.id AS key, t.type || ' from user ' || coalesce(t.from_user_id::text, 'none') || ' to user '
           || coalesce(t.to_user_id::text, 'none') AS detail
    FROM transactions_transaction t
    WHERE t.type IN ('conversion', 'cashback_redemption')
      AND ((t.from_user_id = t.to_user_id) IS NOT TRUE OR num_nulls(t.from_wallet_id, t.to_wallet_id) > 0)
    """,
)

# A reference that a sender gave may be another sender's, too; one of ours is nobody else's.
TWINS = Check(
    "booked_once",
    "A reference, a business document or a reversal was booked twice.",
    "transaction",
    """
    SELECT twin.id AS key, concat_ws(', ', CASE WHEN twin.references > 1 THEN 'reference ' || twin.reference END,
               CASE WHEN twin.source_id IS NOT NULL AND twin.sources > 1
                    THEN twin.type || ' of ' || twin.source_kind || ' ' || twin.source_id END,
               CASE WHEN twin.reverses_id IS NOT NULL AND twin.reversals > 1
                    THEN 'reversal of ' || twin.reverses_id END) AS detail
    FROM (SELECT t.*, count(*) OVER (PARTITION BY t.reference, CASE WHEN t.reference !~ %(made)s
                                                               THEN t.from_user_id END) AS references,
                 count(*) OVER (PARTITION BY t.type, t.source_kind, t.source_id) AS sources,
                 count(*) OVER (PARTITION BY t.reverses_id) AS reversals
          FROM transactions_transaction t) twin
    WHERE twin.references > 1 OR (twin.source_id IS NOT NULL AND twin.sources > 1)
       OR (twin.reverses_id IS NOT NULL AND twin.reversals > 1)
    """,
    parameters=made,
)

CHECKS = (
    HAS_ENTRIES,
    AMOUNTS,
    PARTIES,
    OWNERS,
    CURRENCIES,
    HOLDS,
    STATUS,
    FACTS,
    DATED,
    OWN,
    TWINS,
    *UNDOING,
)
