"""``TransactionService``: the one writer of transactions, entries and what a wallet holds.

How a step runs, inside the caller's transaction: (1) lock the wallets of all its operations in one statement ordered
by id, (2) decide on the rows just locked, (3) write everything in one statement, or a large step in parts. Lock order
of the whole product: the askers' PINs → business document → wallets → campaign budgets. If the process dies before the
caller's COMMIT nothing has happened; there is no state in between.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from fintech_core.audit import Actor
from fintech_core.exceptions import DomainError
from transactions.drafts import (
    Authorize,
    Capture,
    Leg,
    Operation,
    Post,
    Source,
    TransactionDraft,
    Void,
    funding_draft,
    transfer_draft,
)
from transactions.errors import SameWallet, UnexpectedlyDropped
from transactions.models import Transaction
from transactions.services import undoing
from transactions.services.execution import attempt, attempt_if_free, carry_out
from transactions.services.locking import lock_free_wallets
from transactions.services.steps import Step
from wallet.models import Wallet

MAX_BATCH = 1_000


class TransactionService:
    """Stateless; every method takes part in the caller's transaction and refuses to run without one."""

    @staticmethod
    def apply(operations: Sequence[Operation], *, now: datetime) -> list[Transaction | None]:
        """Carry out several operations as one business step and return their transactions, in order.

        A result is None where a guard dropped its draft. Raises the refusals of ``transactions.errors``; the
        caller's transaction must then be rolled back or return to a savepoint. The other methods need every draft
        booked and raise UnexpectedlyDropped: a caller whose guard may drop its draft calls this one.
        """
        ids, rows = carry_out(operations, now, decide=Step.carry_out)
        return [rows[pk] if isinstance(pk, UUID) else None for pk in ids]

    @staticmethod
    def post_many(drafts: Sequence[TransactionDraft], *, now: datetime) -> list[Transaction]:
        """Post up to ``MAX_BATCH`` drafts, all or nothing: one round of wallet locks, one write for hundreds.

        Raises what ``apply`` raises, at the first draft that is refused.
        """
        _check_size(drafts)
        return [
            _require_posted(row)
            for row in TransactionService.apply([Post(draft) for draft in drafts], now=now)
        ]

    @staticmethod
    def post_each(drafts: Sequence[TransactionDraft], *, now: datetime) -> list[Transaction | DomainError]:
        """Post up to ``MAX_BATCH`` drafts each on its own, at the price of one: a refused draft moves nothing.

        A result is the refusal where there was one. Raises what concerns all of them: MoneyOutPaused, NotFound, and
        DuplicateReference when a reference or source is booked meanwhile.
        """
        _check_size(drafts)
        ids, rows = carry_out([Post(draft) for draft in drafts], now, decide=attempt)
        return [
            found if isinstance(found, DomainError) else _require_posted(rows[found] if found else None)
            for found in ids
        ]

    @staticmethod
    def post_free(
        drafts: Sequence[TransactionDraft], *, now: datetime
    ) -> list[Transaction | DomainError | None]:
        """Post up to ``MAX_BATCH`` drafts each on its own, without waiting for a wallet that somebody holds.

        A draft of such a wallet moves nothing, and its result is None. Otherwise like ``post_each``.
        """
        _check_size(drafts)
        operations = [Post(draft) for draft in drafts]
        ids, rows = carry_out(operations, now, decide=attempt_if_free, lock=lock_free_wallets)
        return [rows[found] if isinstance(found, UUID) else found for found in ids]

    @staticmethod
    def post(draft: TransactionDraft, *, now: datetime) -> Transaction:
        """Move money at once. Raises what ``apply`` raises."""
        return _require_posted(TransactionService.apply([Post(draft)], now=now)[0])

    @staticmethod
    def authorize(draft: TransactionDraft, *, now: datetime) -> Transaction:
        """Hold ``draft.total`` on the sender's wallet and return the pending transaction."""
        return _require_posted(TransactionService.apply([Authorize(draft)], now=now)[0])

    @staticmethod
    def capture(
        transaction: Transaction, *, legs: tuple[Leg, ...], amount: Decimal, fee: Decimal, now: datetime
    ) -> Transaction:
        """Complete a hold, once, with at most what was held; the rest is released. Works on frozen wallets."""
        return _require_posted(
            TransactionService.apply([Capture(transaction.pk, legs, amount, fee)], now=now)[0]
        )

    @staticmethod
    def void(transaction: Transaction, *, failure_code: str, now: datetime) -> Transaction:
        """Release a hold, once. Works on frozen wallets: the promise is older."""
        return _require_posted(TransactionService.apply([Void(transaction.pk, failure_code)], now=now)[0])

    @staticmethod
    def add_money(
        *, wallet: Wallet, amount: Decimal, source_account: str, source: Source | None, now: datetime
    ) -> Transaction:
        """Credit a main wallet from outside; a credit that may not land is parked, never lost."""
        draft = funding_draft(
            wallet_id=wallet.pk, user_id=wallet.owner_id, amount=amount, currency=wallet.currency,
            source_account=source_account, source=source,
        )  # fmt: skip
        return TransactionService.post(draft, now=now)

    @staticmethod
    def transfer_money(
        *,
        sender: Wallet,
        recipient: Wallet,
        amount: Decimal,
        now: datetime,
        description: str = "",
        metadata: Mapping[str, Any] | None = None,
        reference: str = "",
        if_match: str | None = None,
    ) -> Transaction:
        """Move money between two people's wallets of one currency; the sender pays the fee of the rules on top.

        Raises SameWallet, PreconditionFailed when ``if_match`` names another state of the sender's wallet, and what
        ``apply`` raises.
        """
        if sender.pk == recipient.pk:
            raise SameWallet("Sender and recipient are the same wallet.")
        draft = transfer_draft(
            from_wallet_id=sender.pk,
            from_user_id=sender.owner_id,
            to_wallet_id=recipient.pk,
            to_user_id=recipient.owner_id,
            amount=amount,
            currency=sender.currency,
            description=description,
            metadata=metadata,
            reference=reference,
            if_match=if_match,
        )
        return TransactionService.post(draft, now=now)

    @staticmethod
    def reverse(
        transaction: Transaction,
        *,
        actor: Actor | None,
        reason: str,
        now: datetime,
        book_shortfall: bool = False,
        source: Source | None = None,
    ) -> Transaction:
        """Book the mirror of a completed transaction, once; ``undoing.reverse`` says what it raises."""
        return undoing.reverse(
            transaction, actor=actor, reason=reason, book_shortfall=book_shortfall, source=source, now=now
        )

    @staticmethod
    def refund(
        transaction: Transaction,
        *,
        amount: Decimal | None = None,
        actor: Actor | None,
        reason: str,
        now: datetime,
        book_shortfall: bool = False,
        source: Source | None = None,
    ) -> Transaction:
        """Give back a part of a completed transaction, or what is left of it; ``undoing.refund`` says the rest."""
        return undoing.refund(
            transaction, amount=amount, actor=actor, reason=reason, book_shortfall=book_shortfall, source=source,
            now=now,
        )  # fmt: skip


def _check_size(drafts: Sequence[TransactionDraft]) -> None:
    if len(drafts) > MAX_BATCH:
        raise ValueError(f"a batch of {len(drafts)} drafts: at most {MAX_BATCH} are posted together")


def _require_posted(result: Transaction | None) -> Transaction:
    if result is None:
        raise UnexpectedlyDropped("a guard dropped a draft that its caller needs booked")
    return result
