"""Checks of what undoes a movement: that a reversal is its mirror, and what refunds give back and to whom."""

from transactions.chart import RECEIVABLES
from transactions.enums import REFUNDABLE
from transactions.verification.check import Check


def receivables() -> dict[str, str]:
    """Return the account of what customers owe, as a parameter."""
    return {"receivables": RECEIVABLES}


def _refundable() -> dict[str, list[str]]:
    return {"refundable": sorted(REFUNDABLE)}


REVERSED = Check(
    "reversal_undoes_a_completed_one",
    "A reversal does not carry the facts of the transaction it reverses.",
    "transaction",
    """
    SELECT r.id AS key, 'reverses ' || coalesce(t.id::text, 'nothing') || ', a '
           || coalesce(t.type || ' that is ' || t.status, 'missing one') AS detail
    FROM transactions_transaction r LEFT JOIN transactions_transaction t ON t.id = r.reverses_id
    WHERE r.type = 'reversal'
      AND (t.status IS DISTINCT FROM 'completed' OR t.type = 'reversal' OR r.currency <> t.currency
           OR r.amount <> t.amount + t.fee OR r.fee <> 0
           OR (r.from_wallet_id, r.to_wallet_id, r.from_user_id, r.to_user_id)
              IS DISTINCT FROM (t.to_wallet_id, t.from_wallet_id, t.to_user_id, t.from_user_id))
    """,
)

# What the giver of a mirror could not give stands on receivables in its name: both are one line to this check.
MIRROR = Check(
    "reversal_is_the_mirror",
    "The entries of a reversal are not those of the reversed transaction with sides changed.",
    "transaction",
    """
    WITH line AS (
        SELECT r.id, e.transaction_id = r.id AS own, e.currency, e.amount,
               CASE WHEN e.transaction_id = r.id THEN e.direction
                    WHEN e.direction = 'debit' THEN 'credit' ELSE 'debit' END AS direction,
               CASE WHEN a.code = %(receivables)s THEN '' ELSE a.code END AS code, e.wallet_id, r.from_wallet_id
        FROM transactions_transaction r
        JOIN transactions_ledgerentry e ON e.transaction_id IN (r.id, r.reverses_id)
        JOIN transactions_ledgeraccount a ON a.id = e.account_id
        WHERE r.type = 'reversal'
    ), merged AS (
        SELECT id, own, currency, direction, sum(amount) AS amount,
               CASE WHEN given THEN '' ELSE code END AS code,
               coalesce(CASE WHEN given THEN from_wallet_id ELSE wallet_id END::text, '') AS wallet
        FROM (SELECT *, direction = 'debit' AND (code = '' OR wallet_id IS NOT DISTINCT FROM from_wallet_id
                                                               AND wallet_id IS NOT NULL) AS given FROM line) l
        GROUP BY 1, 2, 3, 4, 6, 7
    )
    SELECT coalesce(o.id, m.id) AS key, count(*) || ' lines differ' AS detail
    FROM (SELECT * FROM merged WHERE own) o
    FULL JOIN (SELECT * FROM merged WHERE NOT own) m
      ON (m.id, m.currency, m.direction, m.code, m.wallet) = (o.id, o.currency, o.direction, o.code, o.wallet)
    WHERE o.amount IS DISTINCT FROM m.amount
    GROUP BY coalesce(o.id, m.id)
    """,
    parameters=receivables,
)

# To whom a refund gives is who paid, at once or out of suspense. One that nobody is named in sends back a payment from
# outside that stood in suspense without an owner.
REFUNDED = Check(
    "refund_is_of_a_completed_one",
    "A refund is not of a completed payment that can be refunded, from who received it to who paid it.",
    "transaction",
    """
    SELECT r.id AS key, 'refund of ' || coalesce(r.refund_of_id::text, 'nothing') || ', '
           || coalesce('a ' || t.type || ' that is ' || t.status, 'missing') || ', to user '
           || coalesce(r.to_user_id::text, 'none') AS detail
    FROM transactions_transaction r
    LEFT JOIN transactions_transaction t ON t.id = r.refund_of_id
    WHERE (r.type = 'refund' OR r.refund_of_id IS NOT NULL)
      AND CASE WHEN r.refund_of_id IS NULL
          THEN num_nonnulls(r.from_wallet_id, r.to_wallet_id, r.from_user_id, r.to_user_id) > 0
               AND NOT EXISTS (SELECT FROM transactions_parkedcredit p WHERE p.released_by_id = r.id)
          ELSE t.status IS DISTINCT FROM 'completed' OR t.type <> ALL(%(refundable)s) OR t.currency <> r.currency
               OR (r.from_wallet_id, r.from_user_id, r.to_user_id)
                  IS DISTINCT FROM (t.to_wallet_id, t.to_user_id, t.from_user_id)
               OR r.to_wallet_id IS DISTINCT FROM t.from_wallet_id
                  AND NOT EXISTS (SELECT FROM transactions_parkedcredit p
                                  WHERE p.parked_by_id = r.id AND p.wallet_id = t.from_wallet_id)
          END
    """,
    parameters=_refundable,
)

REFUNDS = Check(
    "refunds_are_within_the_amount",
    "The refunds of a transaction give back more than its amount, or give back what its reversal did.",
    "transaction",
    """
    SELECT t.id AS key, t.amount || ', refunded ' || sum(r.amount)
           || CASE WHEN bool_or(m.id IS NOT NULL) THEN ', and reversed' ELSE '' END AS detail
    FROM transactions_transaction r
    JOIN transactions_transaction t ON t.id = r.refund_of_id
    LEFT JOIN transactions_transaction m ON m.reverses_id = t.id
    WHERE r.status IN ('pending', 'completed')
      AND NOT EXISTS (SELECT FROM transactions_transaction u WHERE u.reverses_id = r.id)
    GROUP BY t.id, t.amount
    HAVING sum(r.amount) > t.amount OR bool_or(m.id IS NOT NULL)
    """,
)

CHECKS = (REVERSED, MIRROR, REFUNDED, REFUNDS)
