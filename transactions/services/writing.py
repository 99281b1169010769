"""Writing a business step: its rows as data, sent by the statement of ``write_statements``, large ones in parts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NotRequired, TypedDict, cast
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import DEFAULT_DB_ALIAS
from django.db.models.base import ModelState

from fintech_core.prepared import as_json_rows
from transactions.drafts import Conversion
from transactions.enums import TransactionStatus
from transactions.models import Transaction
from transactions.services.locking import LockedWallet
from transactions.services.write_statements import TRANSACTION_ID_AND_TIME, WRITE

# How much of a large step the server is given while the rest is decided, in entries; first a little, so that it begins.
FIRST_PART_ENTRIES = 100
PART_ENTRIES = 400


class TransactionRow(TypedDict):
    """A transaction that is born in this step; amounts in major units. What is left out is NULL.

    Ordinary movements leave out what they have not: a NULL in JSON is written, sent, read and parsed like any value.
    """

    id: UUID
    reference: str
    type: str
    status: str
    currency: str
    amount: Decimal
    fee: Decimal
    hold_amount: NotRequired[Decimal | None]
    expires_at: NotRequired[datetime | None]
    from_wallet_id: UUID | None
    to_wallet_id: UUID | None
    from_user_id: UUID | None
    to_user_id: UUID | None
    initiated_by_id: UUID | None
    description: str
    metadata: dict[str, Any]
    reverses_id: NotRequired[UUID | None]
    refund_of_id: NotRequired[UUID | None]
    source_kind: str
    source_id: NotRequired[UUID | None]
    effective_at: NotRequired[datetime | None]


_UNSET: dict[str, Any] = {
    field.attname: field.get_default()
    for field in Transaction._meta.concrete_fields
    if field.attname not in TransactionRow.__required_keys__
}


class EntryRow(TypedDict):
    """One line of the journal, as it will be stored. What is left out is NULL."""

    transaction_id: UUID
    account_id: int
    wallet_id: UUID | None
    direction: str
    amount: Decimal
    currency: str
    balance_after: Decimal | None
    version: int | None
    effective_at: NotRequired[datetime]


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
    """Everything that a step writes."""

    transactions: list[TransactionRow] = field(default_factory=list)
    resolutions: list[Resolution] = field(default_factory=list)
    entries: list[EntryRow] = field(default_factory=list)
    conversions: dict[UUID, Conversion] = field(default_factory=dict)
    # Whether the database may refuse it for what only it knows: what was booked before, which month is closed.
    is_contestable: bool = False
    # When all of it is recorded, by the database's clock; None until it is known.
    moment: datetime | None = None
    # What was decided is written up to here.
    written_transactions: int = 0
    written_entries: int = 0

    @property
    def has_a_part(self) -> bool:
        """Whether enough was decided since the last part to let the server begin with it."""
        enough = PART_ENTRIES if self.written_entries else FIRST_PART_ENTRIES
        return len(self.entries) - self.written_entries >= enough

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.transactions or self.resolutions)


class NotAllResolved(Exception):
    """A transaction that was pending under the lock is not: the whole step must be rolled back."""


def write_part(batch: Batch, wallets: Mapping[UUID, LockedWallet]) -> None:
    """Let the server begin to write what was decided since the last part, and decide on while it does.

    Only postings may have been decided, which change no wallet without an entry: the wallets of a part are those that
    it has entries of. The moment is the same for all parts of a step. Errors are raised by the next round trip.
    """
    parameters = _parameters(batch, _moved_since(wallets))
    WRITE[False, "conversions" in parameters].start(parameters)
    for wallet in wallets.values():
        wallet.entries = 0
    batch.written_transactions, batch.written_entries = len(batch.transactions), len(batch.entries)


def write(batch: Batch, wallets: Mapping[UUID, LockedWallet]) -> None:
    """Run the write statement, over what no part has written.

    The caller holds the wallets' locks. A batch that resolves nothing and is not contestable is queued for the next
    round trip of the transaction, its COMMIT at the latest (the last of several parts is begun at once): no rule of the
    books refuses it but for a fault of ours, and a time-out or a lost server is told there. Of the others it raises
    NotAllResolved, IntegrityError (the database's own refusals).
    """
    is_in_parts = batch.written_transactions > 0
    moved = _moved_since(wallets) if is_in_parts else list(wallets.values())
    parameters = _parameters(batch, moved)
    statement = WRITE[bool(batch.resolutions), "conversions" in parameters]
    if batch.is_contestable or batch.resolutions:
        resolved = statement.row(parameters) or (0,)
        if resolved[0] != len(batch.resolutions):
            raise NotAllResolved
    elif is_in_parts:
        statement.start(parameters)
    else:
        statement.queue(parameters)


def _moved_since(wallets: Mapping[UUID, LockedWallet]) -> list[LockedWallet]:
    """Return the wallets that have entries since the last part."""
    return [wallet for wallet in wallets.values() if wallet.entries]


def _parameters(batch: Batch, moved: Sequence[LockedWallet]) -> dict[str, object]:
    """Return what the write statement is given: what was decided since the last part."""
    transactions = batch.transactions[batch.written_transactions :]
    parameters: dict[str, object] = {
        "moment": _moment(batch),
        "transactions": as_json_rows([_with_json_metadata(row) for row in transactions]),
        "wallets": as_json_rows([_wallet_row(wallet) for wallet in moved]),
        "locked": len(moved),
        "entries": as_json_rows(batch.entries[batch.written_entries :]),
    }
    if batch.resolutions:
        parameters["resolutions"] = as_json_rows([_resolution_row(found) for found in batch.resolutions])
        parameters["resolved"] = len(batch.resolutions)
    converted = (
        [row["id"] for row in transactions if row["id"] in batch.conversions] if batch.conversions else []
    )
    if converted:
        rows = [_conversion_row(pk, batch.conversions[pk]) for pk in converted]
        parameters["conversions"] = as_json_rows(rows)
    return parameters


def _moment(batch: Batch) -> datetime:
    """Return when the step is recorded; without wallets, whose lock would tell it, the database is asked, once."""
    if batch.moment is None:
        ((_, batch.moment),) = TRANSACTION_ID_AND_TIME.rows()
    return cast(datetime, batch.moment)


def as_written(batch: Batch, pending: Mapping[UUID, Transaction]) -> dict[UUID, Transaction]:
    """Return the transactions as the statement stored them at the batch's moment, without reading them back."""
    moment = batch.moment
    rows: dict[UUID, Transaction] = {}
    for facts in batch.transactions:
        completed_at = moment if facts["status"] == TransactionStatus.COMPLETED else None
        stored: dict[str, Any] = {**_UNSET, **facts, "created_at": moment, "completed_at": completed_at}
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


def _instance(stored: dict[str, Any]) -> Transaction:
    """Make the instance of a stored row; to set field by field, as a query does, takes several times as long."""
    row = Transaction.__new__(Transaction)
    row.__dict__ = stored
    row._state = ModelState()
    row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS
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


def _conversion_row(pk: UUID, found: Conversion) -> dict[str, Any]:
    return {"id": pk, "amount": found.amount, "currency": found.currency, "rate": found.rate}


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
