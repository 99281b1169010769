"""What the tables say of some people, without ids and times.

People, wallets and movements are named by what they are, so two scenes in which the same happened are equal.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import connection

from users.models import User

_WALLETS = """
    SELECT owner_id, kind || currency, balance, held, status, version, spent_today, spent_this_month FROM wallet_wallet
    WHERE owner_id = ANY(%(people)s)"""
_LINES = """
    SELECT w.owner_id, w.kind || w.currency, e.wallet_version, t.type, e.direction, e.amount, e.wallet_balance_after
    FROM transactions_ledgerentry e JOIN wallet_wallet w ON w.id = e.wallet_id
    JOIN transactions_transaction t ON t.id = e.transaction_id WHERE w.owner_id = ANY(%(people)s)"""
_MOVEMENTS = """
    SELECT type, status, amount, fee, hold_amount, from_user_id, to_user_id, failure_code, reverses_id IS NULL,
           refund_of_id IS NULL
    FROM transactions_transaction WHERE from_user_id = ANY(%(people)s) OR to_user_id = ANY(%(people)s)"""
_BESIDE = """
    SELECT 'parked', owner_id, status FROM transactions_parkedcredit WHERE owner_id = ANY(%(people)s)
    UNION ALL SELECT 'reward', user_id, status FROM cashback_reward WHERE user_id = ANY(%(people)s)
    UNION ALL SELECT 'event', user_id, type FROM notifications_event WHERE user_id = ANY(%(people)s)
    UNION ALL SELECT 'item', b.sender_id, i.status || i.failure_code FROM transactions_bulktransferitem i
    JOIN transactions_bulktransfer b ON b.id = i.bulk_id WHERE b.sender_id = ANY(%(people)s)
    UNION ALL SELECT 'correction', w.owner_id, r.status FROM fintech_core_approvalrequest r
    JOIN transactions_adjustment a ON a.request_id = r.id
    JOIN wallet_wallet w ON w.id = a.wallet_id WHERE w.owner_id = ANY(%(people)s)
    UNION ALL SELECT 'undoing', t.from_user_id, r.status FROM fintech_core_approvalrequest r
    JOIN transactions_undoing u ON u.request_id = r.id
    JOIN transactions_transaction t ON t.id = u.transaction_id WHERE t.from_user_id = ANY(%(people)s)
    UNION ALL SELECT 'answer', user_id, response_status::text FROM fintech_core_idempotencyrecord
    WHERE user_id = ANY(%(people)s)
    UNION ALL SELECT 'bill', user_id, concat_ws(' ', amount, status, failure_code, needs_review)
    FROM billers_billpayment WHERE user_id = ANY(%(people)s)
    UNION ALL SELECT 'order', p.user_id, a.state || a.outcome_code FROM billers_billattempt a
    JOIN billers_billpayment p ON p.id = a.payment_id WHERE p.user_id = ANY(%(people)s)
    UNION ALL SELECT 'intent', user_id, concat_ws(' ', status, credited, failure_code) FROM payments_paymentintent
    WHERE user_id = ANY(%(people)s)
    UNION ALL SELECT 'checkout', i.user_id, a.status FROM payments_checkoutattempt a
    JOIN payments_paymentintent i ON i.id = a.intent_id WHERE i.user_id = ANY(%(people)s)
    UNION ALL SELECT 'payment', i.user_id, concat_ws(' ', p.state, p.amount) FROM payments_payment p
    JOIN payments_paymentintent i ON i.id = p.intent_id WHERE i.user_id = ANY(%(people)s)
    UNION ALL SELECT 'audit', NULL, action FROM fintech_core_auditrecord WHERE actor_id = %(staff)s"""


def fingerprint(names: Mapping[UUID, str], *, staff: User) -> dict[str, Any]:
    """Return wallets, their lines, movements and documents of the people named, and how often staff did what."""
    known = {"people": list(names), "staff": staff.pk}
    wallets = {(names[owner], kind): facts for owner, kind, *facts in _rows(_WALLETS, known)}
    lines = sorted((names[owner], *facts) for owner, *facts in _rows(_LINES, known))
    movements = Counter(
        (*facts[:5], names.get(facts[5]), names.get(facts[6]), *facts[7:])
        for facts in _rows(_MOVEMENTS, known)
    )
    beside = Counter((what, names.get(who), how) for what, who, how in _rows(_BESIDE, known))
    return {"wallets": wallets, "lines": lines, "movements": movements, "beside": beside}


def _rows(statement: str, known: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, known)
        return list(cursor.fetchall())
