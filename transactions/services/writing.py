"""The one statement that writes a business step: transactions, holds resolved, wallets and entries together.

It is a data-modifying CTE over one JSON document for each table, so it costs one round trip however many movements it
carries, and the triggers, which fire at its end, see all tables and can each check the whole. Time is the database's,
read under the wallet locks and never before a wallet's last entry.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypedDict
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.db.models.base import ModelState

from fintech_core.prepared import Statement, as_json_rows
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
    FROM moment, json_to_recordset(%(transactions)s::json) AS d(
        id uuid, reference text, type text, status text, currency text, amount numeric, fee numeric,
        hold_amount numeric, expires_at timestamptz, from_wallet_id uuid, to_wallet_id uuid, from_user_id uuid,
        to_user_id uuid, initiated_by_id uuid, description text, metadata jsonb, reverses_id uuid, refund_of_id uuid,
        source_kind text, source_id uuid, effective_at timestamptz)
)"""

_RESOLVED = """
resolved AS (
    UPDATE transactions_transaction t
    SET status = r.status, amount = r.amount, fee = r.fee, failure_code = r.failure_code, completed_at = moment.at
    FROM moment, json_to_recordset(%(resolutions)s::json) AS r(
        id uuid, status text, amount numeric, fee numeric, failure_code text)
    WHERE t.id = r.id AND t.status = 'pending'
    RETURNING t.id
)"""

_WALLETS = """
wallets AS (
    UPDATE wallet_wallet w
    SET balance = d.balance, held = d.held, version = d.version,
        last_entry_at = CASE WHEN d.entries > 0 THEN moment.at ELSE w.last_entry_at END,
        spent_today = d.spent_today, spent_this_month = d.spent_this_month, spent_on = d.spent_on
    FROM moment, json_to_recordset(%(wallets)s::json) AS d(
        id uuid, balance numeric, held numeric, version bigint, entries int, spent_today numeric,
        spent_this_month numeric, spent_on date)
    WHERE w.id = d.id
)"""

_ENTRIES = """
entries AS (
    INSERT INTO transactions_ledgerentry (
        transaction_id, account_id, wallet_id, direction, amount, currency, wallet_balance_after, wallet_version,
        created_at, effective_at)
    SELECT e.transaction_id, e.account_id, e.wallet_id, e.direction, e.amount, e.currency, e.balance_after, e.version,
           moment.at, e.effective_at
    FROM moment, ROWS FROM (json_to_recordset(%(entries)s::json) AS (
        transaction_id uuid, account_id bigint, wallet_id uuid, direction text, amount numeric, currency text,
        balance_after numeric, version bigint, effective_at timestamptz)) WITH ORDINALITY AS e(
        transaction_id, account_id, wallet_id, direction, amount, currency, balance_after, version, effective_at, line)
    {only_resolved}
    ORDER BY e.line
)"""

_ONLY_RESOLVED = """
    WHERE e.transaction_id NOT IN (SELECT id FROM json_to_recordset(%(resolutions)s::json) AS r(id uuid))
       OR e.transaction_id IN (SELECT id FROM resolved)"""

_MOMENT = (
    "WITH moment AS MATERIALIZED (SELECT greatest(clock_timestamp(), %(not_before)s::timestamptz) AS at),"
)

# A posting without wallets must have its transaction id before it draws an entry id: what proves that the past is
# complete relies on it. A wallet lock gives one.
TAKE_TRANSACTION_ID = Statement("SELECT pg_current_xact_id()")

_ONLY_POSTED_ENTRIES = _ENTRIES.replace("{only_resolved}", "")
_ALL_ENTRIES = _ENTRIES.replace("{only_resolved}", _ONLY_RESOLVED)
# Ordinary steps pay nothing for what a conversion writes besides: a step that has one runs a statement of its own.
_CONVERTED = """
    LEFT JOIN json_to_recordset(%(conversions)s::json) AS c(id uuid, amount numeric, currency text, rate numeric)
           ON c.id = d.id
)"""
_CONVERTING = (
    _NEW_TRANSACTIONS.replace(
        "NULL, '', NULL, ''", "c.amount, coalesce(c.currency, ''), c.rate, ''"
    ).removesuffix("\n)")
    + _CONVERTED
)


def _statement(*, resolves: bool, converts: bool) -> Statement:
    movements = _CONVERTING if converts else _NEW_TRANSACTIONS
    parts = (
        (movements, _RESOLVED, _WALLETS, _ALL_ENTRIES)
        if resolves
        else (movements, _WALLETS, _ONLY_POSTED_ENTRIES)
    )
    resolved = "(SELECT count(*) FROM resolved)" if resolves else "0"
    return Statement(
        "".join((_MOMENT, ",".join(parts), " SELECT at, ", resolved, " FROM moment")), binary=True
    )


# By whether a step resolves holds, and whether it converts.
WRITE: Final = {
    (resolves, converts): _statement(resolves=resolves, converts=converts)
    for resolves in (False, True)
    for converts in (False, True)
}


class TransactionRow(TypedDict):
    """A transaction that is born in this step; amounts in major units."""

    id: UUID
    reference: str
    type: str
    status: str
    currency: str
    amount: Decimal
    fee: Decimal
    hold_amount: Decimal | None
    expires_at: datetime | None
    from_wallet_id: UUID | None
    to_wallet_id: UUID | None
    from_user_id: UUID | None
    to_user_id: UUID | None
    initiated_by_id: UUID | None
    description: str
    metadata: dict[str, Any]
    reverses_id: UUID | None
    refund_of_id: UUID | None
    source_kind: str
    source_id: UUID | None
    effective_at: datetime | None


_UNSET: dict[str, Any] = {
    field.attname: field.get_default()
    for field in Transaction._meta.concrete_fields
    if field.attname not in TransactionRow.__annotations__
}


class EntryRow(TypedDict):
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

    transactions: list[TransactionRow] = field(default_factory=list)
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
    parameters = {
        "not_before": latest,
        "transactions": as_json_rows([_with_json_metadata(row) for row in batch.transactions]),
        "wallets": as_json_rows([_wallet_row(wallet) for wallet in wallets.values()]),
        "entries": as_json_rows(batch.entries),
    }
    if batch.resolutions:
        parameters["resolutions"] = as_json_rows([_resolution_row(found) for found in batch.resolutions])
    if batch.conversions:
        parameters["conversions"] = as_json_rows(
            [
                {"id": pk, "amount": found.amount, "currency": found.currency, "rate": found.rate}
                for pk, found in batch.conversions.items()
            ]
        )
    if not wallets:
        TAKE_TRANSACTION_ID.row()
    row = WRITE[bool(batch.resolutions), bool(batch.conversions)].row(parameters)
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
        stored = {**_UNSET, **facts, "created_at": moment, "completed_at": completed_at}
        if conversion := batch.conversions.get(facts["id"]):
            stored |= {
                "converted_amount": conversion.amount,
                "converted_currency": conversion.currency,
                "conversion_rate": conversion.rate,
            }
        rows[facts["id"]] = _instance(stored)
    for resolution in batch.resolutions:
        row = pending[resolution.transaction_id]
        row.status, row.amount, row.fee = str(resolution.status), resolution.amount, resolution.fee
        row.failure_code, row.completed_at = resolution.failure_code, moment
        rows[row.pk] = row
    return rows


def _instance(stored: Mapping[str, Any]) -> Transaction:
    """Make the instance of a stored row; to set field by field, as a query does, takes several times as long."""
    row = Transaction.__new__(Transaction)
    row._state = ModelState()
    row._state.adding, row._state.db = False, connection.alias
    row.__dict__.update(stored)
    return row


def _with_json_metadata(row: TransactionRow) -> Mapping[str, Any]:
    """Return the row with its metadata as JSON has it, the way Django stores it."""
    if not row["metadata"]:
        return row
    return {**row, "metadata": json.loads(json.dumps(row["metadata"], cls=DjangoJSONEncoder))}


def _resolution_row(found: Resolution) -> dict[str, Any]:
    return {
        "id": found.transaction_id,
        "status": found.status,
        "amount": found.amount,
        "fee": found.fee,
        "failure_code": found.failure_code,
    }


def _wallet_row(wallet: LockedWallet) -> dict[str, Any]:
    return {
        "id": wallet.id,
        "balance": wallet.balance,
        "held": wallet.held,
        "version": wallet.version,
        "entries": wallet.entries,
        "spent_today": wallet.spent.today,
        "spent_this_month": wallet.spent.this_month,
        "spent_on": wallet.spent.on,
    }
