"""Checks of parked credits: ``suspense`` holds exactly what waits for its owners, row by row.

Besides, money from outside that nobody can be named for (a payment in a currency that its payer did not choose) stands
there under the document that brought it, until staff refund, adjust or reverse it. It has no parked credit.
"""

from transactions.chart import SUSPENSE
from transactions.enums import TransactionType
from transactions.verification.check import Check


def _suspense() -> dict[str, str]:
    return {"suspense": SUSPENSE}


# A line of suspense that names a wallet does not fit its account, and is missing in the balance here. Without those the
# lines of the account are found by index. A mirror belongs to the credit of what it reverses, on the other side.
_LINES = """
    SELECT e.transaction_id, e.direction, e.amount, e.currency, :signed AS signed,
           coalesce(came.amount, went.amount) AS parked_amount,
           coalesce(came.currency, went.currency) AS parked_currency,
           came.id IS NULL AND went.id IS NULL AND CASE e.direction
               WHEN 'credit' THEN t.type = 'reversal' OR (t.to_user_id IS NULL AND t.source_id IS NOT NULL)
               ELSE t.type IN ('refund', 'adjustment', 'reversal') END AS ownerless
    FROM transactions_ledgerentry e
    JOIN transactions_ledgeraccount a ON a.id = e.account_id AND a.code = %(suspense)s
    JOIN transactions_transaction t ON t.id = e.transaction_id
    CROSS JOIN LATERAL (SELECT coalesce(t.reverses_id, t.id), (e.direction = 'credit') <> (t.reverses_id IS NOT NULL)
                       ) of(movement, comes)
    LEFT JOIN transactions_parkedcredit came ON of.comes AND came.parked_by_id = of.movement
    LEFT JOIN transactions_parkedcredit went ON NOT of.comes AND went.released_by_id = of.movement
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

# Its mirror, if it has one, is looked for and not read off the row: so neither can say that it was reversed alone.
ROWS = Check(
    "parked_credit_fits_its_transactions",
    "A parked credit is not what was booked to suspense for its owner, or not what was released or taken back from it.",
    "parked credit",
    """
    SELECT p.id AS key, p.status || ' ' || p.amount || ' ' || p.currency || ', booked by ' || p.parked_by_id
           || coalesce(', released by ' || p.released_by_id, '') || coalesce(', reversed by ' || p.reversed_by_id, '')
           || coalesce(', has the mirror ' || m.id, '') || coalesce(', its release ' || rm.id, '') AS detail
    FROM transactions_parkedcredit p
    LEFT JOIN wallet_wallet w ON w.id = p.wallet_id
    LEFT JOIN transactions_transaction t ON t.id = p.parked_by_id
    LEFT JOIN transactions_transaction r ON r.id = p.released_by_id
    LEFT JOIN transactions_transaction m ON m.reverses_id = p.parked_by_id
    LEFT JOIN transactions_transaction rm ON rm.reverses_id = p.released_by_id
    WHERE (p.owner_id, p.currency) IS DISTINCT FROM (w.owner_id, w.currency)
       OR (t.status, t.type, t.amount, t.currency, t.to_user_id, t.to_wallet_id, t.created_at)
          IS DISTINCT FROM ('completed', p.type, p.amount, p.currency, p.owner_id, NULL::uuid, p.created_at)
       OR p.status IS DISTINCT FROM CASE WHEN p.reversed_by_id IS NOT NULL THEN 'reversed'
                                         WHEN p.released_by_id IS NOT NULL THEN 'released' ELSE 'parked' END
       OR (p.released_by_id IS NULL) <> (p.released_at IS NULL)
       OR (p.reversed_by_id, p.reversed_at) IS DISTINCT FROM (m.id, m.created_at)
       OR CASE WHEN m.id IS NULL OR p.released_by_id IS NULL THEN rm.id IS NOT NULL
               ELSE (rm.source_kind, rm.source_id, rm.created_at)
                    IS DISTINCT FROM ('parked_credit', p.id, m.created_at) END
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

# Customers are not shown a passage beside its credit. By its index: of each type there are few, or none.
PASSAGES = Check(
    "passage_is_of_a_parked_credit",
    "A transaction says that it only moves a parked credit, and that credit does not: its owner is not shown it.",
    "transaction",
    """
    SELECT t.id AS key, t.type || ' of ' || coalesce(p.status || ' credit ', 'no credit ') || t.source_id AS detail
    FROM transactions_transaction t LEFT JOIN transactions_parkedcredit p ON p.id = t.source_id
    WHERE t.type = ANY(%(types)s) AND t.source_kind = 'parked_credit' AND t.source_id IS NOT NULL
      AND t.id IS DISTINCT FROM p.released_by_id
      AND (t.reverses_id IS NULL OR t.reverses_id IS DISTINCT FROM p.released_by_id)
    """,
    parameters=lambda: {"types": TransactionType.values},
)

CHECKS = (BALANCE, ROWS, LINES, PASSAGES)
