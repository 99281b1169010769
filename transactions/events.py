"""What the events of the ledger tell; subscribers read these, so they only ever get more members."""

from decimal import Decimal

from fintech_core.money import format_amount
from notifications.services import EventDraft
from transactions.models import Transaction
from users.models import User
from users.names import masked_name


def facts_of(transaction: Transaction, *, amount: Decimal | None = None) -> dict[str, str]:
    """Return what every event of a movement carries; ``amount`` is what counts here where it is not what moved."""
    return {
        "transaction_id": str(transaction.pk),
        "reference": transaction.reference,
        "amount": format_amount(transaction.amount if amount is None else amount, transaction.currency),
        "currency": transaction.currency,
    }


def transfer_received(sent: Transaction, *, sender: User) -> EventDraft:
    """Draw up what the receiver of a transfer is told."""
    return EventDraft(
        "transfer.received", sent.to_user_id, {**facts_of(sent), "counterparty": masked_name(sender)}
    )
