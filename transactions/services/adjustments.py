"""Corrections: asked for with a reason by one member of staff, booked or rejected by another."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from fintech_core import approvals, audit
from fintech_core.money import format_amount
from notifications.services import publish
from transactions import chart
from transactions.drafts import (
    Source,
    TransactionDraft,
    credit_account,
    credit_wallet,
    debit_account,
    debit_wallet,
)
from transactions.enums import ApprovalKind, Direction, TransactionType
from transactions.events import facts_of
from transactions.models import Adjustment
from transactions.rights import ASK
from transactions.services import months
from transactions.services.ledger import TransactionService
from users.models import User
from users.services.own_cases import forbid_own_case
from wallet.models import Wallet


@transaction.atomic
def request_adjustment(
    *,
    wallet: Wallet,
    direction: Direction,
    amount: Decimal,
    reason: str,
    effective_at: datetime | None,
    maker: User,
    now: datetime,
) -> Adjustment:
    """Ask for a correction of a wallet; no money moves. ``credit`` is in, ``debit`` out; amount in major units.

    ``effective_at`` dates it back. Raises OwnCase, EffectiveTimeRefused.
    """
    _forbid_own_wallet(wallet, maker)
    if effective_at is not None:
        months.lock_open_month(wallet=wallet, effective_at=effective_at, now=now)
    asked = Adjustment.objects.create(
        kind=ApprovalKind.ADJUSTMENT,
        wallet=wallet,
        direction=direction,
        amount=amount,
        currency=wallet.currency,
        effective_at=effective_at,
        reason=reason,
        requested_by=maker,
        requested_at=now,
    )
    audit.record(
        actor=maker, action="adjustment.requested", target=asked, reason=reason, changes=_figures(asked)
    )
    return asked


@transaction.atomic
def book_adjustment(*, adjustment_id: UUID, checker: User, reason: str, now: datetime) -> Adjustment:
    """Book a correction that somebody else asked for, once, and tell the owner of the wallet.

    Raises NotFound, AnotherPersonRequired, OwnCase, ApprovalDecided, EffectiveTimeRefused (its month was closed
    meanwhile), InsufficientFunds, RecipientCannotReceive.
    """
    asked = _decidable(adjustment_id, checker)
    approvals.require_maker(asked, ASK[ApprovalKind.ADJUSTMENT])
    if asked.effective_at is not None:
        months.lock_open_month(wallet=asked.wallet, effective_at=asked.effective_at, now=now)
    booked = TransactionService.post(_draft(asked, checker), now=now)
    approvals.close(asked, checker=checker, result_id=booked.pk, now=now)
    audit.record(
        actor=checker, action="adjustment.booked", target=asked, reason=reason, changes=_figures(asked)
    )
    publish(
        type="wallet.adjusted",
        user_id=asked.wallet.owner_id,
        payload={
            **facts_of(booked),
            "direction": "in" if asked.direction == Direction.CREDIT else "out",
        },
    )
    return asked


@transaction.atomic
def reject_adjustment(*, adjustment_id: UUID, checker: User, reason: str, now: datetime) -> Adjustment:
    """Reject a correction that somebody else asked for.

    Raises NotFound, AnotherPersonRequired, OwnCase, ApprovalDecided.
    """
    asked = _decidable(adjustment_id, checker)
    approvals.close(asked, checker=checker, result_id=None, now=now)
    audit.record(actor=checker, action="adjustment.rejected", target=asked, reason=reason)
    return asked


def _decidable(adjustment_id: UUID, checker: User) -> Adjustment:
    """Lock a correction that this person may decide."""
    asked = approvals.open_request(Adjustment, adjustment_id, checker=checker)
    _forbid_own_wallet(asked.wallet, checker)
    return asked


def _forbid_own_wallet(wallet: Wallet, staff: User) -> None:
    """Refuse the owner of the wallet."""
    forbid_own_case(wallet.owner_id, actor=staff, detail="Somebody else has to decide about your own wallet.")


def _draft(asked: Adjustment, checker: User) -> TransactionDraft:
    """Build the movement: it goes past limits, caps and a stop on the wallet's debits, never past its balance."""
    wallet, amount, currency = asked.wallet, asked.amount, asked.currency
    into = asked.direction == Direction.CREDIT
    if into:
        legs = (
            debit_account(chart.ADJUSTMENTS, amount, currency),
            credit_wallet(wallet.pk, amount, currency, kind=wallet.kind),
        )
    else:
        legs = (
            debit_wallet(wallet.pk, amount, currency, kind=wallet.kind),
            credit_account(chart.ADJUSTMENTS, amount, currency),
        )
    return TransactionDraft(
        type=TransactionType.ADJUSTMENT,
        currency=currency,
        amount=amount,
        legs=legs,
        from_wallet_id=None if into else wallet.pk,
        to_wallet_id=wallet.pk if into else None,
        from_user_id=None if into else wallet.owner_id,
        to_user_id=wallet.owner_id if into else None,
        initiated_by_id=checker.pk,
        description="Correction by our staff",
        source=Source("adjustment", asked.pk),
        effective_at=asked.effective_at,
        respects_balance_cap=False,
        ignores_wallet_status=True,
    )


def _figures(asked: Adjustment) -> dict[str, list[str | None]]:
    effective_at = asked.effective_at.isoformat() if asked.effective_at else None
    return {
        "wallet": [None, str(asked.wallet_id)],
        asked.direction: [None, format_amount(asked.amount, asked.currency)],
        "effective_at": [None, effective_at],
    }
