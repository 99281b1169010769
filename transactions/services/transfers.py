"""Sending money to another person by e-mail address or verified phone number."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from fintech_core.money import format_amount
from notifications.services import EventDraft, publish_many
from transactions.errors import RecipientCannotReceive, RecipientNotFound, SameWallet
from transactions.models import Transaction
from transactions.rendering import masked_name
from transactions.selectors import find_recipient, find_wallet_of
from transactions.services.ledger import TransactionService
from users.models import User
from wallet.selectors import ask_for_main_wallet


@dataclass(frozen=True, slots=True)
class Lookup:
    """What a sender may know of a recipient before sending."""

    name: str
    verified: bool


def send_money(
    *,
    sender: User,
    to: str,
    amount: Decimal,
    currency: str,
    now: datetime,
    description: str = "",
    metadata: Mapping[str, Any] | None = None,
    if_match: str | None = None,
) -> Transaction:
    """Send money to whoever ``to`` (e-mail or phone) belongs to, and tell both, in the caller's transaction.

    Raises RecipientNotFound, RecipientCannotReceive, SameWallet, InsufficientFunds, LimitExceeded, KycRequired,
    WalletFrozen, MoneyOutPaused, NotFound (no wallet in this currency), PreconditionFailed (``if_match`` names another
    state of the sender's wallet).
    """
    asked = ask_for_main_wallet(user_id=sender.pk, currency=currency)  # and the next, in one wait
    target = find_wallet_of(to=to, currency=currency)
    recipient = target.owner if target is not None else find_recipient(to=to)
    if recipient is None:
        raise RecipientNotFound("Nobody here has this e-mail address or verified phone number.")
    if recipient.pk == sender.pk:
        raise SameWallet("Sender and recipient are the same person.")
    source = asked.get()
    if target is None:
        raise RecipientCannotReceive(f"The recipient has no {currency} wallet.")
    sent = TransactionService.transfer_money(
        sender=source,
        recipient=target,
        amount=amount,
        now=now,
        description=description,
        metadata=dict(metadata or {}),
        if_match=if_match,
    )
    sent.from_user, sent.to_user = sender, recipient
    _tell_both(sent, sender, recipient)
    return sent


def look_up(*, to: str) -> Lookup:
    """Return the masked name behind an e-mail address or verified phone number. Raises RecipientNotFound."""
    recipient = find_recipient(to=to)
    if recipient is None:
        raise RecipientNotFound("Nobody here has this e-mail address or verified phone number.")
    return Lookup(name=masked_name(recipient), verified=recipient.kyc_tier > 0)


def _tell_both(sent: Transaction, sender: User, recipient: User) -> None:
    facts = {
        "transaction_id": str(sent.pk),
        "reference": sent.reference,
        "amount": format_amount(sent.amount, sent.currency),
        "currency": sent.currency,
    }
    cost = {"fee": format_amount(sent.fee, sent.currency)} if sent.fee else {}
    publish_many(
        [
            EventDraft("transfer.sent", sender.pk, {**facts, **cost, "counterparty": masked_name(recipient)}),
            EventDraft("transfer.received", recipient.pk, {**facts, "counterparty": masked_name(sender)}),
        ]
    )
