"""Checks of the documents behind movements: corrections, approvals, conversions, and the months that are closed."""

from transactions.verification.check import Check
from transactions.verification.entries import exponents
from transactions.verification.undoing import receivables

CLOSED = Check(
    "closed_months_stay_closed",
    "A transaction takes effect in a month that was closed when it was recorded.",
    "transaction",
    """
    SELECT t.id AS key, 'effective ' || t.effective_at || ', closed ' || to_char(m.month, 'YYYY-MM') AS detail
    FROM transactions_transaction t
    JOIN transactions_closedmonth m ON t.created_at > m.closed_at
         AND t.effective_at < (m.month + interval '1 month') AT TIME ZONE 'Africa/Lagos'
         AND t.effective_at >= m.month AT TIME ZONE 'Africa/Lagos'
    WHERE t.effective_at IS NOT NULL
    """,
)


def _unwitnessed(kind: str) -> str:
    """Say in SQL that the audit log does not tell of request ``a`` who asked and who decided.

    Nobody can change what stands there. ``kind`` is the model's name.
    """
    return " OR ".join(
        f"""NOT EXISTS (SELECT FROM fintech_core_auditrecord l
                        WHERE l.target_type = 'transactions.{kind}' AND l.target_id = a.id::text
                          AND l.action = '{kind}.{deed}' AND l.actor_id = a.{person})"""
        for deed, person in (("requested", "requested_by_id"), ("booked", "decided_by_id"))
    )


ADJUSTED = Check(
    "correction_is_what_was_decided",
    "A correction and the transaction that booked it do not say the same, one is missing, or one person decided it.",
    "transaction",
    """
    SELECT coalesce(t.id::text, 'of correction ' || a.id) AS key, coalesce(a.status, 'no correction') AS detail
    FROM (SELECT * FROM fintech_core_approvalrequest r LEFT JOIN transactions_adjustment d ON d.request_id = r.id
          WHERE (r.kind = 'adjustment') IS NOT FALSE AND (r.status = 'approved') IS NOT FALSE) a
    FULL JOIN (SELECT * FROM transactions_transaction WHERE type = 'adjustment') t ON t.id = a.result_id
    WHERE a.id IS NULL OR t.id IS NULL OR t.source_kind <> 'adjustment' OR t.source_id IS DISTINCT FROM a.id
       OR (t.amount, t.currency) IS DISTINCT FROM (a.amount, a.currency)
       OR (a.decided_by_id <> a.requested_by_id) IS NOT TRUE OR :unwitnessed
       OR t.effective_at IS DISTINCT FROM a.effective_at OR t.initiated_by_id IS DISTINCT FROM a.decided_by_id
       OR (t.from_wallet_id, t.to_wallet_id, t.fee) IS DISTINCT FROM
          (CASE a.direction WHEN 'debit' THEN a.wallet_id END, CASE a.direction WHEN 'credit' THEN a.wallet_id END, 0)
    """.replace(":unwitnessed", _unwitnessed("adjustment")),
)

# The house bears what a parked credit's owner has spent in the mirror of its release, which is of the same step.
UNDONE = Check(
    "undoing_is_what_was_approved",
    "A reversal or refund by two people and the request behind it do not say the same, or one of them is missing.",
    "transaction",
    """
    SELECT coalesce(t.id::text, 'of request ' || a.id) AS key,
           CASE WHEN a.id IS NULL THEN 'no request'
                ELSE concat_ws(' ', a.status, a.kind, a.amount, a.currency) END AS detail
    FROM (SELECT r.*, u.transaction_id, u.book_shortfall
          FROM fintech_core_approvalrequest r LEFT JOIN transactions_undoing u ON u.request_id = r.id
          WHERE (r.kind = 'adjustment') IS NOT TRUE AND (r.status = 'approved') IS NOT FALSE) a
    FULL JOIN (SELECT * FROM transactions_transaction
               WHERE type IN ('reversal', 'refund') AND source_kind = 'undoing' AND source_id IS NOT NULL) t
           ON t.id = a.result_id
    WHERE a.id IS NULL OR t.id IS NULL OR t.source_id IS DISTINCT FROM a.id OR a.transaction_id IS NULL
       OR (a.decided_by_id <> a.requested_by_id) IS NOT TRUE OR :unwitnessed
       OR coalesce(t.reverses_id, t.refund_of_id) IS DISTINCT FROM a.transaction_id
       OR (t.type, t.amount, t.currency, t.initiated_by_id)
          IS DISTINCT FROM (a.kind, a.amount, a.currency, a.decided_by_id)
       OR a.book_shortfall IS NOT TRUE AND EXISTS (
              SELECT FROM (SELECT t.id UNION ALL
                           SELECT rm.id FROM transactions_parkedcredit p
                           JOIN transactions_transaction rm ON rm.reverses_id = p.released_by_id
                           WHERE p.parked_by_id = a.transaction_id) step
              JOIN transactions_ledgerentry e ON e.transaction_id = step.id
              JOIN transactions_ledgeraccount c ON c.id = e.account_id
              WHERE e.direction = 'debit' AND c.code = %(receivables)s)
    """.replace(":unwitnessed", _unwitnessed("undoing")),
    parameters=receivables,
)

# What a rate makes is rounded down to the decimals of its currency, from the rate as it is kept.
CONVERTED = Check(
    "conversion_is_what_was_quoted",
    "A conversion did not move what its quote promised, its quote not what its rate makes, or it was booked by none.",
    "transaction",
    """
    SELECT coalesce(t.id::text, 'of quote ' || q.id) AS key,
           coalesce(q.amount || ' ' || q.from_currency || ' for ' || q.amount_to || ' ' || q.to_currency, 'no quote')
               AS detail
    FROM (SELECT * FROM transactions_conversionquote WHERE transaction_id IS NOT NULL) q
    FULL JOIN (SELECT * FROM transactions_transaction WHERE type = 'conversion') t ON t.id = q.transaction_id
    LEFT JOIN unnest(%(currencies)s::text[], %(decimals)s::int[]) c(code, places) ON c.code = q.to_currency
    WHERE q.id IS NULL OR t.id IS NULL OR t.source_kind <> 'conversion_quote' OR t.source_id IS DISTINCT FROM q.id
       OR q.amount_to IS DISTINCT FROM trunc(q.amount * q.rate, c.places)
       OR (t.amount, t.fee, t.currency, t.from_user_id) <> (q.amount, q.fee, q.from_currency, q.user_id)
       OR (t.converted_amount, t.converted_currency, t.conversion_rate) <> (q.amount_to, q.to_currency, q.rate)
    """,
    parameters=exponents,
)

CHECKS = (CLOSED, ADJUSTED, UNDONE, CONVERTED)
