"""Checks of parked credits: ``suspense`` holds exactly what waits for its owners, row by row.

Besides, money from outside that nobody can be named for (a payment in a currency that its payer did not choose) stands
there under the document that brought it, until staff refund, adjust or reverse it. It has no parked credit.
"""

from transactions.chart import SUSPENSE
from transactions.verification.check import Check


def _suspense() -> dict[str, str]:
    return {"suspense": SUSPENSE}


# A line of suspense that names a wallet does not fit its account, and is missing in the balance here. Without those the
# lines of the account are found by index.
_LINES = """
    SELECT e.transaction_id, e.direction, e.amount, e.currency, :signed AS signed, p.amount AS parked_amount,
           p.currency AS parked_currency,
           p.id IS NULL AND CASE e.direction
               WHEN 'credit' THEN t.type = 'reversal' OR (t.to_user_id IS NULL AND t.source_id IS NOT NULL)
               ELSE t.type IN ('refund', 'adjustment', 'reversal') END AS ownerless
    FROM transactions_ledgerentry e
    JOIN transactions_ledgeraccount a ON a.id = e.account_id AND a.code = %(suspense)s
    JOIN transactions_transaction t ON t.id = e.transaction_id
    LEFT JOIN transactions_parkedcredit p
           ON CASE e.direction WHEN 'credit' THEN p.parked_by_id ELSE p.released_by_id END = e.transaction_id
    WHERE e.wallet_id IS NULL
"""

BALANCE = Check(
    "suspense_is_what_is_parked",
    "The balance of suspense is not the sum of the credits that are parked, or less than nothing is ownerless.",
    "currency",
    """
    SELECT coalesce(s.currency, p.currency) AS key,
           'suspense ' || coalesce(s.owned, 0) || ', parked ' || coalesce(p.parked, 0) || ', ownerless '
           || coalesce(s.ownerless, 0) AS detail
    FROM (SELECT currency, coalesce(sum(signed) FILTER (WHERE NOT ownerless), 0) AS owned,
                 coalesce(sum(signed) FILTER (WHERE ownerless), 0) AS ownerless
          FROM (:lines) line GROUP BY currency) s
    FULL JOIN (SELECT currency, sum(amount) AS parked FROM transactions_parkedcredit
               WHERE status = 'parked' GROUP BY currency) p ON p.currency = s.currency
    WHERE coalesce(s.owned, 0) <> coalesce(p.parked, 0) OR s.ownerless < 0
    """.replace(":lines", _LINES),
    parameters=_suspense,
)

ROWS = Check(
    "parked_credit_fits_its_transactions",
    "A parked credit is not what was booked to suspense for its owner, or not what was released from it.",
    "parked credit",
    """
    SELECT p.id AS key, p.status || ' ' || p.amount || ' ' || p.currency || ', booked by ' || p.parked_by_id
           || coalesce(', released by ' || p.released_by_id, '') AS detail
    FROM transactions_parkedcredit p
    LEFT JOIN wallet_wallet w ON w.id = p.wallet_id
    LEFT JOIN transactions_transaction t ON t.id = p.parked_by_id
    LEFT JOIN transactions_transaction r ON r.id = p.released_by_id
    WHERE (p.owner_id, p.currency) IS DISTINCT FROM (w.owner_id, w.currency)
       OR (t.status, t.type, t.amount, t.currency, t.to_user_id, t.to_wallet_id, t.created_at)
          IS DISTINCT FROM ('completed', p.type, p.amount, p.currency, p.owner_id, NULL::uuid, p.created_at)
       OR (p.status = 'released') <> (p.released_by_id IS NOT NULL)
       OR (p.status = 'released') <> (p.released_at IS NOT NULL)
       OR p.status NOT IN ('parked', 'released')
       OR (p.released_by_id IS NOT NULL
           AND (r.status, r.type, r.amount, r.currency, r.to_user_id, r.to_wallet_id, r.source_kind, r.source_id)
               IS DISTINCT FROM ('completed', p.type, p.amount, p.currency, p.owner_id, p.wallet_id,
                                 'parked_credit', p.id))
    """,
)

LINES = Check(
    "suspense_moves_with_a_parked_credit",
    "Money went into or out of suspense, and neither a parked credit of that amount nor a document says so.",
    "transaction",
    """
    SELECT transaction_id AS key, direction || ' of ' || amount || ' ' || currency AS detail
    FROM (:lines) line
    WHERE NOT ownerless AND (parked_amount, parked_currency) IS DISTINCT FROM (amount, currency)
    """.replace(":lines", _LINES),
    parameters=_suspense,
)

CHECKS = (BALANCE, ROWS, LINES)
