"""Up to where is the past of a table complete?

Ids and times are not commit order: a row with a lower id may become visible after one with a higher id.
Whoever reads a table once and moves on (snapshots, seals, verification, an event feed) would lose such a row
for good.

``watermark`` reads the cut first (the highest id that is visible), then draws a transaction id N of its own,
and waits until every transaction with an id up to N has ended. A row at or below the cut that is still to
come belongs to a transaction that drew the row's id before the cut was read, and a writer has its
transaction id before it draws a row's id; so that transaction's id is below N and has ended. The bound is N,
not the ``xmax`` of a snapshot: that one is one past the highest *completed* id, and running transactions may
lie above it.

A row whose id no sequence has given was put there by hand. It is left out: a cut up there would call complete all
that is still to come below it.

This holds only while writers keep their side: a row lock or any earlier write gives a transaction its id; a
writer that starts with the insert calls ``pg_current_xact_id()`` first.
"""

import time
from dataclasses import dataclass
from typing import Any, Final

from django.db import connections, models

DEFAULT_WAIT_S: Final = 5.0
FIRST_PAUSE_S: Final = 0.005
LONGEST_PAUSE_S: Final = 0.1


class WatermarkInTransaction(RuntimeError):
    """The watermark was asked for inside a transaction, which would hold it back itself: a bug."""


class WatermarkStalled(Exception):
    """A transaction has been open for too long; nothing behind it can be called complete.

    ``age_s`` is the age in seconds of the oldest transaction that writes, as far as this role may see it,
    and at least the time that was waited.
    """

    def __init__(self, table: str, age_s: float) -> None:
        self.table = table
        self.age_s = age_s
        super().__init__(f"the watermark of {table} is held back by a transaction that is {age_s:.1f} s old")


@dataclass(frozen=True, slots=True)
class Writers:
    """The open transactions that write: the age of the oldest in seconds, 0 when none is seen.

    PostgreSQL tells the age of a session to its own role, to members of it and to ``pg_read_all_stats`` alone. Of the
    others ``unseen_xid`` is the transaction id of the oldest, 0 when there is none: while it stays, that one is open.
    """

    oldest_s: float
    unseen_xid: int


def watermark(model: type[models.Model], *, wait_s: float = DEFAULT_WAIT_S, using: str = "default") -> int:
    """Return the id up to which the table's rows are final: none at or below it is still to come.

    The table has an integer key drawn from a sequence; 0 means that it is empty. Waits at most ``wait_s``
    seconds for transactions that are open. Needs the primary server. Raises WatermarkStalled,
    WatermarkInTransaction.
    """
    connection = connections[using]
    if connection.in_atomic_block or not connection.get_autocommit():
        raise WatermarkInTransaction("watermark() must run in autocommit, outside any transaction")
    highest: int = model._default_manager.using(using).aggregate(cut=models.Max("pk"))["cut"] or 0
    cut = min(highest, given_by(_sequence_of(model, using), using=using))
    bound = _scalar(using, "SELECT pg_current_xact_id()::text::bigint")
    started = time.monotonic()
    pause_s = FIRST_PAUSE_S
    while _scalar(using, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint") <= bound:
        waited_s = time.monotonic() - started
        if waited_s >= wait_s:
            raise WatermarkStalled(model._meta.db_table, max(waited_s, open_writers(using=using).oldest_s))
        time.sleep(min(pause_s, max(wait_s - waited_s, 0.001)))
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
    return cut


def given_by(sequence: str, *, using: str = "default") -> int:
    """Return the last number that a sequence has given; 0 when it has given none, or is missing."""
    return int(_scalar(using, "SELECT coalesce(pg_sequence_last_value(to_regclass(%s)), 0)", sequence))


def _sequence_of(model: type[models.Model], using: str) -> str:
    statement = "SELECT pg_get_serial_sequence(%s, %s)"
    return str(_scalar(using, statement, model._meta.db_table, model._meta.pk.column))


def open_writers(*, using: str = "default") -> Writers:
    """Look at every open transaction that has an id, in all databases of the server; prepared ones count too."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            """
            SELECT coalesce(extract(epoch FROM clock_timestamp() - min(since)), 0)::float8,
                   (array_agg(xid ORDER BY age(xid) DESC) FILTER (WHERE since IS NULL))[1]::text::bigint
              FROM (SELECT backend_xid, xact_start FROM pg_stat_activity WHERE backend_xid IS NOT NULL
                    UNION ALL SELECT transaction, prepared FROM pg_prepared_xacts) AS writers (xid, since)
            """
        )
        oldest_s, unseen_xid = cursor.fetchone() or (0.0, None)
    return Writers(max(0.0, oldest_s), unseen_xid or 0)


def _scalar(using: str, statement: str, *values: str | None) -> Any:
    """Run a statement in a transaction of its own and return its one value."""
    with connections[using].cursor() as cursor:
        cursor.execute(statement, values or None)
        row = cursor.fetchone()
    return 0 if row is None else row[0]
