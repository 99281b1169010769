"""Reading at Paystack: verify one transaction, list them."""

import math
from datetime import UTC, datetime, timedelta
from typing import Final

from sandbox.clock import iso_us
from sandbox.core import Sandbox
from sandbox.exchange import Answer, Request
from sandbox.paystack import shapes
from sandbox.paystack.replies import failed, succeeded
from sandbox.paystack.transactions import find_by_reference

DEFAULT_PER_PAGE: Final = 50
MAX_PER_PAGE: Final = 100

_COUNT: Final = (
    "SELECT count(*) AS total, coalesce(sum(CASE status WHEN 'success' THEN amount END), 0) AS volume"
    " FROM paystack_transactions WHERE created_at >= ? AND created_at <= ? AND (? = '' OR status = ?)"
)
_PAGE: Final = (
    "SELECT * FROM paystack_transactions WHERE created_at >= ? AND created_at <= ? AND (? = '' OR status = ?)"
    " ORDER BY id DESC LIMIT ? OFFSET ?"
)


class Queries:
    """Answers the reading calls."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def verify(self, request: Request) -> Answer:
        """GET /transaction/verify/:reference."""
        with self._sandbox.book.transaction() as db:
            row = find_by_reference(db, request.params["reference"])
        if row is None:
            return failed(404, "Transaction reference not found.", "transaction_not_found")
        return succeeded("Verification successful", shapes.verified(row))

    def list_transactions(self, request: Request) -> Answer:
        """GET /transaction with `from`, `to` (inclusive), `status`, `perPage`, `page`; newest first."""
        per_page = _count(request.query.get("perPage"), DEFAULT_PER_PAGE, MAX_PER_PAGE)
        page = _count(request.query.get("page"), 1, 1_000_000)
        try:
            after = _moment(request.query.get("from"), "0000")
            before = _moment(request.query.get("to"), "9999", is_end=True)
        except ValueError:
            return failed(400, "Invalid date passed", "invalid_params")
        status = request.query.get("status", "")
        counted = self._sandbox.book.row(_COUNT, (after, before, status, status))
        rows = self._sandbox.book.rows(
            _PAGE, (after, before, status, status, per_page, (page - 1) * per_page)
        )
        total = 0 if counted is None else int(counted["total"])
        meta = {
            "total": total,
            "total_volume": 0 if counted is None else counted["volume"],
            "skipped": (page - 1) * per_page,
            "perPage": per_page,
            "page": page,
            "pageCount": math.ceil(total / per_page),
        }
        return succeeded("Transactions retrieved", [shapes.listed(row) for row in rows], meta)


def _count(text: str | None, default: int, highest: int) -> int:
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > 7:
        return default
    return min(max(int(text), 1), highest)


def _moment(text: str | None, default: str, *, is_end: bool = False) -> str:
    """Read a date or a time; a bare date as an end means its whole day. Raises `ValueError`."""
    if not text:
        return default
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if is_end and len(text) == len("2026-01-31"):
        moment += timedelta(days=1, microseconds=-1)
    return iso_us(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
