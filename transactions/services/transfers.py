"""Sending money to another person by e-mail address or verified phone number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from fintech_core.money import format_amount
from fintech_core.prepared import PendingRow
from notifications.services import EventDraft, publish_many
from transactions.drafts import TransactionDraft, transfer_draft
from transactions.errors import RecipientCannotReceive, RecipientNotFound, SameWallet
from transactions.models import Transaction
from transactions.rendering import masked_name
from transactions.selectors import find_recipient, prefetch_wallet_of
from transactions.services.ledger import TransactionService
from users.models import User
from wallet.models import Wallet
from wallet.selectors import PendingMainWallet, prefetch_main_wallet


@dataclass(frozen=True, slots=True)
class Lookup:
    """What a sender may know of a recipient before sending."""

    name: str
    verified: bool


class Parties:
    """Who sends to whom: both main wallets in a currency, read in one wait.

    They may be prefetched, before it is known whether anything will be sent; they are read without a lock.
    """

    def __init__(self, *, sender: User, to: str, currency: str) -> None:
        self.sender = sender
        self._to, self._currency = to, currency
        self._prefetched: tuple[PendingMainWallet, PendingRow[Wallet]] | None = None

    def prefetch(self) -> None:
        """Queue both reads."""
        self._prefetched = self._prefetch()

    def _prefetch(self) -> tuple[PendingMainWallet, PendingRow[Wallet]]:
        own = prefetch_main_wallet(user_id=self.sender.pk, currency=self._currency)
        return own, prefetch_wallet_of(to=self._to, currency=self._currency)

    def plain(self) -> tuple[Wallet, Wallet] | None:
        """Return both wallets as ``take`` does, or None where that would look further or refuse."""
        (source, target), self._prefetched = self._prefetched or self._prefetch(), None
        sent, received = source.first(), target.first()
        if sent is None or received is None or received.owner_id == self.sender.pk:
            return None
        return sent, received

    def take(self) -> tuple[Wallet, Wallet]:
        """Return the sender's wallet and the recipient's with its owner, once as they were prefetched, then anew.

        Raises RecipientNotFound, SameWallet, NotFound (the sender has none), RecipientCannotReceive, in this order.
        """
        (source, target), self._prefetched = self._prefetched or self._prefetch(), None
        received = target.first()
        recipient = received.owner if received is not None else find_recipient(to=self._to)
        if recipient is None:
            raise RecipientNotFound("Nobody here has this e-mail address or verified phone number.")
        if recipient.pk == self.sender.pk:
            raise SameWallet("Sender and recipient are the same person.")
        sent = source.get()
        if received is None:
            raise RecipientCannotReceive(f"The recipient has no {self._currency} wallet.")
        return sent, received


@dataclass(frozen=True, slots=True)
class Sending:
    """What somebody wants to send; ``amount`` is in major units of the parties' currency."""

    parties: Parties
    amount: Decimal
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    if_match: str | None = None

    def prefetch(self) -> None:
        """Queue the reads of the parties."""
        self.parties.prefetch()


def send_money(*, sending: Sending, now: datetime) -> Transaction:
    """Send money to whoever an e-mail address or phone belongs to, and tell both, in the caller's transaction.

    Raises RecipientNotFound, RecipientCannotReceive, SameWallet, InsufficientFunds, LimitExceeded, KycRequired,
    WalletFrozen, MoneyOutPaused, NotFound (no wallet in this currency), PreconditionFailed (``if_match`` names another
    state of the sender's wallet).
    """
    source, target = sending.parties.take()
    sent = TransactionService.transfer_money(
        sender=source,
        recipient=target,
        amount=sending.amount,
        now=now,
        description=sending.description,
        metadata=sending.metadata,
        if_match=sending.if_match,
    )
    publish_many(_transfer_events(sent, sending.parties.sender, target.owner))
    return sent


def send_each(*, sendings: Sequence[Sending], may_wait: bool, now: datetime) -> list[Transaction | None]:
    """Send what several people want to send, in one posting, and tell everybody.

    A result is None where a sending has to be tried alone, which will tell why: nothing of it has happened. So it is
    with those whose wallets somebody holds, unless it may wait for them. Raises MoneyOutPaused.
    """
    found = {place: found for place, one in enumerate(sendings) if (found := one.parties.plain()) is not None}
    drafts = [_draft(sendings[place], *wallets) for place, wallets in found.items()]
    post = TransactionService.post_each if may_wait else TransactionService.post_free
    results: list[Transaction | None] = [None] * len(sendings)
    events: list[EventDraft] = []
    for (place, (_, target)), sent in zip(found.items(), post(drafts, now=now), strict=True):
        if isinstance(sent, Transaction):
            results[place] = sent
            events += _transfer_events(sent, sendings[place].parties.sender, target.owner)
    publish_many(events)
    return results


def _draft(sending: Sending, source: Wallet, target: Wallet) -> TransactionDraft:
    return transfer_draft(
        from_wallet_id=source.pk,
        from_user_id=source.owner_id,
        to_wallet_id=target.pk,
        to_user_id=target.owner_id,
        amount=sending.amount,
        currency=source.currency,
        description=sending.description,
        metadata=sending.metadata,
        if_match=sending.if_match,
    )


def look_up(*, to: str) -> Lookup:
    """Return the masked name behind an e-mail address or verified phone number. Raises RecipientNotFound."""
    recipient = find_recipient(to=to)
    if recipient is None:
        raise RecipientNotFound("Nobody here has this e-mail address or verified phone number.")
    return Lookup(name=masked_name(recipient), verified=recipient.kyc_tier > 0)


def _transfer_events(sent: Transaction, sender: User, recipient: User) -> list[EventDraft]:
    """Name both on what was sent, as whoever shows it needs them, and draw up what each of them is told."""
    sent.from_user, sent.to_user = sender, recipient
    facts = {
        "transaction_id": str(sent.pk),
        "reference": sent.reference,
        "amount": format_amount(sent.amount, sent.currency),
        "currency": sent.currency,
    }
    cost = {"fee": format_amount(sent.fee, sent.currency)} if sent.fee else {}
    return [
        EventDraft("transfer.sent", sender.pk, {**facts, **cost, "counterparty": masked_name(recipient)}),
        EventDraft("transfer.received", recipient.pk, {**facts, "counterparty": masked_name(sender)}),
    ]
