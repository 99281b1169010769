"""How a bulk of transfers looks to its sender: one object with a result for every item, in the order of the request."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from fintech_core import clock
from fintech_core.exceptions import domain_problem
from fintech_core.idempotency import Answer
from fintech_core.money import format_amount
from transactions.enums import BulkItemStatus, BulkStatus
from transactions.errors import BulkTransferFailed
from transactions.models import BulkTransfer, BulkTransferItem

DOCUMENT = "bulk_transfer"
POLL_AFTER = timedelta(seconds=2)
RESOLVED_WITHIN = timedelta(hours=1)


def render(bulk: BulkTransfer) -> dict[str, Any]:
    """Return the API's bulk transfer; ``amount`` is what has been sent so far, without fees."""
    items = list(bulk.items.select_related("transaction").order_by("index"))
    processing = bulk.status == BulkStatus.PROCESSING
    sent = sum((item.amount for item in items if item.status == BulkItemStatus.COMPLETED), Decimal(0))
    return {
        "id": str(bulk.pk),
        "status": bulk.status,
        "mode": bulk.mode,
        "currency": bulk.currency,
        "amount": format_amount(sent, bulk.currency),
        "succeeded": bulk.succeeded,
        "failed": bulk.failed,
        "results": results(items),
        "created_at": clock.rfc3339(bulk.created_at),
        "completed_at": clock.rfc3339(bulk.completed_at),
        "is_final": not processing,
        "next_poll_at": clock.rfc3339(clock.now() + POLL_AFTER) if processing else None,
        "resolve_by": clock.rfc3339(bulk.created_at + RESOLVED_WITHIN) if processing else None,
    }


def results(items: Iterable[BulkTransferItem]) -> list[dict[str, Any]]:
    """Return what became of each item; ``reference`` is the client's own, else the one its transaction was given."""
    return [_result(item) for item in items]


def answer(bulk_id: UUID) -> Answer:
    """Answer a request from the bulk's state: 201 some succeeded, 202 under way, 422 none did."""
    return answer_for(BulkTransfer.objects.get(pk=bulk_id))


def answer_for(bulk: BulkTransfer, *, request_id: str | None = None) -> Answer:
    """Answer like ``answer`` for a bulk that was just read; a refusal names the request."""
    document = (DOCUMENT, bulk.pk)
    if bulk.status == BulkStatus.PROCESSING:
        return Answer(202, render(bulk), is_final=False, document=document)
    if bulk.status == BulkStatus.FAILED:
        refusal = refusal_of(bulk)
        return Answer(refusal.status, domain_problem(refusal, request_id), document=document)
    return Answer(201, render(bulk), document=document)


def refusal_of(bulk: BulkTransfer) -> BulkTransferFailed:
    """Return the refusal that a bulk of which nothing succeeded answers with."""
    items = bulk.items.select_related("transaction").order_by("index")
    return BulkTransferFailed(
        f"All {bulk.failed} transfers were refused.",
        bulk_transfer_id=str(bulk.pk), succeeded=0, failed=bulk.failed, results=results(items),
    )  # fmt: skip


def _result(item: BulkTransferItem) -> dict[str, Any]:
    made = item.transaction
    reference = item.reference or (made.reference if made is not None else None)
    failed = item.status == BulkItemStatus.FAILED
    return {
        "index": item.index,
        "reference": reference,
        "status": item.status,
        "transaction_id": None if made is None else str(made.pk),
        "failure": {"code": item.failure_code, "detail": item.failure_detail} if failed else None,
    }
