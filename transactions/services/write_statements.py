"""The statement that writes a business step, or a part of a large one: transactions, holds resolved, wallets, entries.

It is a data-modifying CTE over one JSON document for each table, so it costs one round trip however many movements it
carries, and the triggers, which fire at its end, see all tables and can each check the whole of it. What it is given is
all that it writes, the moment included; so a step that only posts has no answer to wait for.
"""

from typing import Final

from fintech_core.prepared import Statement

_NEW_TRANSACTIONS = """
new_transactions AS (
    INSERT INTO transactions_transaction (
        id, reference, type, status, currency, amount, fee, hold_amount, expires_at, from_wallet_id, to_wallet_id,
        from_user_id, to_user_id, initiated_by_id, description, metadata, reverses_id, refund_of_id, source_kind,
        source_id, converted_amount, converted_currency, conversion_rate, failure_code, created_at, completed_at,
        effective_at)
    SELECT d.id, d.reference, d.type, d.status, d.currency, d.amount, d.fee, d.hold_amount, d.expires_at,
           d.from_wallet_id, d.to_wallet_id, d.from_user_id, d.to_user_id, d.initiated_by_id, d.description,
           d.metadata, d.reverses_id, d.refund_of_id, d.source_kind, d.source_id, NULL, '', NULL, '',
           %(moment)s::timestamptz, CASE WHEN d.status = 'completed' THEN %(moment)s::timestamptz END, d.effective_at
    FROM json_to_recordset(%(transactions)s::json) AS d(
        id uuid, reference text, type text, status text, currency text, amount numeric, fee numeric,
        hold_amount numeric, expires_at timestamptz, from_wallet_id uuid, to_wallet_id uuid, from_user_id uuid,
        to_user_id uuid, initiated_by_id uuid, description text, metadata jsonb, reverses_id uuid, refund_of_id uuid,
        source_kind text, source_id uuid, effective_at timestamptz)
)"""

# PostgreSQL takes a JSON document for a hundred rows, and would rather read a small table as a whole than look so many
# up in it. A LIMIT whose value its plan does not know makes it expect ten. The value comes from a sub-select, which no
# plan looks into: a plan that was made for two would look cheaper each time and be made anew for every movement.
_RESOLVED = """
resolved AS (
    UPDATE transactions_transaction t
    SET status = r.status, amount = r.amount, fee = r.fee, failure_code = r.failure_code,
        completed_at = %(moment)s::timestamptz
    FROM (
        SELECT * FROM json_to_recordset(%(resolutions)s::json) AS r(
            id uuid, status text, amount numeric, fee numeric, failure_code text)
        LIMIT (SELECT %(resolved)s::bigint)) AS r
    WHERE t.id = r.id AND t.status = 'pending'
    RETURNING t.id
)"""

_WALLETS = """
wallets AS (
    UPDATE wallet_wallet w
    SET balance = d.balance, held = d.held, version = d.version,
        last_entry_at = CASE WHEN d.entries > 0 THEN %(moment)s::timestamptz ELSE w.last_entry_at END,
        spent_today = d.spent_today, spent_this_month = d.spent_this_month, spent_on = d.spent_on
    FROM (
        SELECT * FROM json_to_recordset(%(wallets)s::json) AS d(
            id uuid, balance numeric, held numeric, version bigint, entries int, spent_today numeric,
            spent_this_month numeric, spent_on date)
        LIMIT (SELECT %(locked)s::bigint)) AS d
    WHERE w.id = d.id
)"""

_ENTRIES = """
    INSERT INTO transactions_ledgerentry (
        transaction_id, account_id, wallet_id, direction, amount, currency, wallet_balance_after, wallet_version,
        created_at, effective_at)
    SELECT e.transaction_id, e.account_id, e.wallet_id, e.direction, e.amount, e.currency, e.balance_after, e.version,
           %(moment)s::timestamptz, e.effective_at
    FROM ROWS FROM (json_to_recordset(%(entries)s::json) AS (
        transaction_id uuid, account_id bigint, wallet_id uuid, direction text, amount numeric, currency text,
        balance_after numeric, version bigint, effective_at timestamptz)) WITH ORDINALITY AS e(
        transaction_id, account_id, wallet_id, direction, amount, currency, balance_after, version, effective_at, line)
    {only_resolved}
    ORDER BY e.line"""

_ONLY_RESOLVED = """
    WHERE e.transaction_id NOT IN (SELECT id FROM json_to_recordset(%(resolutions)s::json) AS r(id uuid))
       OR e.transaction_id IN (SELECT id FROM resolved)"""

# A posting without wallets must have its transaction id before it draws an entry id: what proves that the past is
# complete relies on it. A wallet lock gives one, and tells the time.
TRANSACTION_ID_AND_TIME = Statement("SELECT pg_current_xact_id(), clock_timestamp()", binary=True)

# Ordinary steps pay nothing for what a conversion writes besides: a step that has one runs a statement of its own.
_CONVERTED = """
    LEFT JOIN json_to_recordset(%(conversions)s::json) AS c(id uuid, amount numeric, currency text, rate numeric)
           ON c.id = d.id
)"""
_CONVERTING = (
    _NEW_TRANSACTIONS.replace(
        "NULL, '', NULL, ''", "c.amount, coalesce(c.currency, ''), c.rate, ''"
    ).removesuffix("\n)")
    + _CONVERTED
)


def _statement(*, resolves: bool, converts: bool) -> Statement:
    """Compose the statement; where it resolves holds it answers how many, otherwise nothing."""
    movements = _CONVERTING if converts else _NEW_TRANSACTIONS
    if not resolves:
        return Statement("".join(("WITH", movements, ",", _WALLETS, _ENTRIES.replace("{only_resolved}", ""))))
    entries = "".join(("\nentries AS (", _ENTRIES.replace("{only_resolved}", _ONLY_RESOLVED), "\n)"))
    parts = ",".join((movements, _RESOLVED, _WALLETS, entries))
    return Statement("".join(("WITH", parts, "\nSELECT count(*) FROM resolved")), binary=True)


# By whether a step resolves holds, and whether it converts.
WRITE: Final = {
    (resolves, converts): _statement(resolves=resolves, converts=converts)
    for resolves in (False, True)
    for converts in (False, True)
}
