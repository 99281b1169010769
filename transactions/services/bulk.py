"""Sending money to many people in one request: accepting it, working it off, finishing what somebody else began.

Lock order: the bulk's row, then wallets. Every process that works on a bulk (the request, a repeated request with the
same key, the job that a sweep rings for) takes one chunk at a time under the lock of the bulk's row, so any number of
them may work on it at once.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from uuid import UUID

from django.db import OperationalError
from django.db import transaction as db
from django.db.models import Sum

from fintech_core import clock, crashpoints, jobs
from fintech_core.exceptions import LOCK_NOT_AVAILABLE, DomainError, sqlstate_of
from fintech_core.money import format_amount
from notifications.services import publish
from transactions import bulk_rendering, switches
from transactions.enums import BulkItemStatus, BulkMode, BulkStatus
from transactions.errors import BulkTransferFailed, NotSent, WalletsBusy
from transactions.models import BulkTransfer, BulkTransferItem
from transactions.services.bulk_items import BulkItem, book, prepare, refuse, store_results
from transactions.services.locking import lock_wallets
from users.models import User
from wallet.etags import require_match
from wallet.selectors import get_main_wallet

MAX_ITEMS = 1_000
CHUNK = 100
TRIES = 3
# How long a bulk is left to whoever works on it before the sweep looks.
GRACE = timedelta(seconds=10)
PAUSE_S = 0.05
SWEEP_LIMIT = 100
JOB_LIMIT_S = 60.0
FINISH_JOB = "transactions.finish_bulk_transfer"
# Another one holds a lock too long, or the two waited for each other: nothing was done, and it may be tried again.
CONTENTION = frozenset({LOCK_NOT_AVAILABLE, "40P01", "40001"})


class Progress(Enum):
    """What one look at a bulk came to."""

    FINAL = "final"
    MORE = "more"
    TAKEN = "taken"


@db.atomic
def send_all(
    *,
    sender: User,
    currency: str,
    items: Sequence[BulkItem],
    now: datetime,
    if_match: str | None = None,
) -> BulkTransfer:
    """Send every item or none of them, in one transaction, and return the completed bulk.

    Raises BulkTransferFailed with every item's own refusal, and what concerns the sender alone: NotFound (no wallet in
    this currency), KycRequired, WalletFrozen, MoneyOutPaused, TooManyUnknownRecipients, PreconditionFailed
    (``if_match`` names another state of the wallet).
    """
    bulk = _opened(sender, currency, items, BulkMode.ALL_OR_NOTHING, now)
    rows = prepare(bulk, items)
    book(bulk, rows, now=now, if_match=if_match)
    failed = [row for row in rows if row.status == BulkItemStatus.FAILED]
    if failed:
        raise _nothing_sent(rows, failed)
    bulk.succeeded = len(rows)
    _close(bulk, sum((row.amount for row in rows), Decimal(0)), now)
    bulk.save(update_fields=["status", "succeeded", "next_check_at", "completed_at"])
    BulkTransferItem.objects.bulk_create(rows)
    return bulk


@db.atomic
def accept(
    *,
    sender: User,
    currency: str,
    items: Sequence[BulkItem],
    now: datetime,
    if_match: str | None = None,
) -> BulkTransfer:
    """Write down a best-effort bulk; ``work_off`` then moves the money.

    Raises NotFound (no wallet in this currency), MoneyOutPaused, TooManyUnknownRecipients, PreconditionFailed
    (``if_match`` names another state of the wallet now; what others do before the money moves is not looked at).
    """
    bulk = _opened(sender, currency, items, BulkMode.BEST_EFFORT, now)
    if if_match is not None:
        require_match(lock_wallets([bulk.wallet_id])[bulk.wallet_id], if_match)
    rows = prepare(bulk, items)
    BulkTransferItem.objects.bulk_create(rows)
    bulk.failed = sum(row.status == BulkItemStatus.FAILED for row in rows)
    _advance(bulk, now)
    return bulk


def rehearse(
    *,
    sender: User,
    currency: str,
    items: Sequence[BulkItem],
    now: datetime,
    if_match: str | None = None,
) -> BulkTransfer:
    """Do a best-effort bulk whole inside the caller's transaction, which will be rolled back.

    Raises what ``accept`` raises, and BulkTransferFailed when none succeeds.
    """
    bulk = accept(sender=sender, currency=currency, items=items, now=now, if_match=if_match)
    for _ in range(TRIES * len(items)):
        if work_off_chunk(bulk_id=bulk.pk, now=now) is Progress.FINAL:
            break
    bulk.refresh_from_db()
    if bulk.status == BulkStatus.FAILED:
        raise bulk_rendering.refusal_of(bulk)
    return bulk


def work_off(*, bulk_id: UUID, within_s: float, wait_for_others: bool) -> None:
    """Work off chunk after chunk until the bulk is final or the time is over; what is left then is rung for.

    While another process works on it, either wait for it or leave it to that one. Raises OperationalError when the
    database is lost: what was committed stays, and the rest is done by the next one who comes.
    """
    give_up = time.monotonic() + within_s
    while time.monotonic() < give_up:
        progress = work_off_chunk(bulk_id=bulk_id, now=clock.now())
        crashpoints.reach("bulk.between_chunks")
        if progress is Progress.FINAL or (progress is Progress.TAKEN and not wait_for_others):
            return
        if progress is Progress.TAKEN:
            time.sleep(PAUSE_S)
    jobs.ring(FINISH_JOB, str(bulk_id))


def work_off_chunk(*, bulk_id: UUID, now: datetime) -> Progress:
    """Book up to ``CHUNK`` pending items in a transaction of their own, results and all."""
    try:
        with db.atomic():
            bulk = _locked(bulk_id)
            if bulk is None:
                return _why_not_locked(bulk_id)
            rows = _next_chunk(bulk)
            try:
                book(bulk, rows, now=now)
            except DomainError as refusal:
                _refuse_all(rows, refusal)
            return _store(bulk, rows, now)
    except OperationalError as error:
        if sqlstate_of(error) not in CONTENTION:
            raise
        return _put_off(bulk_id, now)


def finish(*, bulk_id: UUID) -> None:
    """Finish a bulk that somebody else began and left."""
    work_off(bulk_id=bulk_id, within_s=JOB_LIMIT_S, wait_for_others=False)


def sweep(*, now: datetime) -> int:
    """Ring for every bulk that nobody has worked on for a while; return how many."""
    due = BulkTransfer.objects.filter(status=BulkStatus.PROCESSING, next_check_at__lte=now)
    ids = list(due.order_by("next_check_at").values_list("pk", flat=True)[:SWEEP_LIMIT])
    for bulk_id in ids:
        jobs.ring(FINISH_JOB, str(bulk_id))
    return len(ids)


def _opened(
    sender: User, currency: str, items: Sequence[BulkItem], mode: BulkMode, now: datetime
) -> BulkTransfer:
    if not 1 <= len(items) <= MAX_ITEMS:
        raise ValueError(f"a bulk of {len(items)} items")
    switches.require_money_out()
    wallet = get_main_wallet(user_id=sender.pk, currency=currency)
    return BulkTransfer.objects.create(
        sender=sender, wallet=wallet, currency=currency, mode=mode, item_count=len(items), created_at=now,
        next_check_at=now + GRACE,
    )  # fmt: skip


def _nothing_sent(rows: Sequence[BulkTransferItem], failed: Sequence[BulkTransferItem]) -> DomainError:
    """Return the refusal of an all-or-nothing bulk; its transaction is rolled back by it."""
    for row in rows:
        if row.status != BulkItemStatus.FAILED:
            row.transaction = None
            refuse(row, NotSent())
    return BulkTransferFailed(
        f"{len(failed)} of {len(rows)} transfers were refused, so none was sent.",
        succeeded=0, failed=len(rows), results=bulk_rendering.results(rows),
    )  # fmt: skip


def _locked(bulk_id: UUID) -> BulkTransfer | None:
    unfinished = BulkTransfer.objects.filter(pk=bulk_id, status=BulkStatus.PROCESSING)
    return (
        unfinished.select_for_update(no_key=True, skip_locked=True, of=("self",))
        .select_related("sender")
        .first()
    )


def _why_not_locked(bulk_id: UUID) -> Progress:
    open_still = BulkTransfer.objects.filter(pk=bulk_id, status=BulkStatus.PROCESSING).exists()
    return Progress.TAKEN if open_still else Progress.FINAL


def _next_chunk(bulk: BulkTransfer) -> list[BulkTransferItem]:
    pending = bulk.items.filter(status=BulkItemStatus.PENDING).select_related("to_wallet").order_by("index")
    return list(pending[:CHUNK])


def _refuse_all(rows: Sequence[BulkTransferItem], refusal: DomainError) -> None:
    for row in rows:
        if row.status == BulkItemStatus.PENDING:
            refuse(row, refusal)


def _store(bulk: BulkTransfer, rows: Sequence[BulkTransferItem], now: datetime) -> Progress:
    """Write the results of a chunk beside the money it moved, and say what is left."""
    store_results(rows)
    succeeded = sum(row.status == BulkItemStatus.COMPLETED for row in rows)
    bulk.succeeded += succeeded
    bulk.failed += len(rows) - succeeded
    crashpoints.reach("bulk.chunk_booked")
    return _advance(bulk, now)


def _put_off(bulk_id: UUID, now: datetime) -> Progress:
    """Count a chunk that could not be booked for others' locks; after ``TRIES`` its items fail and the rest goes on."""
    with db.atomic():
        bulk = _locked(bulk_id)
        if bulk is None:
            return _why_not_locked(bulk_id)
        bulk.tries += 1
        if bulk.tries < TRIES:
            bulk.next_check_at = now + GRACE
            bulk.save(update_fields=["tries", "next_check_at"])
            return Progress.MORE
        rows = _next_chunk(bulk)
        _refuse_all(rows, WalletsBusy("Send this one again: its wallets were busy for too long."))
        return _store(bulk, rows, now)


def _advance(bulk: BulkTransfer, now: datetime) -> Progress:
    """Move the bulk on: to its end when no item is pending, else away from the sweep for a while."""
    bulk.tries = 0
    done = bulk.succeeded + bulk.failed == bulk.item_count
    if done:
        booked = bulk.items.filter(status=BulkItemStatus.COMPLETED)
        _close(bulk, booked.aggregate(sum=Sum("amount"))["sum"] or Decimal(0), now)
    else:
        bulk.next_check_at = now + GRACE
    bulk.save(update_fields=["status", "succeeded", "failed", "tries", "next_check_at", "completed_at"])
    return Progress.FINAL if done else Progress.MORE


def _close(bulk: BulkTransfer, amount: Decimal, now: datetime) -> None:
    bulk.status = BulkStatus.COMPLETED if bulk.succeeded else BulkStatus.FAILED
    bulk.completed_at, bulk.next_check_at = now, None
    if bulk.succeeded:
        publish(
            type="bulk_transfer.completed",
            user_id=bulk.sender_id,
            payload={
                "bulk_transfer_id": str(bulk.pk),
                "amount": format_amount(amount, bulk.currency),
                "currency": bulk.currency,
                "succeeded": bulk.succeeded,
                "failed": bulk.failed,
            },
        )
