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
from transactions.events import facts_of, transfer_received
from transactions.models import Transaction
from transactions.selectors import find_recipient, prefetch_wallet_of
from transactions.services.ledger import TransactionService
from users.models import User
from users.names import masked_name
from wallet.models import Wallet
from wallet.selectors import PendingMainWallet, prefetch_main_wallet


@dataclass(frozen=True, slots=True)
class Lookup:
    """What a sender may know of a recipient before sending."""

    name: str
    verified: bool


@dataclass(frozen=True, slots=True)
class PendingParties:
    """Who sends to whom: both main wallets in a currency, whose reads are queued and take no lock."""

    sender: User
    to: str
    currency: str
    _source: PendingMainWallet
    _target: PendingRow[Wallet]

    def resolve(self) -> tuple[Wallet, Wallet]:
        """Return the sender's wallet and the recipient's with its owner, as they were read.

        Raises RecipientNotFound, SameWallet, NotFound (the sender has none), RecipientCannotReceive, in this order.
        """
        target = self._target.first()
        recipient = target.owner if target is not None else find_recipient(to=self.to)
        if recipient is None:
            raise RecipientNotFound("Nobody here has this e-mail address or verified phone number.")
        if recipient.pk == self.sender.pk:
            raise SameWallet("Sender and recipient are the same person.")
        source = self._source.get()
        if target is None:
            raise RecipientCannotReceive(f"The recipient has no {self.currency} wallet.")
        return source, target

    def resolve_or_none(self) -> tuple[Wallet, Wallet] | None:
        """Return both wallets as ``resolve`` does, or None where that would read more or refuse."""
        source, target = self._source.first(), self._target.first()
        if source is None or target is None or target.owner_id == self.sender.pk:
            return None
        return source, target


def prefetch_parties(*, sender: User, to: str, currency: str) -> PendingParties:
    """Queue the reads of both main wallets, which may be done before it is known whether anything will be sent.

    They are for one try: whoever tries again, in another transaction, prefetches again.
    """
    source = prefetch_main_wallet(user_id=sender.pk, currency=currency)
    return PendingParties(sender, to, currency, source, prefetch_wallet_of(to=to, currency=currency))


@dataclass(frozen=True, slots=True)
class Sending:
    """What somebody wants to send to an e-mail address or phone number; ``amount`` is in major units."""

    sender: User
    to: str
    currency: str
    amount: Decimal
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    if_match: str | None = None

    def prefetch(self) -> "PrefetchedSending":
        """Queue the reads of the parties, for one try."""
        return PrefetchedSending(
            self, prefetch_parties(sender=self.sender, to=self.to, currency=self.currency)
        )


@dataclass(frozen=True, slots=True)
class PrefetchedSending:
    """One try of a sending."""

    given: Sending
    parties: PendingParties


def send_money(*, sending: PrefetchedSending, now: datetime) -> Transaction:
    """Send money to whoever an e-mail address or phone belongs to, and tell both, in the caller's transaction.

    Raises RecipientNotFound, RecipientCannotReceive, SameWallet, InsufficientFunds, LimitExceeded, KycRequired,
    WalletFrozen, MoneyOutPaused, NotFound (no wallet in this currency), PreconditionFailed (``if_match`` names another
    state of the sender's wallet).
    """
    given, (source, target) = sending.given, sending.parties.resolve()
    sent = TransactionService.transfer_money(
        sender=source,
        recipient=target,
        amount=given.amount,
        now=now,
        description=given.description,
        metadata=given.metadata,
        if_match=given.if_match,
    )
    publish_many(_transfer_events(sent, given.sender, target.owner))
    return sent


def send_each(
    *, sendings: Sequence[PrefetchedSending], may_wait: bool, now: datetime
) -> list[Transaction | None]:
    """Send what several people want to send, in one posting, and tell everybody.

    A result is None where a sending has to be tried alone, which will tell why: nothing of it has happened. So it is
    with those whose wallets somebody holds, unless it may wait for them. Raises MoneyOutPaused.
    """
    found = {
        place: wallets
        for place, sending in enumerate(sendings)
        if (wallets := sending.parties.resolve_or_none()) is not None
    }
    drafts = [_draft(sendings[place].given, *wallets) for place, wallets in found.items()]
    post = TransactionService.post_each if may_wait else TransactionService.post_free
    results: list[Transaction | None] = [None] * len(sendings)
    events: list[EventDraft] = []
    for (place, (_, target)), sent in zip(found.items(), post(drafts, now=now), strict=True):
        if isinstance(sent, Transaction):
            results[place] = sent
            events += _transfer_events(sent, sendings[place].given.sender, target.owner)
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
    cost = {"fee": format_amount(sent.fee, sent.currency)} if sent.fee else {}
    return [
        EventDraft(
            "transfer.sent", sender.pk, {**facts_of(sent), **cost, "counterparty": masked_name(recipient)}
        ),
        transfer_received(sent, sender=sender),
    ]
