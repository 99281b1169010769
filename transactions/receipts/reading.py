"""What a receipt says: to one of its two sides, and to a stranger who holds its code."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.conf import settings

from transactions.enums import TransactionStatus
from transactions.errors import NoReceipt
from transactions.models import Transaction
from transactions.receipts.codes import code_of, read
from transactions.rendering import (
    amount_for,
    counterparty_name,
    fee_for,
)
from transactions.selectors import get_transaction_for, known_as, refunded_so_far, with_parties
from users.models import User
from users.names import masked_name

REAL, REVERSED, NOT_REAL = "real", "reversed", "not_real"


@dataclass(frozen=True, slots=True)
class Receipt:
    """A completed movement as one of its sides may show it; the receiver's has no fee."""

    transaction: Transaction
    code: str
    sender: str
    receiver: str
    amount: Decimal
    fee: Decimal

    @property
    def total(self) -> Decimal:
        """What the viewer paid, or got."""
        return self.amount + self.fee

    @property
    def verify_url(self) -> str:
        """The page that tells anybody whether this receipt is real."""
        return f"{settings.PUBLIC_URL}/receipts/{self.code}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a code stands for today: names masked, no reference, no note."""

    result: str
    transaction: Transaction | None = None
    sender: str = ""
    receiver: str = ""
    reversed_at: datetime | None = None
    refunded: Decimal = Decimal(0)


def receipt_for(*, user: User, transaction_id: UUID) -> Receipt:
    """Return the receipt of a movement that the user is a side of. Raises NotFound, NoReceipt.

    Money has one receipt: of the release of a parked credit it is the receipt of the credit.
    """
    found = get_transaction_for(user=user, transaction_id=transaction_id)
    if (known := known_as(found)) != found.pk:
        found = get_transaction_for(user=user, transaction_id=known)
    if found.status != TransactionStatus.COMPLETED:
        raise NoReceipt(f"It is {found.status}.")
    received = found.from_user_id != user.pk
    own, other = f"{user.first_name} {user.last_name}".strip(), counterparty_name(found, user.pk)
    incoming = received or found.from_user_id == found.to_user_id
    return Receipt(
        transaction=found,
        code=code_of(found.pk),
        sender=other if received else own,
        receiver=own if incoming else other,
        amount=amount_for(found, user.pk),
        fee=fee_for(found, user.pk),
    )


def verdict_on(*, code: str) -> Verdict:
    """Say whether a code is of a movement that happened, and whether it was undone since."""
    transaction_id = read(code)
    found: Transaction | None = None
    if transaction_id is not None:
        found = with_parties().filter(pk=transaction_id, status=TransactionStatus.COMPLETED).first()
    if found is None:
        return Verdict(NOT_REAL)
    mirror = getattr(found, "reversed_by", None)
    label = str(found.get_type_display())
    return Verdict(
        result=REAL if mirror is None else REVERSED,
        transaction=found,
        sender=masked_name(found.from_user) if found.from_user else label,
        receiver=masked_name(found.to_user) if found.to_user else label,
        reversed_at=None if mirror is None else mirror.created_at,
        refunded=refunded_so_far(found),
    )
