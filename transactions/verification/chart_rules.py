"""Checks against the chart of accounts: its rows are those of ``chart.py``, and money moves only as that file says."""

from typing import Any

from django.conf import settings

from transactions import chart
from transactions.enums import Direction, TransactionType
from transactions.verification.check import MIGRATE, Check


def _accounts() -> dict[str, Any]:
    rows = list(chart.rows(tuple(settings.CURRENCIES)))
    return {
        "codes": [account.code for account, _ in rows],
        "types": [str(account.type) for account, _ in rows],
        "kinds": [account.wallet_kind for account, _ in rows],
        "currencies": [currency for _, currency in rows],
    }


def rules() -> dict[str, Any]:
    """Return the allow-list as four arrays: type, side, beginning of the code, and whether that is the whole code."""
    allowed = [
        (str(kind), str(side), pattern.removesuffix("*"), not pattern.endswith("*"))
        for kind, rule in chart.RULES.items()
        for side, patterns in ((Direction.DEBIT, rule.debit), (Direction.CREDIT, rule.credit))
        for pattern in patterns
    ]
    types, sides, codes, whole = ([row[column] for row in allowed] for column in range(4))
    return {
        "types": types,
        "sides": sides,
        "codes": codes,
        "whole": whole,
        "reversal": str(TransactionType.REVERSAL),
    }


MISSING = Check(
    "chart_is_open",
    "An account of the chart is not open in a currency that is in use.",
    "account",
    """
    SELECT c.code || ' ' || c.currency AS key, 'missing' AS detail
    FROM unnest(%(codes)s::text[], %(currencies)s::text[]) c(code, currency)
    WHERE NOT EXISTS (SELECT FROM transactions_ledgeraccount a WHERE (a.code, a.currency) = (c.code, c.currency))
    """,
    "manage.py sync_chart",
    lambda: {name: _accounts()[name] for name in ("codes", "currencies")},
)

FOREIGN = Check(
    "account_is_of_the_chart",
    "An account is not in the chart, or not as the chart has it.",
    "account",
    """
    SELECT a.code || ' ' || a.currency AS key, a.type || ' ' || a.wallet_kind AS detail
    FROM (SELECT *, count(*) OVER (PARTITION BY code, currency) AS twins FROM transactions_ledgeraccount) a
    LEFT JOIN (SELECT DISTINCT * FROM unnest(%(codes)s::text[], %(types)s::text[], %(kinds)s::text[])
                                           given(code, type, kind)) c ON c.code = a.code
    WHERE (c.type, c.kind) IS DISTINCT FROM (a.type::text, a.wallet_kind::text) OR a.twins > 1
    """,
    MIGRATE,
    lambda: {name: _accounts()[name] for name in ("codes", "types", "kinds")},
)

ALLOWED = Check(
    "entry_is_allowed_by_the_chart",
    "A type of transaction moved money over an account that the chart does not allow it.",
    "entry",
    """
    SELECT e.id AS key, t.type || ' may not ' || e.direction || ' ' || a.code AS detail
    FROM transactions_ledgerentry e
    JOIN transactions_transaction t ON t.id = e.transaction_id
    JOIN transactions_ledgeraccount a ON a.id = e.account_id
    WHERE t.type <> %(reversal)s
      AND NOT EXISTS (
        SELECT FROM unnest(%(types)s::text[], %(sides)s::text[], %(codes)s::text[], %(whole)s::bool[])
                    rule(type, side, code, whole)
        WHERE rule.type = t.type AND rule.side = e.direction
          AND CASE WHEN rule.whole THEN a.code = rule.code ELSE starts_with(a.code, rule.code) END)
    """,
    parameters=rules,
)

CHECKS = (MISSING, FOREIGN, ALLOWED)
