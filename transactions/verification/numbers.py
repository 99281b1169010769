"""The check of the numbers that a sequence gives: seals, copies and marks go by them, each from the last one onwards.

A number at or below zero is before all of them, one that is still to be given is behind a mark as soon as it is given:
of neither would anything be asked again. So this is asked of all rows in every verification. It reads both ends of each
index, and more only when something is there.
"""

from typing import Final

from transactions.verification.check import Check

_NUMBERED: Final = (
    ("entry", "transactions_ledgerentry", "id", "given.entry"),
    ("transaction", "transactions_transaction", "hold_number", "given.hold"),
    ("transaction", "transactions_transaction", "end_number", "given.hold"),
    ("wallet", "wallet_wallet", "opening_number", "given.hold"),
)
# The highest is asked for once, so that the planner does not expect, and read, a third of the table above it.
_OUTSIDE: Final = """
    SELECT '{of} ' || r.id AS key, '{column} ' || r.{column} || ', given up to ' || {given} AS detail
    FROM {table} r, given WHERE r.{column} <= 0
    UNION ALL
    SELECT '{of} ' || r.id, '{column} ' || r.{column} || ', given up to ' || (SELECT {given} FROM given)
    FROM {table} r
    WHERE (SELECT max({column}) FROM {table}) > (SELECT {given} FROM given)
      AND r.{column} > (SELECT {given} FROM given)
"""

GIVEN: Final = Check(
    "numbers_are_given_by_their_sequence",
    "An entry, a hold, an end or an opening has a number that no sequence gave: seals and copies would leave it out.",
    "number of",
    """
    WITH given AS MATERIALIZED (
        SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('public.transactions_ledgerentry', 'id')), 0)
               AS entry,
               coalesce(pg_sequence_last_value(to_regclass('public.transactions_two_phase_seq')), 0) AS hold
    )
    """
    + "    UNION ALL\n".join(
        _OUTSIDE.format(of=of, table=table, column=column, given=given)
        for of, table, column, given in _NUMBERED
    ),
)

CHECKS = (GIVEN,)
