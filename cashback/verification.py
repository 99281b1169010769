"""What ``verify_ledger`` proves of cashback: each reward against its posting, its purchase and its campaign.

That a cashback wallet is the sum of its entries is proven with all wallets; these checks say where its money came from.
"""

from cashback.models import Campaign, Reward
from transactions.verification.check import Check
from transactions.verification.entries import exponents
from transactions.verification.extensions import Extension

POSTED = Check(
    "reward_is_what_was_posted",
    "A reward is undecided, its transaction is not the cashback that it says, or it was cancelled and never reversed.",
    "reward",
    """
    SELECT r.id AS key, r.status || ' ' || r.amount || ' ' || r.currency || ', posted '
           || coalesce(t.status || ' ' || t.type || ' ' || t.amount || ' ' || t.currency, 'nothing') AS detail
    FROM cashback_reward r
    LEFT JOIN transactions_transaction t ON t.id = r.transaction_id
    LEFT JOIN wallet_wallet w ON w.id = t.to_wallet_id
    WHERE r.status NOT IN ('earned', 'dropped', 'cancelled')
       OR (r.status = 'dropped' AND r.transaction_id IS NOT NULL)
       OR (r.status <> 'dropped'
           AND (t.status, t.type, t.amount, t.currency, t.to_user_id, t.source_kind, t.source_id)
               IS DISTINCT FROM ('completed', 'cashback', r.amount, r.currency, r.user_id, 'reward', r.id))
       OR (t.to_wallet_id IS NOT NULL AND w.kind IS DISTINCT FROM 'cashback')
       OR (r.status = 'cancelled'
           AND NOT EXISTS (SELECT FROM transactions_transaction m WHERE m.reverses_id = r.transaction_id))
    """,
)

EARNED = Check(
    "cashback_has_its_reward",
    "Cashback was posted for no reward, and it does not come from a parked credit.",
    "transaction",
    """
    SELECT t.id AS key, t.amount || ' ' || t.currency || ' for ' || coalesce(nullif(t.source_kind, ''), 'nothing')
           || coalesce(' ' || t.source_id, '') AS detail
    FROM transactions_transaction t
    LEFT JOIN cashback_reward r ON r.transaction_id = t.id
    LEFT JOIN transactions_parkedcredit p ON p.released_by_id = t.id
    WHERE t.type = 'cashback' AND r.id IS NULL AND p.id IS NULL
    """,
)

SPENT = Check(
    "campaign_spent_what_was_earned",
    "What a campaign has spent is not the sum of its earned rewards, or is more than its budget.",
    "campaign",
    """
    SELECT c.id AS key, 'spent ' || c.spent || ' of ' || c.budget || ', earned ' || coalesce(r.earned, 0) AS detail
    FROM cashback_campaign c
    LEFT JOIN (SELECT campaign_id, sum(amount) AS earned FROM cashback_reward
               WHERE status = 'earned' GROUP BY campaign_id) r ON r.campaign_id = c.id
    WHERE c.spent <> coalesce(r.earned, 0) OR c.spent < 0 OR c.spent > c.budget
    """,
)

TERMS = Check(
    "reward_keeps_to_its_campaign",
    "A reward is above the cap or the percentage of its campaign, outside its window, or in another currency.",
    "reward",
    """
    SELECT r.id AS key, r.amount || ' ' || r.currency || ' at ' || r.created_at || ' for a payment of '
           || coalesce(p.amount::text, 'nothing') || ', campaign ' || c.code AS detail
    FROM cashback_reward r
    JOIN cashback_campaign c ON c.id = r.campaign_id
    LEFT JOIN LATERAL (SELECT max(t.amount) AS amount FROM transactions_transaction t
                       WHERE t.source_kind = r.trigger_kind AND t.source_id = r.trigger_id
                         AND t.status = 'completed') p ON true
    LEFT JOIN unnest(%(currencies)s::text[], %(decimals)s::int[]) d(code, places) ON d.code = r.currency
    WHERE r.amount <= 0 OR r.amount > c.cap OR r.currency <> c.currency OR c.status = 'draft'
       OR d.code IS NULL OR r.amount <> round(r.amount, d.places)
       OR r.created_at < c.starts_at OR r.created_at >= c.ends_at
       OR p.amount IS NULL OR p.amount < c.min_payment OR r.amount * 10000 > p.amount * c.percent_bp
    """,
    parameters=exponents,
)

ONCE = Check(
    "rewarded_once",
    "One payment has rewarded somebody twice.",
    "reward",
    """
    SELECT twin.id AS key, twin.trigger_kind || ' ' || twin.trigger_id || ' of user ' || twin.user_id AS detail
    FROM (SELECT r.*, count(*) OVER (PARTITION BY r.trigger_kind, r.trigger_id, r.user_id) AS times
          FROM cashback_reward r) twin
    WHERE twin.times > 1
    """,
)

STATUS = Check(
    "campaign_status_is_audited",
    "A campaign's status is not what the audit log says was last decided.",
    "campaign",
    """
    WITH decided AS (
        SELECT DISTINCT ON (a.target_id) a.target_id, a.changes->'status'->>1 AS status
        FROM fintech_core_auditrecord a
        WHERE a.target_type = 'cashback.campaign' AND a.changes->'status' IS NOT NULL
        ORDER BY a.target_id, a.id DESC
    )
    SELECT c.id AS key, 'is ' || c.status || ', decided was ' || d.status AS detail
    FROM cashback_campaign c JOIN decided d ON d.target_id = c.id::text
    WHERE c.status <> d.status
    """,
)

EXTENSION = Extension(
    checks=(POSTED, EARNED, SPENT, TERMS, ONCE, STATUS),
    tables=(Campaign, Reward),
    guards="cashback_rules.sql",
)
