"""Mirrors: what the postings are that undo a completed movement as a whole.

A credit that was parked is two movements once it has landed, and so are its mirrors, the later one first: each is
exactly the movement it reverses with the sides changed.
"""

from dataclasses import replace

from fintech_core.audit import Actor
from transactions.drafts import Leg, Source, TransactionDraft
from transactions.enums import Direction, ParkedCreditStatus, TransactionType
from transactions.errors import AlreadyReversed, NotReversible
from transactions.models import PARKED_CREDIT, ParkedCredit, Transaction
from transactions.selectors import refunded_so_far


def mirror_of(transaction: Transaction, actor: Actor | None, book_shortfall: bool) -> TransactionDraft:
    """Draft the mirror of a movement; its guard refuses what was undone before, in part or whole."""

    def not_undone_before(draft: TransactionDraft) -> TransactionDraft:
        """Look once the wallets are locked: before that, a second reversal would find the money gone."""
        if Transaction.objects.filter(reverses_id=transaction.pk).exists():
            raise AlreadyReversed("It was reversed before.")
        if refunded_so_far(transaction):
            raise NotReversible("It was refunded in part; refund the rest.")
        return draft

    # Backwards, so that a wallet that passed the money on has it again before it gives it back.
    legs = tuple(
        Leg(
            entry.account.code,
            Direction(entry.direction).opposite,
            entry.amount,
            entry.currency,
            entry.wallet_id,
        )
        for entry in transaction.entries.select_related("account").order_by("-id")
    )
    return TransactionDraft(
        type=TransactionType.REVERSAL,
        currency=transaction.currency,
        amount=transaction.amount + transaction.fee,
        legs=legs,
        from_wallet_id=transaction.to_wallet_id,
        to_wallet_id=transaction.from_wallet_id,
        from_user_id=transaction.to_user_id,
        to_user_id=transaction.from_user_id,
        initiated_by_id=actor.pk if actor is not None else None,
        description=_described(transaction),
        reverses_id=transaction.pk,
        respects_balance_cap=False,
        ignores_wallet_status=True,
        shortfall_to_receivables=book_shortfall,
        guard=not_undone_before,
    )


def out_of_the_wallet(
    credit: ParkedCredit, parked_by: Transaction, actor: Actor | None, book_shortfall: bool
) -> list[TransactionDraft]:
    """Draft the way of a parked credit from its wallet back to ``suspense``, if it had landed.

    ``parked_by`` must be what parked it: its release alone would leave the money waiting, to be released again.
    """
    if credit.parked_by_id != parked_by.pk:
        raise NotReversible(
            f"It brought home a credit that was parked. Reverse {credit.parked_by.reference}, which brought the money.",
            transaction_id=str(credit.parked_by_id),
            reference=credit.parked_by.reference,
        )
    if credit.status == ParkedCreditStatus.REVERSED:
        raise AlreadyReversed("It was reversed before.")
    if credit.released_by is None:
        return []
    mirror = mirror_of(credit.released_by, actor, book_shortfall)
    # Its owner knows the credit by one reference; what releases it is the wallet's affair.
    description = _described(parked_by)
    return [replace(mirror, source=Source(PARKED_CREDIT, credit.pk), description=description)]


def _described(reversed_one: Transaction) -> str:
    return f"Reversal of {reversed_one.reference}"
