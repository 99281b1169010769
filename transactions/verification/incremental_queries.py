"""Going on from the last verified entry: the same rules, asked of what is new and of what it touches.

Each rule about the books is asked of a smaller journal, put in place of the real one by common table expressions of the
same names: the transactions that have new entries, that are holds made or ended since, or that are still pending; what
they reverse or refund, and what was refunded by what they reverse; all refunds of these, and all reversals; and all
entries of these. What looks back along a wallet, or for a twin, has a query of its own below that goes by index. Rules
about wallets, accounts, parked credits and guards are asked of all rows: these tables do not grow with every movement.
So is the one about numbers, which reads the ends of indexes.

What was proven before is taken as proven. That it has not changed since, a run with ``--seals`` or a full one shows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from transactions.verification import chart_rules, entries, movements, snapshots, wallets
from transactions.verification.check import Check, listing

BOOKS: Final = """
WITH fresh_transactions AS MATERIALIZED (
    SELECT e.transaction_id AS id FROM public.transactions_ledgerentry e WHERE e.id > %(since_entry)s
    UNION
    SELECT t.id FROM public.transactions_transaction t
    WHERE t.hold_number > %(since_hold)s
    UNION
    SELECT t.id FROM public.transactions_transaction t
    WHERE t.end_number > %(since_hold)s
    UNION
    SELECT t.id FROM public.transactions_transaction t WHERE t.status = 'pending'
), named AS MATERIALIZED (
    SELECT f.id FROM fresh_transactions f
    UNION
    SELECT up.id FROM fresh_transactions f JOIN public.transactions_transaction t ON t.id = f.id
    LEFT JOIN public.transactions_transaction r ON r.id = t.reverses_id
    CROSS JOIN LATERAL (VALUES (t.reverses_id), (t.refund_of_id), (r.refund_of_id)) up(id) WHERE up.id IS NOT NULL
), undone AS MATERIALIZED (
    SELECT n.id FROM named n
    UNION
    SELECT r.id FROM named n JOIN public.transactions_transaction r ON r.refund_of_id = n.id
), looked_at AS MATERIALIZED (
    SELECT u.id FROM undone u
    UNION
    SELECT m.id FROM undone u JOIN public.transactions_transaction m ON m.reverses_id = u.id
), transactions_transaction AS MATERIALIZED (
    SELECT t.* FROM public.transactions_transaction t JOIN looked_at l ON l.id = t.id
), transactions_ledgerentry AS MATERIALIZED (
    SELECT e.* FROM public.transactions_ledgerentry e JOIN looked_at l ON l.id = e.transaction_id
)
"""

SPENDERS: Final = """
WITH wallet_wallet AS MATERIALIZED (
    SELECT w.* FROM public.wallet_wallet w
    WHERE w.id IN (SELECT e.wallet_id FROM public.transactions_ledgerentry e WHERE e.id > %(since_entry)s
                   UNION SELECT t.from_wallet_id FROM public.transactions_transaction t
                         WHERE t.hold_number > %(since_hold)s
                   UNION SELECT t.from_wallet_id FROM public.transactions_transaction t
                         WHERE t.end_number > %(since_hold)s)
), transactions_transaction AS MATERIALIZED (
    SELECT t.* FROM wallet_wallet w
    JOIN public.transactions_transaction t ON t.from_user_id = w.owner_id AND t.from_wallet_id = w.id
         AND greatest(t.created_at, t.completed_at)
             >= coalesce(date_trunc('month', w.spent_on), '-infinity') - interval '2 days'
)
"""

SNAPSHOTS: Final = """
WITH transactions_balancesnapshot AS MATERIALIZED (
    SELECT s.* FROM public.transactions_balancesnapshot s WHERE s.last_entry_id > %(since_entry)s
)
"""

FOLLOW: Final = """
    SELECT e.id AS key, 'wallet ' || e.wallet_id || ': version ' || coalesce(e.wallet_version::text, 'none')
           || ' with ' || coalesce(e.wallet_balance_after::text, 'no balance') || ' after, the one before it has '
           || coalesce(p.wallet_balance_after::text, 'none') AS detail
    FROM transactions_ledgerentry e
    LEFT JOIN transactions_ledgerentry p ON p.wallet_id = e.wallet_id AND p.wallet_version = e.wallet_version - 1
    WHERE e.id > %(since_entry)s AND e.wallet_id IS NOT NULL
      AND (e.wallet_version IS NULL OR (e.wallet_version <> 1 AND p.id IS NULL) OR p.created_at > e.created_at
           OR EXISTS (SELECT FROM transactions_ledgerentry twin WHERE twin.wallet_id = e.wallet_id
                                                                  AND twin.wallet_version = e.wallet_version
                                                                  AND twin.id <> e.id)
           OR e.wallet_balance_after IS DISTINCT FROM coalesce(p.wallet_balance_after, 0) + :signed)
"""

SHOWS_ITS_LAST_ENTRY: Final = """
    SELECT w.id AS key, 'balance ' || w.balance || ' at version ' || w.version || ', its last entry says '
           || coalesce(last.wallet_balance_after, 0) || ' at version ' || coalesce(last.wallet_version, 0) AS detail
    FROM wallet_wallet w
    LEFT JOIN LATERAL (
        SELECT e.wallet_balance_after, e.wallet_version, e.created_at FROM transactions_ledgerentry e
        WHERE e.wallet_id = w.id ORDER BY e.wallet_version DESC LIMIT 1
    ) last ON true
    WHERE (w.balance, w.version) IS DISTINCT FROM
          (coalesce(last.wallet_balance_after, 0), coalesce(last.wallet_version, 0))
       OR w.last_entry_at IS DISTINCT FROM last.created_at
"""

TWINS: Final = """
    SELECT t.id AS key, 'reference ' || t.reference || ', or its source or reversal' AS detail
    FROM transactions_transaction t
    WHERE EXISTS (SELECT FROM public.transactions_transaction o
                  WHERE o.reference = t.reference AND o.from_user_id = t.from_user_id AND o.id <> t.id)
       OR EXISTS (SELECT FROM public.transactions_transaction o
                  WHERE t.reference ~ %(made)s AND o.reference = t.reference AND o.id <> t.id)
       OR EXISTS (SELECT FROM public.transactions_transaction o
                  WHERE t.source_id IS NOT NULL AND o.id <> t.id
                    AND (o.type, o.source_kind, o.source_id) = (t.type, t.source_kind, t.source_id))
       OR EXISTS (SELECT FROM public.transactions_transaction o WHERE o.reverses_id = t.reverses_id AND o.id <> t.id)
"""


@dataclass(frozen=True, slots=True)
class Since:
    """Up to where everything was proven."""

    entry: int
    hold: int

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of the queries of this module."""
        return {"since_entry": self.entry, "since_hold": self.hold}


_OWN: Final[Mapping[str, tuple[str, str]]] = {
    entries.FOLLOW.code: ("", FOLLOW),
    movements.TWINS.code: (BOOKS, TWINS),
    wallets.SHOWS_ITS_ENTRIES.code: ("", SHOWS_ITS_LAST_ENTRY),
    wallets.SPENT.code: (SPENDERS, wallets.SPENT.sql),
    snapshots.BALANCES.code: (SNAPSHOTS, snapshots.BALANCES.sql),
}
_OF_BOOKS: Final = frozenset(
    check.code for check in (*entries.CHECKS, *movements.CHECKS, chart_rules.ALLOWED)
)


def query(check: Check, since: Since | None) -> tuple[str, dict[str, Any]]:
    """Return the query of a check and its parameters: of the whole ledger, or of what is new since."""
    if since is None:
        return check.query, check.parameters()
    prefix, sql = _OWN.get(check.code) or (BOOKS if check.code in _OF_BOOKS else "", check.sql)
    return listing(sql, prefix), check.parameters() | since.parameters
