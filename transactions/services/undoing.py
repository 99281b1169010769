"""Undoing a completed movement: its mirror, once and whole, or refunds, in parts that never exceed it.

Neither edits anything; each is a new transaction that names the old one. The money comes from whoever received it. A
credit that was parked goes back the way it came: out of ``suspense``, and before that out of the wallet if it had
landed, by the mirror of its release in the same step. When it is spent meanwhile the step is refused, unless staff take
the shortfall upon the house: then what is missing stands on ``receivables`` in the same posting, owed by the receiver.
Both are decided under the locks of the wallets that every other undoing of the same movement needs, too, and the
database refuses a sum of refunds above the amount by itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Sum

from fintech_core import audit
from fintech_core.audit import Actor
from fintech_core.database.atomic import require_transaction
from fintech_core.ids import uuid7
from fintech_core.money import ZERO, format_amount, quantum, split
from notifications.services import publish
from transactions.chart import FEES, RECEIVABLES
from transactions.drafts import Leg, Post, Source, TransactionDraft, credit_wallet
from transactions.enums import REFUNDABLE, Direction, TransactionStatus, TransactionType
from transactions.errors import (
    AlreadyReversed,
    ChartViolation,
    DuplicateReference,
    NotRefundable,
    NotReversible,
    RefundExceedsAmount,
)
from transactions.events import facts_of
from transactions.models import LedgerEntry, ParkedCredit, Transaction
from transactions.selectors import refunded_so_far
from transactions.services import parking
from transactions.services.execution import carry_out
from transactions.services.locking import LockedWallet, lock_wallets
from transactions.services.mirrors import mirror_of, out_of_the_wallet
from transactions.services.steps import Step
from users.services.own_cases import forbid_own_case


def reverse(
    transaction: Transaction,
    *,
    actor: Actor | None,
    reason: str,
    book_shortfall: bool,
    source: Source | None,
    now: datetime,
) -> Transaction:
    """Book the mirror of a completed transaction, once, in the caller's transaction.

    ``source`` is the request that two people have decided, where there is one. Raises OwnCase, NotReversible,
    AlreadyReversed, and InsufficientFunds when the money was spent meanwhile and its shortfall is not booked. A credit
    that was parked is reversed with its release, if it had one, and is never released after; the release alone is
    refused.
    """
    require_transaction("TransactionService")
    forbid_own_movement(transaction, actor)
    if transaction.status != TransactionStatus.COMPLETED or transaction.type == TransactionType.REVERSAL:
        raise NotReversible(f"A {transaction.type} that is {transaction.status} cannot be reversed.")
    credit = parking.held_credit_of(transaction)
    drafts = [replace(mirror_of(transaction, actor, book_shortfall), source=source)]
    if credit is not None:
        drafts = [*out_of_the_wallet(credit, transaction, actor, book_shortfall), *drafts]
    try:
        *before, mirror = _post(drafts, now, credit)
    except DuplicateReference as error:
        raise AlreadyReversed("It was reversed before.") from error
    if credit is not None:
        parking.mark_reversed(credit, mirror)
    _write_down("reversed", transaction, [mirror, *before], actor, reason)
    return mirror


def refund(
    transaction: Transaction,
    *,
    amount: Decimal | None,
    actor: Actor | None,
    reason: str,
    book_shortfall: bool,
    source: Source | None,
    now: datetime,
) -> Transaction:
    """Give a payer back a part of a completed movement, or all that is left of it, in the caller's transaction.

    ``amount`` is in major units without the fee, which is kept; None is what was not refunded yet. What a bill's money
    went to gives it back in the same proportions. A payer who may not receive now gets it parked. Raises
    OwnCase, NotRefundable, AlreadyReversed, RefundExceedsAmount, InsufficientFunds as ``reverse`` does.
    """
    require_transaction("TransactionService")
    forbid_own_movement(transaction, actor)
    if transaction.status != TransactionStatus.COMPLETED or transaction.type not in REFUNDABLE:
        raise NotRefundable(f"A {transaction.type} that is {transaction.status} cannot be refunded.")
    draft = _refund_draft(transaction, amount, actor, book_shortfall)
    (refunded,) = _post([replace(draft, source=source or draft.source)], now)
    _write_down("refunded", transaction, [refunded], actor, reason)
    return refunded


def forbid_own_movement(transaction: Transaction, actor: Actor | None) -> None:
    """Refuse whoever gave or got this money themselves."""
    forbid_own_case(
        transaction.from_user_id,
        transaction.to_user_id,
        actor=actor,
        detail="Somebody else has to decide about your own money.",
    )


def _post(
    drafts: Sequence[TransactionDraft], now: datetime, credit: ParkedCredit | None = None
) -> list[Transaction]:
    """Book drafts as one step; the wallet that a parked credit is for is locked along, as when it was parked."""

    def lock(wallet_ids: Iterable[UUID]) -> dict[UUID, LockedWallet]:
        return lock_wallets({*wallet_ids, credit.wallet_id} if credit is not None else wallet_ids)

    _, rows = carry_out([Post(draft) for draft in drafts], now, decide=Step.carry_out, lock=lock)
    return [rows[draft.id] for draft in drafts]


def _refund_draft(
    transaction: Transaction, amount: Decimal | None, actor: Actor | None, book_shortfall: bool
) -> TransactionDraft:
    """Draft a refund; its guard finds out under the locks how much is left, and with that the legs."""
    received = tuple(
        Leg(entry.account.code, Direction.DEBIT, entry.amount, entry.currency, entry.wallet_id)
        for entry in transaction.entries.select_related("account").order_by("id")
        if entry.direction == Direction.CREDIT and not entry.account.code.startswith(FEES)
    )
    if transaction.from_wallet_id is None or sum(leg.amount for leg in received) != transaction.amount:
        raise NotRefundable("Its entries do not say who gave the money and who got it.")

    def within_what_is_left(draft: TransactionDraft) -> TransactionDraft:
        if Transaction.objects.filter(reverses_id=transaction.pk).exists():
            raise AlreadyReversed("It was reversed before.")
        before = refunded_so_far(transaction)
        left = transaction.amount - before
        given = left if amount is None else amount
        if given > left or given <= ZERO:
            raise _exceeds(transaction, before, left)
        return _with_amount(draft, received, before, given)

    draft = TransactionDraft(
        type=TransactionType.REFUND,
        currency=transaction.currency,
        amount=transaction.amount,
        from_wallet_id=transaction.to_wallet_id,
        to_wallet_id=transaction.from_wallet_id,
        from_user_id=transaction.to_user_id,
        to_user_id=transaction.from_user_id,
        initiated_by_id=actor.pk if actor is not None else None,
        description=f"Refund of {transaction.reference}",
        refund_of_id=transaction.pk,
        source=Source("refund", uuid7()),
        parkable=True,
        respects_balance_cap=False,
        ignores_wallet_status=True,
        shortfall_to_receivables=book_shortfall,
        guard=within_what_is_left,
    )
    return _with_amount(draft, received, ZERO, transaction.amount)


def _with_amount(
    draft: TransactionDraft, received: tuple[Leg, ...], before: Decimal, given: Decimal
) -> TransactionDraft:
    """Put the amount and its legs on a refund: each receiver gives its share, and all refunds together give exactly
    what each received.
    """
    unit = quantum(draft.currency)
    weights = [int(leg.amount / unit) for leg in received]
    until = split(before + given, weights, draft.currency)
    already = split(before, weights, draft.currency)
    shares = [late - early for late, early in zip(until, already, strict=True)]
    legs = tuple(
        Leg(leg.account, Direction.DEBIT, share, leg.currency, leg.wallet_id)
        for leg, share in zip(received, shares, strict=True)
        if share
    )
    if draft.to_wallet_id is None:
        raise ChartViolation("a refund needs the wallet that paid")
    return replace(
        draft, amount=given, legs=(*legs, credit_wallet(draft.to_wallet_id, given, draft.currency))
    )


def _exceeds(transaction: Transaction, before: Decimal, left: Decimal) -> RefundExceedsAmount:
    currency = transaction.currency
    return RefundExceedsAmount(
        f"{format_amount(left, currency)} {currency} of it can still be refunded.",
        amount=format_amount(transaction.amount, currency),
        refunded=format_amount(before, currency),
        remaining=format_amount(left, currency),
        currency=currency,
    )


def _write_down(
    verb: str, undone: Transaction, booked: Sequence[Transaction], actor: Actor | None, reason: str
) -> None:
    """Audit an undoing, first what undoes it, with what the house took upon itself, and tell both sides."""
    made, *before = booked
    owed = LedgerEntry.objects.filter(
        transaction__in=booked, account__code=RECEIVABLES, direction=Direction.DEBIT
    ).aggregate(total=Sum("amount"))["total"]
    changes: dict[str, list[str | None]] = {verb: [None, str(made.pk)]}
    if before:
        changes["release_reversed"] = [None, str(before[0].pk)]
    if owed:
        changes["receivables"] = [None, format_amount(owed, made.currency)]
    audit.record(actor=actor, action=f"transaction.{verb}", target=undone, reason=reason, changes=changes)
    amount = undone.amount if verb == "reversed" else made.amount
    for user_id in {undone.from_user_id, undone.to_user_id} - {None}:
        publish(
            type=f"transaction.{verb}",
            user_id=user_id,
            payload={
                **facts_of(undone, amount=amount),
                {"reversed": "reversal_id", "refunded": "refund_id"}[verb]: str(made.pk),
            },
        )
