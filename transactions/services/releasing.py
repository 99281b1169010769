"""Bringing parked credits home.

Releasing is its own step per row: killed before COMMIT, nothing has happened; run twice, the row's lock and the
unique source let one of them through.
"""

from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import transaction

from fintech_core import clock
from transactions import chart
from transactions.drafts import Source, TransactionDraft, credit_wallet, debit_account
from transactions.enums import ParkedCreditStatus, TransactionType
from transactions.errors import RecipientCannotReceive
from transactions.models import PARKED_CREDIT, ParkedCredit
from transactions.services.ledger import TransactionService
from transactions.services.parking import tell

log = structlog.get_logger(__name__)

SWEEP_LIMIT = 200


def release_for(*, owner_id: UUID) -> int:
    """Try to land the ``SWEEP_LIMIT`` oldest parked credits of a user; return how many landed.

    Those beyond wait for the next sweep.
    """
    rows = ParkedCredit.objects.filter(owner_id=owner_id, status=ParkedCreditStatus.PARKED).order_by(
        "created_at"
    )
    return sum(release(parked_credit_id=pk) for pk in rows.values_list("pk", flat=True)[:SWEEP_LIMIT])


@dataclass(frozen=True, slots=True)
class Swept:
    """How many credits landed, and after which one the next sweep goes on; None is from the beginning."""

    released: int
    last: UUID | None


def sweep(*, after: UUID | None) -> Swept:
    """Try to land ``SWEEP_LIMIT`` parked credits, going on after the last one tried, round and round.

    So those that cannot land, however many and old, keep nobody's waiting for more than the rounds before theirs.
    """
    parked = ParkedCredit.objects.filter(status=ParkedCreditStatus.PARKED).order_by("pk")
    later = parked if after is None else parked.filter(pk__gt=after)
    found = list(later.values_list("pk", flat=True)[:SWEEP_LIMIT])
    released = sum(_try(pk) for pk in found)
    return Swept(released, found[-1] if len(found) == SWEEP_LIMIT else None)


def _try(parked_credit_id: UUID) -> bool:
    """Release one in a sweep; what is wrong with one keeps no others waiting."""
    try:
        return release(parked_credit_id=parked_credit_id)
    except Exception:  # a row that contradicts the books is refused in one of many ways; here it is told
        log.exception("credit_not_released", parked_credit_id=str(parked_credit_id))
        return False


def release(*, parked_credit_id: UUID) -> bool:
    """Move one parked credit from ``suspense`` to its wallet; return False while the wallet still cannot take it."""
    now = clock.now()
    try:
        with transaction.atomic():
            row = (
                ParkedCredit.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
                .select_related("wallet", "parked_by")
                .filter(pk=parked_credit_id, status=ParkedCreditStatus.PARKED)
                .first()
            )
            if row is None:
                return False
            booked = TransactionService.post(_release_draft(row), now=now)
            row.status, row.released_by, row.released_at = ParkedCreditStatus.RELEASED, booked, now
            row.save(update_fields=["status", "released_by", "released_at"])
            tell("credit.released", row)
    except RecipientCannotReceive:
        log.info("credit_still_parked", parked_credit_id=str(parked_credit_id))
        return False
    return True


def _release_draft(row: ParkedCredit) -> TransactionDraft:
    wallet = row.wallet
    return TransactionDraft(
        type=row.type,
        currency=row.currency,
        amount=row.amount,
        legs=(
            debit_account(chart.SUSPENSE, row.amount, row.currency),
            credit_wallet(wallet.pk, row.amount, row.currency, kind=wallet.kind),
        ),
        to_wallet_id=wallet.pk,
        to_user_id=row.owner_id,
        description="Released credit",
        # It gives back what was there before, as a refund itself does.
        respects_balance_cap=row.type != TransactionType.REFUND,
        source=Source(PARKED_CREDIT, row.pk),
    )
