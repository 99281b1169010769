"""The items of a bulk: whom each goes to, what is refused before any lock, and booking many of them at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.db import transaction as db

from fintech_core.exceptions import DomainError
from notifications.services import publish_many
from transactions import selectors
from transactions.drafts import Source, TransactionDraft, transfer_draft
from transactions.enums import BulkItemStatus, BulkMode
from transactions.errors import (
    DuplicateReference,
    KycRequired,
    RecipientCannotReceive,
    RecipientNotFound,
    SameWallet,
    TooManyUnknownRecipients,
    WalletFrozen,
)
from transactions.events import transfer_received
from transactions.models import BulkTransfer, BulkTransferItem, Transaction
from transactions.services.ledger import TransactionService
from users.models import User
from wallet.enums import WalletKind
from wallet.errors import PreconditionFailed
from wallet.models import Wallet

SOURCE_KIND = "bulk_transfer_item"
# Most addresses of one bulk that may be nobody's; each of them counts with the lookups of recipients.
MAX_UNKNOWN = 20
DETAIL_LENGTH = 200
# Saving the models of a chunk costs more than booking it.
_RESULTS = """
    UPDATE transactions_bulktransferitem i
    SET status = r.status, transaction_id = r.transaction_id, failure_code = r.failure_code,
        failure_detail = r.failure_detail
    FROM unnest(%(id)s::uuid[], %(status)s::text[], %(transaction)s::uuid[], %(code)s::text[], %(detail)s::text[])
        AS r(id, status, transaction_id, failure_code, failure_detail)
    WHERE i.id = r.id AND i.status = 'pending'
"""
# Refusals of the sender as such: all or nothing is refused by them like a single transfer.
OF_THE_SENDER = (KycRequired, WalletFrozen, PreconditionFailed)


@dataclass(frozen=True, slots=True)
class BulkItem:
    """One transfer as it was asked for; ``to`` is an e-mail address or a phone number (E.164)."""

    to: str
    amount: Decimal
    description: str = ""
    reference: str = ""


def prepare(bulk: BulkTransfer, items: Sequence[BulkItem]) -> list[BulkTransferItem]:
    """Return the rows of a bulk, not stored yet; what can be refused without a lock is refused already.

    Of a reference that stands twice the first goes on. Raises TooManyUnknownRecipients.
    """
    people = selectors.find_recipients(to={item.to for item in items})
    if len({item.to for item in items} - people.keys()) > MAX_UNKNOWN:
        raise TooManyUnknownRecipients(
            f"More than {MAX_UNKNOWN} of the recipients are unknown. Check the list."
        )
    wallets = _main_wallets(people.values(), bulk.currency)
    seen: set[str] = set()
    rows = []
    for index, item in enumerate(items):
        person = people.get(item.to)
        wallet = wallets.get(person.pk) if person is not None else None
        row = BulkTransferItem(
            bulk=bulk, index=index, to_wallet=wallet, amount=item.amount, description=item.description,
            reference=item.reference,
        )  # fmt: skip
        if person is None:
            refuse(row, RecipientNotFound("Nobody here has this e-mail address or verified phone number."))
        elif person.pk == bulk.sender_id:
            refuse(row, SameWallet("Sender and recipient are the same person."))
        elif wallet is None:
            refuse(row, RecipientCannotReceive(f"The recipient has no {bulk.currency} wallet."))
        elif item.reference and item.reference in seen:
            refuse(row, DuplicateReference("This reference stands in the same request before."))
        seen.add(item.reference)
        rows.append(row)
    return rows


def book(
    bulk: BulkTransfer, rows: Iterable[BulkTransferItem], *, now: datetime, if_match: str | None = None
) -> list[Transaction]:
    """Book the pending rows at once, each on its own, and put the result on each; the rows are not stored.

    Returns what was booked. Raises MoneyOutPaused, and of an all-or-nothing bulk what refuses its sender as such:
    KycRequired, WalletFrozen, PreconditionFailed (``if_match`` names another state of the wallet).
    """
    pending, results = _post(bulk, rows, now, if_match)
    booked = []
    for row, result in zip(pending, results, strict=True):
        if isinstance(result, Transaction):
            row.status, row.transaction = BulkItemStatus.COMPLETED, result
            booked.append(result)
        elif isinstance(result, OF_THE_SENDER) and bulk.mode == BulkMode.ALL_OR_NOTHING:
            raise result
        else:
            refuse(row, result)
    _tell_receivers(bulk.sender, pending)
    return booked


def refuse(row: BulkTransferItem, refusal: DomainError) -> None:
    """Put a refusal on a row."""
    row.status = BulkItemStatus.FAILED
    row.failure_code, row.failure_detail = refusal.code, refusal.detail[:DETAIL_LENGTH]


def store_results(rows: Sequence[BulkTransferItem]) -> None:
    """Store the results of rows that are in the database already, with one statement."""
    parameters: dict[str, list[Any]] = {
        "id": [row.pk for row in rows],
        "status": [str(row.status) for row in rows],
        "transaction": [row.transaction_id for row in rows],
        "code": [row.failure_code for row in rows],
        "detail": [row.failure_detail for row in rows],
    }
    with connection.cursor() as cursor:
        cursor.execute(_RESULTS, parameters)


def _post(
    bulk: BulkTransfer, rows: Iterable[BulkTransferItem], now: datetime, if_match: str | None
) -> tuple[list[BulkTransferItem], list[Transaction | DomainError]]:
    """Post the pending rows but those whose reference the sender has used; return what was tried, and its results.

    Another bulk of the sender may use one of the references between the look and the write. The next look sees it, so
    each round refuses at least one row more.
    """
    pending = [row for row in rows if row.status == BulkItemStatus.PENDING]
    for rounds_left in reversed(range(1 + sum(row.reference != "" for row in pending))):
        pending = _unless_used(bulk, pending)
        drafts = [_draft(bulk, row) for row in pending]
        # The first one finds the wallet as the sender knew it; the others find what it left.
        drafts[:1] = [replace(draft, if_match=if_match) for draft in drafts[:1]]
        try:
            with db.atomic():
                return pending, TransactionService.post_each(drafts, now=now)
        except DuplicateReference:
            if not rounds_left:
                raise
    raise AssertionError("unreachable: the last round returns or raises")


def _unless_used(bulk: BulkTransfer, rows: Sequence[BulkTransferItem]) -> list[BulkTransferItem]:
    """Refuse the rows whose reference the sender has used before; return the others."""
    given = [row.reference for row in rows if row.reference]
    if not given:
        return list(rows)
    earlier = Transaction.objects.filter(from_user=bulk.sender_id, reference__in=given)
    used = set(earlier.values_list("reference", flat=True))
    for row in rows:
        if row.reference in used:
            refuse(row, DuplicateReference("You used this reference before."))
    return [row for row in rows if row.status == BulkItemStatus.PENDING]


def _main_wallets(people: Iterable[User], currency: str) -> dict[UUID, Wallet]:
    found = Wallet.objects.filter(owner__in=list(people), kind=WalletKind.MAIN, currency=currency)
    return {wallet.owner_id: wallet for wallet in found.select_related("owner")}


def _draft(bulk: BulkTransfer, row: BulkTransferItem) -> TransactionDraft:
    if row.to_wallet is None:
        raise ValueError("an item without a recipient is refused, not booked")
    return transfer_draft(
        from_wallet_id=bulk.wallet_id,
        from_user_id=bulk.sender_id,
        to_wallet_id=row.to_wallet.pk,
        to_user_id=row.to_wallet.owner_id,
        amount=row.amount,
        currency=bulk.currency,
        description=row.description,
        reference=row.reference,
        source=Source(SOURCE_KIND, row.pk),
    )


def _tell_receivers(sender: User, rows: Iterable[BulkTransferItem]) -> None:
    """Tell each receiver; the sender is told once, when the whole is done."""
    publish_many(
        [transfer_received(row.transaction, sender=sender) for row in rows if row.transaction is not None]
    )
