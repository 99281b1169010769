"""Figures that are counted rather than raced: statements, bytes, and how fast a proof reads the ledger."""

import statistics
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg

from bench.ground import Ground

_SIZES = """
    SELECT sum(pg_total_relation_size(t)) FROM unnest(ARRAY[
        'transactions_transaction', 'transactions_ledgerentry', 'wallet_wallet']::regclass[]) t
"""
_WAL = "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint"
_MADE = "SELECT count(*) FROM transactions_transaction"
_ENTRIES = "SELECT count(*) FROM transactions_ledgerentry"


def queries_of_a_transfer() -> int:
    """Return how many statements run between BEGIN and COMMIT of a transfer in a warm process. Runs inside Django."""
    from django.db import transaction

    from bench.transfers import wallet
    from fintech_core import clock
    from fintech_core.prepared import Statement
    from transactions.services import TransactionService

    counted = 0

    def counting(method: Callable[..., Any]) -> Callable[..., Any]:
        def counts(*given: Any, **options: Any) -> Any:
            nonlocal counted
            counted += 1
            return method(*given, **options)

        return counts

    setattr(psycopg.Cursor, "execute", counting(psycopg.Cursor.execute))  # noqa: B010  Django's cursors end here
    setattr(Statement, "queue", counting(Statement.queue))  # noqa: B010  and what is prepared goes past them
    for _ in range(3):
        with transaction.atomic():
            counted = 0
            TransactionService.transfer_money(
                sender=wallet(1), recipient=wallet(2), amount=Decimal(1), now=clock.now()
            )
    return counted


def seconds_to_verify() -> float:
    """Return how long a full verification takes that finds nothing. Runs inside Django."""
    from transactions.verification import verify

    began = time.monotonic()
    findings = verify().findings
    if findings:
        raise RuntimeError(f"the benchmark's own ledger is not sound: {findings}")
    return time.monotonic() - began


class Meter:
    """What a run wrote, by transfer: bytes of WAL, and by how much tables and indexes grew."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._before = self._read()

    def _read(self) -> tuple[int, int, int]:
        return self._ground.ask(_WAL), self._ground.ask(_SIZES), self._ground.ask(_MADE)

    def per_transfer(self) -> tuple[float, float]:
        """Return the bytes of WAL and of disk for each transfer made since the beginning."""
        wal, size, made = (after - before for after, before in zip(self._read(), self._before, strict=True))
        return wal / made, size / made


def verify_against_copy(ground: Ground, rounds: int) -> tuple[float, float, int]:
    """Return entries per second of a full verification and of a raw COPY of the entries, and how many there are."""
    entries = ground.ask(_ENTRIES)
    verified, copied = [], []
    for _ in range(rounds):
        verified.append(entries / ground.inside("proof:seconds_to_verify"))
        copied.append(entries / _copy_seconds(ground))
    return statistics.median(verified), statistics.median(copied), entries


def _copy_seconds(ground: Ground) -> float:
    began = time.monotonic()
    with (
        psycopg.connect(ground.owner_url) as connection,
        connection.cursor() as cursor,
        cursor.copy("COPY transactions_ledgerentry TO STDOUT") as rows,
    ):
        for _ in rows:
            pass
    return time.monotonic() - began
