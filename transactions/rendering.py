"""How a transaction looks to a client: one object, always with every field, told from the viewer's side."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from fintech_core import clock
from fintech_core.idempotency import Answer
from fintech_core.money import format_amount
from transactions.enums import TransactionStatus, TransactionType
from transactions.models import ParkedCredit, Transaction, is_passage
from transactions.selectors import parked_credit_of, with_parties
from users.models import User
from users.names import PersonName, masked_name

POLL_AFTER = timedelta(seconds=5)
RESOLVED_WITHIN = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Links:
    """The later movements that undo this one, in part or whole; the credit that it parked, or is a passage of."""

    reversed_by: UUID | None = None
    refunds: tuple[UUID, ...] = ()
    parked_credit: ParkedCredit | None = None

    @classmethod
    def of(cls, transaction: Transaction) -> "Links":
        """Read the links of a stored movement (prefetched by ``with_parties``)."""
        mirror = getattr(transaction, "reversed_by", None)
        refunds = tuple(row.pk for row in transaction.refunds.all())
        return cls(None if mirror is None else mirror.pk, refunds, parked_credit_of(transaction))


NEWLY_MADE = Links()


def render(transaction: Transaction, *, viewer_id: UUID, links: Links | None = None) -> dict[str, Any]:
    """Return the API's transaction object for one of its two sides; a receiver sees neither fee nor metadata.

    A movement that was made in this very transaction has no links yet: pass ``NEWLY_MADE``.
    """
    links = links or Links.of(transaction)
    received = transaction.from_user_id != viewer_id and transaction.to_user_id == viewer_id
    currency = transaction.currency
    amount, fee = amount_for(transaction, viewer_id), fee_for(transaction, viewer_id)
    direction = direction_for(transaction, viewer_id)
    pending = transaction.status == TransactionStatus.PENDING
    return {
        "id": str(transaction.pk),
        "reference": transaction.reference,
        "type": transaction.type,
        "status": transaction.status,
        "direction": direction,
        "amount": format_amount(amount, currency),
        "fee": format_amount(fee, currency),
        "total": format_amount(amount + fee, currency),
        "currency": currency,
        "counterparty": {"name": counterparty_name(transaction, viewer_id)},
        "description": transaction.description,
        "metadata": {} if received else transaction.metadata,
        "created_at": clock.rfc3339(transaction.created_at),
        "completed_at": clock.rfc3339(transaction.completed_at),
        "is_final": not pending,
        "next_poll_at": clock.rfc3339(clock.now() + POLL_AFTER) if pending else None,
        "resolve_by": clock.rfc3339(transaction.created_at + RESOLVED_WITHIN) if pending else None,
        "failure": _failure(transaction),
        "conversion": conversion_of(transaction),
        "reverses": None if transaction.reverses_id is None else str(transaction.reverses_id),
        "reversed_by": None if links.reversed_by is None else str(links.reversed_by),
        "refund_of": None if transaction.refund_of_id is None else str(transaction.refund_of_id),
        "refunds": [str(refund) for refund in links.refunds],
        "parked_credit": _waiting(links.parked_credit, direction),
    }


def answer(transaction_id: UUID) -> Answer:
    """Answer a replayed request from the state of the transaction it made, as its initiator sees it."""
    transaction = with_parties().get(pk=transaction_id)
    viewer = transaction.initiated_by_id or transaction.from_user_id or transaction.to_user_id
    body = render(transaction, viewer_id=viewer) if viewer else {}
    pending = transaction.status == TransactionStatus.PENDING
    return Answer(
        202 if pending else 201, body, is_final=not pending, document=("transaction", transaction_id)
    )


def amount_for(transaction: Transaction, viewer_id: UUID) -> Decimal:
    """Return what moved for this side, in major units, without a fee.

    A reversal gives the payer the fee back, too; whoever gives the money back never had that.
    """
    if direction_for(transaction, viewer_id) == "out" and transaction.reverses is not None:
        return transaction.amount - transaction.reverses.fee
    return transaction.amount


def fee_for(transaction: Transaction, viewer_id: UUID) -> Decimal:
    """Return what a movement cost this viewer on top: its fee for who paid it, nothing for who received money.

    A funding has no sender of ours; whoever gets it has paid it.
    """
    received = transaction.from_user_id != viewer_id and transaction.to_user_id == viewer_id
    paid_in = transaction.type == TransactionType.FUNDING
    return transaction.fee * 0 if received and not paid_in else transaction.fee


def direction_for(transaction: Transaction, viewer_id: UUID) -> str:
    """Say which way the money goes for this viewer: ``in``, ``out`` or ``self``.

    What a passage moves comes in with the credit that had to wait, and goes out with the reversal of that.
    """
    outgoing = transaction.from_user_id == viewer_id
    incoming = transaction.to_user_id == viewer_id
    if (incoming and outgoing) or ((incoming or outgoing) and is_passage(transaction)):
        return "self"
    return "out" if outgoing else "in"


def counterparty_name(transaction: Transaction, viewer_id: UUID) -> str:
    """Name the other side as it is called today."""
    other = counterparty_id(transaction, viewer_id)
    if other is None:
        return named(transaction, None)
    return named(
        transaction, transaction.from_user if other == transaction.from_user_id else transaction.to_user
    )


def counterparty_id(transaction: Transaction, viewer_id: UUID) -> UUID | None:
    """Return who the other side is; None where it is no other person."""
    received = transaction.to_user_id == viewer_id
    other = transaction.from_user_id if received else transaction.to_user_id
    return None if other == viewer_id else other


def named(transaction: Transaction, person: User | PersonName | None) -> str:
    """Name the other side: a person masked, a business by what the movement was for."""
    if person is not None:
        return masked_name(person)
    if (
        transaction.type in {TransactionType.FUNDING, TransactionType.BILL_PAYMENT}
        and transaction.description
    ):
        return transaction.description
    return str(transaction.get_type_display())


def _waiting(parked: ParkedCredit | None, direction: str) -> dict[str, Any] | None:
    """Write a parked credit; who gave the money is not told that its receiver cannot have it yet."""
    if parked is None or direction == "out":
        return None
    return {
        "id": str(parked.pk),
        "status": parked.status,
        "reason": parked.reason,
        "parked_by": str(parked.parked_by_id),
        "parked_at": clock.rfc3339(parked.created_at),
        "released_by": None if parked.released_by_id is None else str(parked.released_by_id),
        "released_at": clock.rfc3339(parked.released_at),
        "reversed_by": None if parked.reversed_by_id is None else str(parked.reversed_by_id),
        "reversed_at": clock.rfc3339(parked.reversed_at),
    }


def _failure(transaction: Transaction) -> dict[str, str] | None:
    if not transaction.failure_code:
        return None
    return {
        "code": transaction.failure_code,
        "detail": transaction.failure_code.replace("_", " ").capitalize() + ".",
    }


def conversion_of(transaction: Transaction) -> dict[str, str] | None:
    """Return the other currency's side of a conversion, or None."""
    if transaction.converted_amount is None:
        return None
    amount = format_amount(transaction.converted_amount, transaction.converted_currency)
    return {
        "amount_to": amount,
        "currency_to": transaction.converted_currency,
        "rate": f"{transaction.conversion_rate:f}",
    }
