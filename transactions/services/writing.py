"""The one statement that writes a business step: transactions, holds resolved, wallets and entries together.

It is a data-modifying CTE over arrays, so it costs one round trip however many movements it carries, and the
triggers, which fire at its end, see all tables and can each check the whole. Time is the database's, read under the
wallet locks and never before a wallet's last entry.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection

from transactions.drafts import Conversion
from transactions.enums import TransactionStatus
from transactions.models import Transaction
from transactions.services.locking import LockedWallet

_NEW_TRANSACTIONS = """
new_transactions AS (
    INSERT INTO transactions_transaction (
        id, reference, type, status, currency, amount, fee, hold_amount, expires_at, from_wallet_id, to_wallet_id,
        from_user_id, to_user_id, initiated_by_id, description, metadata, reverses_id, refund_of_id, source_kind,
        source_id, converted_amount, converted_currency, conversion_rate, failure_code, created_at, completed_at,
        effective_at)
    SELECT d.id, d.reference, d.type, d.status, d.currency, d.amount, d.fee, d.hold_amount, d.expires_at,
           d.from_wallet_id, d.to_wallet_id, d.from_user_id, d.to_user_id, d.initiated_by_id, d.description,
           d.metadata, d.reverses_id, d.refund_of_id, d.source_kind, d.source_id, NULL, '', NULL, '', moment.at,
           CASE WHEN d.status = 'completed' THEN moment.at END, d.effective_at
    FROM moment, unnest(
        %(id)s::uuid[], %(reference)s::text[], %(type)s::text[], %(status)s::text[], %(currency)s::text[],
        %(amount)s::numeric[], %(fee)s::numeric[], %(hold_amount)s::numeric[], %(expires_at)s::timestamptz[],
        %(from_wallet_id)s::uuid[], %(to_wallet_id)s::uuid[], %(from_user_id)s::uuid[], %(to_user_id)s::uuid[],
        %(initiated_by_id)s::uuid[], %(description)s::text[], %(metadata)s::jsonb[], %(reverses_id)s::uuid[],
        %(refund_of_id)s::uuid[], %(source_kind)s::text[], %(source_id)s::uuid[], %(effective_at)s::timestamptz[]
    ) AS d(id, reference, type, status, currency, amount, fee, hold_amount, expires_at, from_wallet_id, to_wallet_id,
           from_user_id, to_user_id, initiated_by_id, description, metadata, reverses_id, refund_of_id, source_kind,
           source_id, effective_at)
)"""

_RESOLVED = """
resolved AS (
    UPDATE transactions_transaction t
    SET status = r.status, amount = r.amount, fee = r.fee, failure_code = r.failure_code, completed_at = moment.at
    FROM moment, unnest(%(resolved_id)s::uuid[], %(resolved_status)s::text[], %(resolved_amount)s::numeric[],
                        %(resolved_fee)s::numeric[], %(resolved_failure)s::text[])
        AS r(id, status, amount, fee, failure_code)
    WHERE t.id = r.id AND t.status = 'pending'
    RETURNING t.id
)"""

_WALLETS = """
wallets AS (
    UPDATE wallet_wallet w
    SET balance = d.balance, held = d.held, version = d.version,
        last_entry_at = CASE WHEN d.entries > 0 THEN moment.at ELSE w.last_entry_at END,
        spent_today = d.spent_today, spent_this_month = d.spent_this_month, spent_on = d.spent_on
    FROM moment, unnest(%(wallet_id)s::uuid[], %(wallet_balance)s::numeric[], %(wallet_held)s::numeric[],
                        %(wallet_version)s::bigint[], %(wallet_entries)s::int[], %(wallet_spent_today)s::numeric[],
                        %(wallet_spent_this_month)s::numeric[], %(wallet_spent_on)s::date[])
        AS d(id, balance, held, version, entries, spent_today, spent_this_month, spent_on)
    WHERE w.id = d.id
)"""

_ENTRIES = """
entries AS (
    INSERT INTO transactions_ledgerentry (
        transaction_id, account_id, wallet_id, direction, amount, currency, wallet_balance_after, wallet_version,
        created_at, effective_at)
    SELECT e.transaction_id, e.account_id, e.wallet_id, e.direction, e.amount, e.currency, e.balance_after, e.version,
           moment.at, e.effective_at
    FROM moment, unnest(%(entry_transaction)s::uuid[], %(entry_account)s::bigint[], %(entry_wallet)s::uuid[],
                        %(entry_direction)s::text[], %(entry_amount)s::numeric[], %(entry_currency)s::text[],
                        %(entry_balance)s::numeric[], %(entry_version)s::bigint[], %(entry_effective)s::timestamptz[])
        WITH ORDINALITY
        AS e(transaction_id, account_id, wallet_id, direction, amount, currency, balance_after, version, effective_at,
             line)
    {only_resolved}
    ORDER BY e.line
)"""

_ONLY_RESOLVED = """WHERE NOT e.transaction_id = ANY(%(resolved_id)s::uuid[])
          OR e.transaction_id IN (SELECT id FROM resolved)"""

_MOMENT = (
    "WITH moment AS MATERIALIZED (SELECT greatest(clock_timestamp(), %(not_before)s::timestamptz) AS at),"
)

# A posting without wallets must have its transaction id before it draws an entry id: what proves that the past is
# complete relies on it. A wallet lock gives one.
TAKE_TRANSACTION_ID = "SELECT pg_current_xact_id()"

_ONLY_POSTED_ENTRIES = _ENTRIES.replace("{only_resolved}", "")
_ALL_ENTRIES = _ENTRIES.replace("{only_resolved}", _ONLY_RESOLVED)
POST = "".join(
    (_MOMENT, _NEW_TRANSACTIONS, ",", _WALLETS, ",", _ONLY_POSTED_ENTRIES, " SELECT at, 0 FROM moment")
)
STEP = "".join(
    (_MOMENT, _NEW_TRANSACTIONS, ",", _RESOLVED, ",", _WALLETS, ",", _ALL_ENTRIES,
     " SELECT at, (SELECT count(*) FROM resolved) FROM moment")
)  # fmt: skip

# Ordinary steps pay nothing for what a conversion writes besides: a step that has one runs a statement of its own.
_CONVERTED = """
    LEFT JOIN unnest(%(converted_id)s::uuid[], %(converted_amount)s::numeric[], %(converted_currency)s::text[],
                     %(conversion_rate)s::numeric[]) AS c(id, amount, currency, rate) ON c.id = d.id
)"""
_CONVERTING = (
    _NEW_TRANSACTIONS.replace(
        "NULL, '', NULL, ''", "c.amount, coalesce(c.currency, ''), c.rate, ''"
    ).removesuffix("\n)")
    + _CONVERTED
)

TRANSACTION_COLUMNS = (
    "id", "reference", "type", "status", "currency", "amount", "fee", "hold_amount", "expires_at", "from_wallet_id",
    "to_wallet_id", "from_user_id", "to_user_id", "initiated_by_id", "description", "metadata", "reverses_id",
    "refund_of_id", "source_kind", "source_id", "effective_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class EntryRow:
    """One line of the journal, as it will be stored."""

    transaction_id: UUID
    account_id: int
    wallet_id: UUID | None
    direction: str
    amount: Decimal
    currency: str
    balance_after: Decimal | None
    version: int | None
    effective_at: datetime | None


@dataclass(frozen=True, slots=True)
class Resolution:
    """How a pending transaction ends."""

    transaction_id: UUID
    status: str
    amount: Decimal
    fee: Decimal
    failure_code: str


@dataclass(slots=True)
class Batch:
    """Everything one statement writes."""

    transactions: list[dict[str, Any]] = field(default_factory=list)
    resolutions: list[Resolution] = field(default_factory=list)
    entries: list[EntryRow] = field(default_factory=list)
    conversions: dict[UUID, Conversion] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.transactions or self.resolutions)


class NotAllResolved(Exception):
    """A transaction that was pending under the lock is not: the whole step must be rolled back."""


def write(batch: Batch, wallets: Mapping[UUID, LockedWallet]) -> datetime:
    """Run the write statement and return the recorded time.

    The caller holds the wallets' locks. Raises NotAllResolved, IntegrityError (the database's own refusals).
    """
    latest = max((wallet.last_entry_at for wallet in wallets.values() if wallet.last_entry_at), default=None)
    parameters = {"not_before": latest, **_transactions(batch), **_wallets(wallets), **_entries(batch)}
    statement = POST
    if batch.resolutions:
        statement = STEP
        parameters |= _resolutions(batch)
    if batch.conversions:
        statement = statement.replace(_NEW_TRANSACTIONS, _CONVERTING)
        parameters |= _conversions(batch)
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        if not wallets:
            cursor.execute(TAKE_TRANSACTION_ID)
        row = cursor.execute(statement, parameters).fetchone()
    if row is None or row[1] != len(batch.resolutions):
        raise NotAllResolved
    moment: datetime = row[0]
    return moment


def as_written(
    batch: Batch, pending: Mapping[UUID, Transaction], moment: datetime
) -> dict[UUID, Transaction]:
    """Return the transactions as the statement stored them at ``moment``, without reading them back."""
    rows: dict[UUID, Transaction] = {}
    for facts in batch.transactions:
        completed_at = moment if facts["status"] == TransactionStatus.COMPLETED else None
        row = Transaction(**facts, created_at=moment, completed_at=completed_at)
        if conversion := batch.conversions.get(row.pk):
            row.converted_amount, row.converted_currency = conversion.amount, conversion.currency
            row.conversion_rate = conversion.rate
        row._state.adding, row._state.db = False, connection.alias
        rows[row.pk] = row
    for resolution in batch.resolutions:
        row = pending[resolution.transaction_id]
        row.status, row.amount, row.fee = str(resolution.status), resolution.amount, resolution.fee
        row.failure_code, row.completed_at = resolution.failure_code, moment
        rows[row.pk] = row
    return rows


def _transactions(batch: Batch) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        name: [row[name] for row in batch.transactions] for name in TRANSACTION_COLUMNS if name != "metadata"
    }
    columns["metadata"] = [json.dumps(row["metadata"], cls=DjangoJSONEncoder) for row in batch.transactions]
    return columns


def _conversions(batch: Batch) -> dict[str, list[Any]]:
    rows = batch.conversions
    return {
        "converted_id": list(rows),
        "converted_amount": [row.amount for row in rows.values()],
        "converted_currency": [row.currency for row in rows.values()],
        "conversion_rate": [row.rate for row in rows.values()],
    }


def _resolutions(batch: Batch) -> dict[str, list[Any]]:
    return {
        "resolved_id": [row.transaction_id for row in batch.resolutions],
        "resolved_status": [row.status for row in batch.resolutions],
        "resolved_amount": [row.amount for row in batch.resolutions],
        "resolved_fee": [row.fee for row in batch.resolutions],
        "resolved_failure": [row.failure_code for row in batch.resolutions],
    }


def _wallets(wallets: Mapping[UUID, LockedWallet]) -> dict[str, list[Any]]:
    rows = list(wallets.values())
    return {
        "wallet_id": [row.id for row in rows],
        "wallet_balance": [row.balance for row in rows],
        "wallet_held": [row.held for row in rows],
        "wallet_version": [row.version for row in rows],
        "wallet_entries": [row.entries for row in rows],
        "wallet_spent_today": [row.spent.today for row in rows],
        "wallet_spent_this_month": [row.spent.this_month for row in rows],
        "wallet_spent_on": [row.spent.on for row in rows],
    }


def _entries(batch: Batch) -> dict[str, list[Any]]:
    rows = batch.entries
    return {
        "entry_transaction": [row.transaction_id for row in rows],
        "entry_account": [row.account_id for row in rows],
        "entry_wallet": [row.wallet_id for row in rows],
        "entry_direction": [row.direction for row in rows],
        "entry_amount": [row.amount for row in rows],
        "entry_currency": [row.currency for row in rows],
        "entry_balance": [row.balance_after for row in rows],
        "entry_version": [row.version for row in rows],
        "entry_effective": [row.effective_at for row in rows],
    }
