"""Credits that could not land: money in ``suspense`` under its owner's name.

Parking is part of the posting that brought the money in; ``releasing`` brings it home, ``undoing`` takes it back.
Whoever does either holds the row before any wallet, so that one of them sees what the other has done.
"""

from django.db.models import Q

from notifications.services import publish
from transactions.enums import ParkedCreditStatus
from transactions.events import facts_of
from transactions.models import ParkedCredit, Transaction
from transactions.services.steps import Parked


def record(parked: Parked, booked: Transaction) -> ParkedCredit:
    """Write the row of a credit that was just booked to ``suspense``, and tell its owner."""
    draft = parked.draft
    if draft.to_user_id is None:
        raise ValueError("a parked credit has an owner")
    row = ParkedCredit.objects.create(
        owner_id=draft.to_user_id,
        wallet_id=parked.wallet_id,
        parked_by=booked,
        type=draft.type,
        amount=draft.amount,
        currency=draft.currency,
        reason=parked.reason,
        created_at=booked.created_at,
    )
    tell("credit.parked", row)
    return row


def held_credit_of(transaction: Transaction) -> ParkedCredit | None:
    """Lock the credit that a movement parked or released, and return it as it is then; None where there is none.

    What it names is not read along: after a wait for the lock that would be as old as before it.
    """
    found = Q(parked_by=transaction) | Q(released_by=transaction)
    return ParkedCredit.objects.select_for_update(no_key=True).filter(found).first()


def mark_reversed(row: ParkedCredit, mirror: Transaction) -> None:
    """Write that a credit, which the caller holds, was taken back by this mirror of what had parked it."""
    row.status, row.reversed_by, row.reversed_at = ParkedCreditStatus.REVERSED, mirror, mirror.created_at
    row.save(update_fields=["status", "reversed_by", "reversed_at"])


def tell(event: str, row: ParkedCredit) -> None:
    """Publish what became of a parked credit to its owner, and which of their movements it is."""
    payload = {"parked_credit_id": str(row.pk), **facts_of(row.parked_by, amount=row.amount)}
    if event == "credit.parked":
        payload["reason"] = row.reason
    publish(type=event, user_id=row.owner_id, payload=payload)
