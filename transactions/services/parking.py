"""Credits that could not land: money in ``suspense`` under its owner's name.

Parking is part of the posting that brought the money in; ``releasing`` brings it home.
"""

from notifications.services import publish
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


def tell(event: str, row: ParkedCredit) -> None:
    """Publish what became of a parked credit to its owner, and which of their movements it is."""
    payload = {"parked_credit_id": str(row.pk), **facts_of(row.parked_by, amount=row.amount)}
    if event == "credit.parked":
        payload["reason"] = row.reason
    publish(type=event, user_id=row.owner_id, payload=payload)
