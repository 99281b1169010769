"""Idempotency keys: one effect and one answer for each key, whatever dies in between.

The record is written in the same transaction as the effect (T1), so either both exist or neither does:

* the process dies before COMMIT: nothing exists, the next try runs;
* it dies after COMMIT: the next try finds the record and answers from it or from the document it names;
* the answer of COMMIT is lost: the key is looked up on a new connection, and nothing is ever run twice blindly.

A busy key is told by ``pg_try_advisory_xact_lock`` instead of waiting for a row that cannot be seen yet: at once, or as
soon as its turn has come (``grouping``).

What is read before the work is read in one round trip: the key's lock, an earlier answer, what the gate judges, and
what the work reads first. Only the results are looked at one after the other, so a replay needs no PIN, and whoever
sends a wrong PIN learns nothing of what was read.
"""

from fintech_core.idempotency.grouping import Group, GroupedRequest, Task
from fintech_core.idempotency.records import (
    KEPT_FOR,
    Answer,
    InProgress,
    KeyReused,
    OutcomeUnknown,
    Scope,
    find,
    forget_expired,
    register_document,
)
from fintech_core.idempotency.running import Gate, Written, run, run_prefetched

__all__ = [
    "KEPT_FOR",
    "Answer",
    "Gate",
    "Group",
    "GroupedRequest",
    "InProgress",
    "KeyReused",
    "OutcomeUnknown",
    "Scope",
    "Task",
    "Written",
    "find",
    "forget_expired",
    "register_document",
    "run",
    "run_prefetched",
]
