"""Checks of the documents behind movements: corrections, approvals, conversions, and the months that are closed."""

from transactions.verification.check import Check
from transactions.verification.entries import exponents

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
       OR (a.decided_by_id <> a.requested_by_id) IS NOT TRUE
       OR t.effective_at IS DISTINCT FROM a.effective_at OR t.initiated_by_id IS DISTINCT FROM a.decided_by_id
       OR (t.from_wallet_id, t.to_wallet_id, t.fee) IS DISTINCT FROM
          (CASE a.direction WHEN 'debit' THEN a.wallet_id END, CASE a.direction WHEN 'credit' THEN a.wallet_id END, 0)
    """,
)

UNDONE = Check(
    "undoing_is_what_was_approved",
    "A reversal or refund that two people decided is not what was asked for, is missing, or one person decided it.",
    "transaction",
    """
    SELECT coalesce(t.id::text, 'of request ' || a.id) AS key,
           concat_ws(' ', 'approved', a.kind, a.amount, a.currency) AS detail
    FROM fintech_core_approvalrequest a
    LEFT JOIN transactions_undoing u ON u.request_id = a.id
    LEFT JOIN transactions_transaction t ON t.id = a.result_id
    WHERE (a.status = 'approved') IS NOT FALSE AND (a.kind = 'adjustment') IS NOT TRUE
      AND (t.id IS NULL OR u.transaction_id IS NULL OR (a.decided_by_id <> a.requested_by_id) IS NOT TRUE
           OR coalesce(t.reverses_id, t.refund_of_id) IS DISTINCT FROM u.transaction_id
           OR (t.type, t.amount, t.currency, t.initiated_by_id)
              IS DISTINCT FROM (a.kind, a.amount, a.currency, a.decided_by_id))
    """,
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
