"""How a business step runs: lock every wallet once, decide, write; a large one writes while it decides (ADR 0026).

What decides is ``Step.carry_out``, where the first refusal ends the step, or ``attempt``, where each operation is
refused for itself. What locks waits for every wallet, or takes those that are free.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError

from fintech_core import crashpoints
from fintech_core.database.atomic import require_transaction
from fintech_core.exceptions import DomainError, constraint_of
from transactions import switches
from transactions.drafts import Authorize, Capture, Leg, Operation, Post, Void
from transactions.errors import DuplicateReference, TransactionNotPending
from transactions.models import Transaction
from transactions.services import parking
from transactions.services.locking import LockedWallet, lock_wallets
from transactions.services.steps import Step
from transactions.services.writing import NotAllResolved, as_written, write, write_part

# What became of one operation: its transaction's id, nothing (a guard dropped it), or why it was refused.
Decision = UUID | DomainError | None
_DUPLICATES = {
    "transaction_once_per_source": "This document was booked before.",
    "transaction_reference_once_per_sender": "This reference was used before.",
    "transactions_transaction_reverses_id_key": "It was reversed before.",
}


def carry_out(
    operations: Sequence[Operation],
    now: datetime,
    *,
    decide: Callable[[Step, Operation], Decision],
    lock: Callable[[Iterable[UUID]], dict[UUID, LockedWallet]] = lock_wallets,
) -> tuple[list[Decision], dict[UUID, Transaction]]:
    """Lock once, let ``decide`` look at each operation, write; return the decisions and what was written.

    Many postings are written in parts: the server writes one while the next is decided.
    """
    require_transaction("TransactionService")
    if any(_money_out(operation) for operation in operations):
        switches.require_money_out()
    named = [operation.transaction_id for operation in operations if isinstance(operation, (Capture, Void))]
    wallets = lock(_wallet_ids(operations, named))
    pending = {row.pk: row for row in Transaction.objects.filter(pk__in=named)} if named else {}
    step = Step(wallets, pending, now)
    only_posts = all(isinstance(operation, Post) for operation in operations)
    decisions: list[Decision] = []
    try:
        for operation in operations:
            if only_posts and step.batch.has_a_part:
                write_part(step.batch, wallets)
            decisions.append(decide(step, operation))
        if not step.batch.is_empty:
            write(step.batch, wallets)
    except NotAllResolved as error:
        raise TransactionNotPending("It was captured or voided before.") from error
    except IntegrityError as error:
        if (told := _DUPLICATES.get(constraint_of(error))) is None:
            raise  # every other refusal of the database is a bug
        raise DuplicateReference(told) from error
    crashpoints.reach("ledger.written")
    rows = as_written(step.batch, pending)
    for parked in step.parked:
        parking.record(parked, rows[parked.draft.id])
    return decisions, rows


def attempt(step: Step, operation: Operation) -> Decision:
    """Decide one posting or hold; a refusal is returned and leaves the step as it was, so that the next can go on."""
    before = {wallet_id: replace(step.wallets[wallet_id]) for wallet_id in _wallets_named_by(operation)}
    lines, movements, parked = len(step.batch.entries), len(step.batch.transactions), len(step.parked)
    try:
        return step.carry_out(operation)
    except DomainError as refusal:
        step.wallets.update(before)
        del step.batch.entries[lines:], step.batch.transactions[movements:], step.parked[parked:]
        return refusal


def attempt_if_free(step: Step, operation: Operation) -> Decision:
    """Decide as ``attempt`` does, or not at all where a wallet of the operation could not be locked."""
    if all(wallet_id in step.wallets for wallet_id in _wallets_named_by(operation)):
        return attempt(step, operation)
    return None


def _money_out(operation: Operation) -> bool:
    """Say whether the operation sends a customer's money out by a new decision (older promises go on)."""
    return isinstance(operation, (Post, Authorize)) and operation.draft.counts_toward_limits


def _wallet_ids(operations: Sequence[Operation], named: list[UUID]) -> set[UUID]:
    """Collect every wallet of every operation; a hold's wallet never changes, so it may be read before the lock."""
    wanted = {wallet_id for operation in operations for wallet_id in _wallets_named_by(operation)}
    if named:
        held_on = Transaction.objects.filter(pk__in=named).values_list("from_wallet_id", flat=True)
        wanted.update(wallet_id for wallet_id in held_on if wallet_id)
    return wanted


def _wallets_named_by(operation: Operation) -> Iterator[UUID]:
    """Name the wallets that stand in an operation itself, not in the hold that it resolves."""
    legs: tuple[Leg, ...] = ()
    if isinstance(operation, (Post, Authorize)):
        legs = operation.draft.legs
        if operation.draft.from_wallet_id:
            yield operation.draft.from_wallet_id
    elif isinstance(operation, Capture):
        legs = operation.legs
    yield from (leg.wallet_id for leg in legs if leg.wallet_id)
