"""Combined passes: a few over the whole ledger that prove many rules at once, when nothing is broken.

Asked one by one, the rules read the same rows again and again. A combined pass asks the question of several rules at
once and counts the rows that may break one of them. None: its rules hold, and need not be asked. Any: each of its rules
is asked by its own query, which alone says what is found. So it may count a row that breaks no rule, which costs time,
but must count something whenever one of its rules would find a row; what that rests on is said above each. All of it
rests on values: compared with NULL, a row is neither right nor wrong. So each pass counts a NULL in a column that has
none, whatever the schema says by now, and asks ``IS DISTINCT FROM`` of a column that may have one.

A count, not a first row: a query that may stop early is planned for that, and reads by index what it then reads to the
end. An incremental verification does without them: it reads few rows.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db.backends.utils import CursorWrapper

from transactions.chart import RECEIVABLES
from transactions.enums import Direction, TransactionType
from transactions.verification import chart_rules, entries, movements, wallets
from transactions.verification.check import SIGNED, Check


@dataclass(frozen=True, slots=True)
class CombinedPass:
    """What proves the rules of ``checks``: each query counts rows that may break one of them."""

    checks: tuple[Check, ...]
    queries: tuple[str, ...]
    parameters: Callable[[], dict[str, Any]] = dict


@dataclass(slots=True)
class CombinedPasses:
    """The combined passes over one snapshot, each run when the first of its rules is asked about."""

    cursor: CursorWrapper
    _clean: dict[int, bool] = field(default_factory=dict)

    def proves(self, check: Check) -> bool:
        """Say whether a pass has shown that no row breaks the rule; False when none could."""
        for number, combined in enumerate(COMBINED_PASSES):
            if check in combined.checks:
                if number not in self._clean:
                    self._clean[number] = self._is_clean(combined)
                return self._clean[number]
        return False

    def _is_clean(self, combined: CombinedPass) -> bool:
        parameters = combined.parameters() | {"middle": self._middle()}
        for query in combined.queries:
            self.cursor.execute(query.replace(":signed", SIGNED), parameters)
            if self.cursor.fetchone() != (0,):
                return False
        return True

    def _middle(self) -> UUID:
        """Return the movement of the entry in the middle; ids of movements are in the order of time, too."""
        self.cursor.execute(_MIDDLE)
        row = self.cursor.fetchone()
        return row[0] if row else UUID(int=0)


def _facts() -> dict[str, Any]:
    """Return the chart's allow-list, in which a reversal may do anything, the currencies, and the account of debts."""
    rules = chart_rules.rules()
    sides = [str(Direction.DEBIT), str(Direction.CREDIT)]
    return entries.exponents() | {
        "types": rules["types"] + [str(TransactionType.REVERSAL)] * len(sides),
        "sides": rules["sides"] + sides,
        "codes": rules["codes"] + [""] * len(sides),
        "whole": rules["whole"] + [False] * len(sides),
        "receivables": RECEIVABLES,
    }


# Line by line. A line whose account is of its currency has the decimals of that account's. Each entry of a wallet but
# its first has one before it that leads to it; that there are no more of them than the wallets' versions say, together
# with ``NEWEST``, leaves each wallet its versions 1, 2, 3 … once each, summing to the balance of the newest.
LINES: Final = """
    SELECT count(*) FILTER (
               WHERE num_nulls(e.transaction_id, e.account_id, e.direction, e.amount, e.currency, e.created_at) > 0
                  OR a.currency IS DISTINCT FROM e.currency OR a.wallet_kind IS DISTINCT FROM coalesce(w.kind, '')
                  OR (e.wallet_id IS NULL) <> (w.id IS NULL) OR w.currency <> e.currency
                  OR e.direction NOT IN ('debit', 'credit') OR e.amount <= 0 OR min_scale(e.amount) > a.places
                  OR e.created_at NOT BETWEEN 'epoch' AND statement_timestamp() + interval '1 minute'
                  OR CASE WHEN e.wallet_id IS NULL
                     THEN num_nonnulls(e.wallet_version, e.wallet_balance_after) > 0
                     ELSE e.wallet_version IS NULL OR (e.wallet_version = 1) <> (p.id IS NULL)
                          OR p.created_at > e.created_at OR e.wallet_balance_after < 0
                          OR e.wallet_balance_after IS DISTINCT FROM coalesce(p.wallet_balance_after, 0) + :signed END)
           + abs(count(e.wallet_id) - (SELECT coalesce(sum(version), 0) FROM wallet_wallet))
    FROM transactions_ledgerentry e
    LEFT JOIN transactions_ledgerentry p ON p.wallet_id = e.wallet_id AND p.wallet_version = e.wallet_version - 1
    LEFT JOIN wallet_wallet w ON w.id = e.wallet_id
    LEFT JOIN (SELECT a.id, a.currency, a.wallet_kind, c.places FROM transactions_ledgeraccount a
               JOIN unnest(%(currencies)s::text[], %(decimals)s::int[]) c(code, places) ON c.code = a.currency
              ) a ON a.id = e.account_id
"""
NEWEST: Final = """
    SELECT count(*)
    FROM wallet_wallet w
    LEFT JOIN transactions_ledgerentry e ON e.wallet_id = w.id AND e.wallet_version = w.version
    WHERE w.version IS NULL OR (w.version = 0) <> (e.id IS NULL)
       OR w.balance IS DISTINCT FROM coalesce(e.wallet_balance_after, 0)
       OR w.last_entry_at IS DISTINCT FROM e.created_at
"""

# Movement by movement in the order of their ids, in which both tables have an index, so that nothing is sorted; in two
# parts, so that two processes may share it. Whatever entry is met with no movement is missing in their sum. That a line
# of another currency than its movement's is of the one that it converts to is said of each line, and of reversals in
# ``REVERSALS``.
_PART: Final = """
    SELECT count(*) FILTER (WHERE movement.is_odd) AS odd, sum(movement.lines) AS lines
    FROM (
        SELECT count(e.id) AS lines,
               bool_or(e.created_at IS DISTINCT FROM t.completed_at
                       OR e.effective_at IS DISTINCT FROM CASE WHEN t.hold_amount IS NULL THEN t.effective_at END
                       OR (t.type, e.direction, e.account_id) NOT IN (:allowed)
                       OR (e.currency <> t.currency AND e.currency <> t.converted_currency AND t.reverses_id IS NULL)
                       OR (e.wallet_id IS NOT NULL AND e.wallet_id IS DISTINCT FROM t.from_wallet_id
                                                   AND e.wallet_id IS DISTINCT FROM t.to_wallet_id)
                      ) FILTER (WHERE e.id IS NOT NULL) IS TRUE
               OR sum(:signed) FILTER (WHERE e.currency = t.currency) <> 0
               OR sum(:signed) FILTER (WHERE e.currency <> t.currency) <> 0
               OR num_nulls(t.status, t.type, t.currency, t.converted_currency, t.amount, t.fee) > 0
               OR CASE WHEN t.status <> 'completed' THEN count(e.id) > 0
                  ELSE count(e.id) < 2
                       OR t.amount + t.fee IS DISTINCT FROM
                          sum(e.amount) FILTER (WHERE e.direction = 'debit' AND e.currency = t.currency)
                       OR t.type <> 'reversal'
                          AND (CASE WHEN t.from_wallet_id IS NOT NULL THEN t.amount + t.fee END
                               IS DISTINCT FROM -sum(:signed) FILTER (WHERE e.wallet_id = t.from_wallet_id
                                   OR t.type = 'refund' AND e.direction = 'debit' AND e.account_id IN (
                                       SELECT id FROM transactions_ledgeraccount WHERE code = %(receivables)s))
                               OR CASE WHEN t.to_wallet_id IS NOT NULL THEN coalesce(t.converted_amount, t.amount) END
                               IS DISTINCT FROM sum(:signed) FILTER (WHERE e.wallet_id = t.to_wallet_id))
                  END AS is_odd
        FROM transactions_transaction t
        LEFT JOIN transactions_ledgerentry e ON e.transaction_id = t.id AND e.transaction_id :part
        WHERE t.id :part
        GROUP BY t.id, t.status, t.type, t.currency, t.converted_currency, t.amount, t.fee, t.from_wallet_id,
                 t.to_wallet_id, t.converted_amount
    ) movement
"""
_ALLOWED: Final = """
    SELECT rule.type, rule.side, a.id
    FROM unnest(%(types)s::text[], %(sides)s::text[], %(codes)s::text[], %(whole)s::bool[])
         rule(type, side, code, whole)
    JOIN transactions_ledgeraccount a
      ON CASE WHEN rule.whole THEN a.code = rule.code ELSE starts_with(a.code, rule.code) END
"""
_TOGETHER: Final = """
    SELECT coalesce(sum(part.odd), 0) + (SELECT count(*) FROM transactions_transaction WHERE id IS NULL)
           + abs((SELECT count(*) FROM transactions_ledgerentry) - coalesce(sum(part.lines), 0))
    FROM (:lower UNION ALL :upper) part
"""
PARTS: Final = (
    _TOGETHER.replace(":lower", _PART.replace(":part", "< %(middle)s"))
    .replace(":upper", _PART.replace(":part", ">= %(middle)s"))
    .replace(":allowed", _ALLOWED)
)
_MIDDLE: Final = """
    SELECT transaction_id FROM transactions_ledgerentry
    WHERE id >= (SELECT min(id) / 2 + max(id) / 2 FROM transactions_ledgerentry) ORDER BY id LIMIT 1
"""
REVERSALS: Final = """
    SELECT count(*)
    FROM transactions_transaction t
    LEFT JOIN transactions_transaction reversed ON reversed.id = t.reverses_id
    JOIN transactions_ledgerentry e ON e.transaction_id = t.id
    WHERE t.reverses_id IS NOT NULL AND e.currency <> t.currency
      AND e.currency <> coalesce(nullif(t.converted_currency, ''), reversed.converted_currency, '')
"""

JOURNAL: Final = CombinedPass(
    (*entries.CHECKS, movements.HAS_ENTRIES, movements.AMOUNTS, movements.PARTIES, movements.CURRENCIES,
     chart_rules.ALLOWED, wallets.SHOWS_ITS_ENTRIES),
    (LINES, NEWEST, PARTS, REVERSALS),
    _facts,
)  # fmt: skip

# Transactions by themselves, by status, so that most are asked no more than concerns them.
_MOVEMENTS: Final = """
    SELECT count(*)
    FROM transactions_transaction t
    LEFT JOIN wallet_wallet f ON f.id = t.from_wallet_id
    LEFT JOIN wallet_wallet r ON r.id = t.to_wallet_id
    LEFT JOIN unnest(%(currencies)s::text[], %(decimals)s::int[]) c(code, places) ON c.code = t.currency
    WHERE num_nulls(t.status, t.type, t.currency, t.converted_currency, t.amount, t.fee, t.created_at, t.failure_code,
                    t.source_kind) > 0
       OR t.from_wallet_id IS NOT NULL AND t.from_user_id IS DISTINCT FROM f.owner_id
       OR t.to_wallet_id IS NOT NULL AND t.to_user_id IS DISTINCT FROM r.owner_id
       OR CASE t.status
          WHEN 'completed' THEN
              t.completed_at IS NULL OR t.failure_code <> '' OR t.end_number IS NOT NULL
              OR CASE WHEN t.hold_amount IS NULL THEN t.completed_at <> t.created_at
                      ELSE t.completed_at < t.created_at OR t.amount + t.fee > t.hold_amount
                           OR t.from_wallet_id IS NULL END
          WHEN 'pending' THEN
              t.completed_at IS NOT NULL OR t.failure_code <> '' OR t.end_number IS NOT NULL
              OR t.hold_amount IS DISTINCT FROM t.amount + t.fee OR t.from_wallet_id IS NULL
          ELSE
              t.status NOT IN ('failed', 'cancelled') OR t.completed_at IS NULL OR t.completed_at < t.created_at
              OR t.end_number IS NULL OR (t.status = 'failed' AND t.failure_code = '')
              OR t.hold_amount IS DISTINCT FROM t.amount + t.fee OR t.from_wallet_id IS NULL
          END
       OR least(t.created_at, t.completed_at) < 'epoch' OR NOT isfinite(t.effective_at)
       OR greatest(t.created_at, t.completed_at, t.effective_at) > statement_timestamp() + interval '1 minute'
       OR (t.hold_number IS NULL) <> (t.hold_amount IS NULL)
       OR t.hold_fee IS NOT NULL AND (t.hold_amount IS NULL OR t.status <> 'completed' AND t.hold_fee <> t.fee
                                      OR t.hold_fee < 0 OR t.hold_fee >= t.hold_amount)
       OR c.code IS NULL OR t.amount <= 0 OR t.fee < 0
       OR min_scale(t.amount) > c.places OR min_scale(t.fee) > c.places OR min_scale(t.hold_amount) > c.places
       OR t.from_wallet_id = t.to_wallet_id
       OR (t.source_id IS NULL) <> (t.source_kind = '')
       OR CASE t.type
          WHEN 'conversion' THEN t.converted_amount IS NULL OR t.converted_currency IN ('', t.currency)
                                 OR t.conversion_rate IS NULL
          ELSE num_nonnulls(t.converted_amount, t.conversion_rate) > 0 OR t.converted_currency <> '' END
       OR (t.type = 'reversal') <> (t.reverses_id IS NOT NULL)
       OR (t.refund_of_id IS NOT NULL AND t.type <> 'refund')
"""
MOVEMENTS: Final = CombinedPass(
    (movements.OWNERS, movements.HOLDS, movements.STATUS, movements.FACTS), (_MOVEMENTS,), entries.exponents
)

# As many rows as values: in the order of the indexes, which are read even where they are not unique any more. Senders
# may have used one reference of their own, each once.
TWINS: Final = CombinedPass(
    (movements.TWINS,),
    (
        """
        SELECT count(*)
        FROM (SELECT t.reference FROM transactions_transaction t GROUP BY t.reference HAVING count(*) > 1) twin
        WHERE (twin.reference ~ %(made)s) IS NOT FALSE
           OR EXISTS (SELECT FROM transactions_transaction t WHERE t.reference = twin.reference
                      GROUP BY t.from_user_id HAVING count(*) > 1)
        """,
        """
        SELECT count(*) FROM (SELECT FROM transactions_transaction t WHERE t.source_id IS NOT NULL
                              GROUP BY t.type, t.source_kind, t.source_id HAVING count(*) > 1) twin
        """,
        """
        SELECT count(*) FROM (SELECT FROM transactions_transaction t WHERE t.reverses_id IS NOT NULL
                              GROUP BY t.reverses_id HAVING count(*) > 1) twin
        """,
    ),
    movements.made,
)

# The counters, exact to the day. Amounts are positive, so a sum that is right here lies between the least and the most
# that the rule allows; what was counted on the other side of midnight is left to the rule itself.
_SPENT: Final = """
    SELECT count(*)
    FROM wallet_wallet w
    LEFT JOIN (
        SELECT t.from_wallet_id,
               sum(t.amount) FILTER (WHERE kept.yes AND t.created_at >= p.day) AS today,
               sum(t.amount) FILTER (WHERE kept.yes AND t.created_at >= p.month) AS this_month,
               bool_or(kept.yes AND (t.created_at < p.day_end) IS NOT TRUE) AS later,
               bool_or(t.created_at >= p.day AND t.created_at < p.day_end
                       OR t.completed_at >= p.day AND t.completed_at < p.day_end) AS on_the_day
        FROM transactions_transaction t
        JOIN (SELECT w.id, w.spent_on::timestamp AT TIME ZONE %(zone)s AS day,
                     (w.spent_on + 1)::timestamp AT TIME ZONE %(zone)s AS day_end,
                     date_trunc('month', w.spent_on::timestamp) AT TIME ZONE %(zone)s AS month
              FROM wallet_wallet w OFFSET 0) p ON p.id = t.from_wallet_id
        CROSS JOIN LATERAL (SELECT t.status IN ('pending', 'completed') AS yes) kept
        WHERE t.type = ANY(%(counted)s)
        GROUP BY t.from_wallet_id
    ) sent ON sent.from_wallet_id = w.id
    WHERE w.spent_today <> coalesce(sent.today, 0) OR w.spent_this_month <> coalesce(sent.this_month, 0)
       OR sent.later OR (w.spent_on IS NOT NULL AND sent.on_the_day IS NOT TRUE)
"""
SPENDING: Final = CombinedPass((wallets.SPENT,), (_SPENT,), wallets.counting)

COMBINED_PASSES: Final = (JOURNAL, MOVEMENTS, TWINS, SPENDING)
