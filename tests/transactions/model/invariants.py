"""What must be true of the tables after every step, in SQL of our own: neither the product nor its verifier is asked.

Each rule selects rows that break it. The rules look at what happened to some people since an entry; ``told`` reads
what the tables say of them, for comparison with the book.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

_SINCE = """
WITH entry AS MATERIALIZED (
    SELECT e.*, CASE e.direction WHEN 'credit' THEN e.amount ELSE -e.amount END AS signed
    FROM transactions_ledgerentry e WHERE e.id > %(since)s
), movement AS MATERIALIZED (
    SELECT * FROM transactions_transaction WHERE from_user_id = ANY(%(people)s)
    UNION SELECT * FROM transactions_transaction WHERE to_user_id = ANY(%(people)s)
    UNION SELECT * FROM transactions_transaction -- what the house has booked for itself
    WHERE from_user_id IS NULL AND to_user_id IS NULL AND id IN (SELECT transaction_id FROM entry)
), purse AS MATERIALIZED (
    SELECT * FROM wallet_wallet WHERE owner_id = ANY(%(people)s)
)
"""

RULES = {
    "each transaction sums to zero in each currency": """
        SELECT transaction_id::text FROM entry GROUP BY transaction_id, currency HAVING sum(signed) <> 0""",
    "every entry is of a movement of theirs or of the house": """
        SELECT id::text FROM entry WHERE transaction_id NOT IN (SELECT id FROM movement)""",
    "completed ones have entries, others none": """
        SELECT m.id::text FROM movement m
        WHERE (m.status = 'completed') <> ((SELECT count(*) FROM entry e WHERE e.transaction_id = m.id) >= 2)
           OR (m.status <> 'completed' AND EXISTS (SELECT FROM entry e WHERE e.transaction_id = m.id))""",
    "a wallet is the sum of its entries": """
        SELECT w.id::text FROM purse w
        WHERE w.balance <> (SELECT coalesce(sum(e.signed), 0) FROM entry e WHERE e.wallet_id = w.id)""",
    "a wallet is what its last entry says": """
        SELECT w.id::text FROM purse w JOIN entry e ON e.wallet_id = w.id AND e.wallet_version = w.version
        WHERE w.balance <> e.wallet_balance_after OR w.last_entry_at <> e.created_at""",
    "versions count without a gap": """
        SELECT w.id::text FROM purse w LEFT JOIN entry e ON e.wallet_id = w.id GROUP BY w.id, w.version
        HAVING count(e.id) <> w.version OR count(DISTINCT e.wallet_version) <> w.version
            OR coalesce(max(e.wallet_version), 0) <> w.version""",
    "each balance follows from the one before": """
        SELECT id::text FROM (
            SELECT id, wallet_balance_after, sum(signed) OVER w AS running, created_at < lag(created_at) OVER w AS back
            FROM entry WHERE wallet_id IS NOT NULL
            WINDOW w AS (PARTITION BY wallet_id ORDER BY wallet_version)) line
        WHERE wallet_balance_after <> running OR wallet_balance_after < 0 OR back""",
    "held is what is pending": """
        SELECT w.id::text FROM purse w WHERE w.held > w.balance OR w.held <> (
            SELECT coalesce(sum(m.hold_amount), 0) FROM movement m
            WHERE m.from_wallet_id = w.id AND m.status = 'pending')""",
    "a hold is kept within": """
        SELECT id::text FROM movement
        WHERE hold_amount < amount + fee OR (status = 'pending') <> (completed_at IS NULL)""",
    "control accounts are their wallets": """
        SELECT w.kind || w.currency FROM purse w GROUP BY w.kind, w.currency HAVING sum(w.balance) <> (
            SELECT coalesce(sum(e.signed), 0) FROM entry e JOIN transactions_ledgeraccount a ON a.id = e.account_id
            WHERE a.wallet_kind = w.kind AND a.currency = w.currency)""",
    "suspense is what waits": """
        SELECT 'suspense' WHERE (
            SELECT coalesce(sum(e.signed), 0) FROM entry e JOIN transactions_ledgeraccount a ON a.id = e.account_id
            WHERE a.code = 'suspense') <> (
            SELECT coalesce(sum(amount), 0) FROM transactions_parkedcredit
            WHERE owner_id = ANY(%(people)s) AND status = 'parked')""",
    "what was undone was done, once": """
        SELECT r.id::text FROM movement r LEFT JOIN movement t ON t.id = r.reverses_id
        WHERE r.reverses_id IS NOT NULL AND (t.status IS DISTINCT FROM 'completed' OR t.type = 'reversal')""",
    "nothing takes effect in a month that was closed before": """
        SELECT m.id::text FROM movement m JOIN transactions_closedmonth c ON c.closed_at < m.created_at
        WHERE m.effective_at < (c.month + interval '1 month') AT TIME ZONE 'Africa/Lagos'""",
    "counters are what was sent": """
        SELECT w.id::text FROM purse w WHERE w.spent_this_month < w.spent_today OR w.spent_today <> (
            SELECT coalesce(sum(m.amount), 0) FROM movement m
            WHERE m.from_wallet_id = w.id AND m.type IN ('transfer', 'bill_payment')
              AND m.status IN ('pending', 'completed')
              AND (m.created_at AT TIME ZONE 'Africa/Lagos')::date = w.spent_on)""",
}
BROKEN = _SINCE + "\nUNION ALL\n".join(
    f"SELECT '{rule}' AS rule, found.* FROM ({rows}) found(key)" for rule, rows in RULES.items()
)

_WALLETS = """
    SELECT owner_id, kind, currency, balance, held, status, version, spent_today, spent_this_month, spent_on
    FROM wallet_wallet WHERE owner_id = ANY(%(people)s)"""
_MOVEMENTS = """
    SELECT t.id, t.type, t.status, t.amount, t.fee, t.hold_amount, t.currency FROM transactions_transaction t
    WHERE t.from_user_id = ANY(%(people)s) OR t.to_user_id = ANY(%(people)s)
    ORDER BY t.created_at, (SELECT min(e.id) FROM transactions_ledgerentry e WHERE e.transaction_id = t.id), t.id"""
_ACCOUNTS = """
    SELECT a.code, a.currency, sum(CASE e.direction WHEN 'credit' THEN e.amount ELSE -e.amount END)
    FROM transactions_ledgerentry e JOIN transactions_ledgeraccount a ON a.id = e.account_id
    WHERE e.id > %(since)s AND e.wallet_id IS NULL GROUP BY a.code, a.currency"""


class Tables:
    """The tables, as far as they concern some people since they came."""

    def __init__(self, people: Sequence[UUID]) -> None:
        newest = self._rows("SELECT coalesce(max(id), 0) FROM transactions_ledgerentry", {})
        self.scope: dict[str, Any] = {"people": list(people), "since": newest[0][0]}

    def broken(self) -> dict[str, list[str]]:
        """Return the rules that are broken, each with the rows that break it."""
        found: dict[str, list[str]] = {}
        for rule, key in self._rows(BROKEN, self.scope):
            found.setdefault(rule, []).append(key)
        return found

    def wallets(self, today: date) -> dict[tuple[int, str, str], tuple[Any, ...]]:
        """Return (balance, held, status, version, spent today, spent this month) of each wallet, in kobo."""
        people: list[UUID] = self.scope["people"]
        found = {}
        for owner, kind, currency, balance, held, status, version, day, month, on in self._rows(
            _WALLETS, self.scope
        ):
            same_month = on is not None and (on.year, on.month) == (today.year, today.month)
            counters = (_kobo(day) if on == today else 0, _kobo(month) if same_month else 0)
            facts = (_kobo(balance), _kobo(held), status, version, *counters)
            found[people.index(owner), kind, currency] = facts
        return found

    def movements(self) -> dict[UUID, tuple[Any, ...]]:
        """Return (type, status, amount, fee, hold, currency) of each transaction in the order of their making."""
        return {
            key: (kind, status, _kobo(amount), _kobo(fee), None if hold is None else _kobo(hold), currency)
            for key, kind, status, amount, fee, hold, currency in self._rows(_MOVEMENTS, self.scope)
        }

    def accounts(self) -> Counter[tuple[str, str]]:
        """Return the credits less the debits of each account without wallets, in kobo."""
        return Counter(
            {(code, currency): _kobo(net) for code, currency, net in self._rows(_ACCOUNTS, self.scope)}
        )

    @staticmethod
    def _rows(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())


def _kobo(amount: Decimal) -> int:
    return int(amount.scaleb(2).to_integral_exact())
