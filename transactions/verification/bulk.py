"""Checks of bulks: each item's result is what the ledger says, and a bulk counts its items."""

from transactions.verification.check import Check

ITEMS = Check(
    "bulk_item_is_what_was_booked",
    "An item of a bulk says that it was sent, or not, and the ledger says something else.",
    "bulk transfer item",
    """
    SELECT i.id AS key, i.status || ' ' || i.amount || ' ' || b.currency AS detail
    FROM transactions_bulktransferitem i
    JOIN transactions_bulktransfer b ON b.id = i.bulk_id
    LEFT JOIN transactions_transaction t ON t.id = i.transaction_id
    WHERE (i.status = 'completed') <> (i.transaction_id IS NOT NULL)
       OR (i.status = 'completed'
           AND (t.status, t.type, t.amount, t.currency, t.from_wallet_id, t.to_wallet_id, t.from_user_id,
                t.source_kind, t.source_id, t.reference)
               IS DISTINCT FROM ('completed', 'transfer', i.amount, b.currency, b.wallet_id, i.to_wallet_id,
                                 b.sender_id, 'bulk_transfer_item', i.id,
                                 CASE WHEN i.reference = '' THEN t.reference ELSE i.reference END))
    UNION ALL
    SELECT t.source_id, 'booked by ' || t.id || ', and no item says so'
    FROM transactions_transaction t
    LEFT JOIN transactions_bulktransferitem i ON i.transaction_id = t.id
    WHERE t.type = 'transfer' AND t.source_kind = 'bulk_transfer_item' AND t.source_id IS NOT NULL AND i.id IS NULL
    """,
)

COUNTS = Check(
    "bulk_counts_its_items",
    "A bulk says that more or fewer of its items succeeded or failed than did, or that it is final when it is not.",
    "bulk transfer",
    """
    SELECT b.id AS key, b.status || ': ' || b.succeeded || ' and ' || b.failed || ' of ' || b.item_count AS detail
    FROM transactions_bulktransfer b
    LEFT JOIN (SELECT bulk_id, count(*) AS items, count(*) FILTER (WHERE status = 'completed') AS succeeded,
                      count(*) FILTER (WHERE status = 'failed') AS failed
               FROM transactions_bulktransferitem GROUP BY bulk_id) i ON i.bulk_id = b.id
    WHERE (b.item_count, b.succeeded, b.failed) IS DISTINCT FROM (i.items, i.succeeded, i.failed)
       OR (b.status = 'processing') = (b.succeeded + b.failed = b.item_count)
       OR (b.status = 'failed') <> (b.status <> 'processing' AND b.succeeded = 0)
    """,
)

CHECKS = (ITEMS, COUNTS)
