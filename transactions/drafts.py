"""Postings as data: frozen values that pure functions build and ``TransactionService`` carries out.

A ``TransactionDraft`` says what shall move and between which accounts; an operation says what to do with it. Nothing
here touches the database.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from fintech_core.ids import uuid7
from fintech_core.money import ZERO
from transactions import chart
from transactions.enums import Direction, TransactionStatus, TransactionType


@dataclass(frozen=True, slots=True)
class Leg:
    """One side of a posting: an amount on an account, and on a wallet where the account is a control account."""

    account: str
    direction: Direction
    amount: Decimal
    currency: str
    wallet_id: UUID | None = None


def debit_wallet(wallet_id: UUID, amount: Decimal, currency: str, *, kind: str = "main") -> Leg:
    """Take money out of a wallet."""
    return Leg(chart.CONTROL_ACCOUNTS[kind], Direction.DEBIT, amount, currency, wallet_id)


def credit_wallet(wallet_id: UUID, amount: Decimal, currency: str, *, kind: str = "main") -> Leg:
    """Put money into a wallet."""
    return Leg(chart.CONTROL_ACCOUNTS[kind], Direction.CREDIT, amount, currency, wallet_id)


def debit_account(code: str, amount: Decimal, currency: str) -> Leg:
    """Debit an account of the chart."""
    return Leg(code, Direction.DEBIT, amount, currency)


def credit_account(code: str, amount: Decimal, currency: str) -> Leg:
    """Credit an account of the chart."""
    return Leg(code, Direction.CREDIT, amount, currency)


@dataclass(frozen=True, slots=True)
class Source:
    """The business document behind a movement; a document has at most one movement of a type."""

    kind: str
    id: UUID


@dataclass(frozen=True, slots=True)
class Conversion:
    """The other currency's side: what was got, and how many units of it one unit made."""

    amount: Decimal
    currency: str
    rate: Decimal


@dataclass(frozen=True, slots=True)
class TransactionDraft:
    """One movement to be. Amounts are in major units of ``currency``; ``amount`` is without ``fee``.

    ``legs`` is empty for a hold (its capture brings them). ``parkable`` credits come from outside and wait in
    ``suspense`` when the wallet cannot take them. ``counts_toward_limits`` says whether tier limits count it against
    the sender, and whether it may be paused as outgoing money; ``respects_balance_cap`` whether the receiver's
    balance cap applies; ``fee_by_rule`` whether the fee of the rules comes on top of legs that are given without it;
    ``shortfall_to_receivables`` whether what a wallet cannot give stands on ``receivables``; ``if_match`` which state
    of the sender's wallet the draft was made for (an HTTP ``If-Match``). ``guard`` is called once the wallets are
    locked and may shrink the draft or drop it (None); it may lock rows that come after wallets in the lock order.

    ``expires_at`` ends a hold by itself, where no live document stands behind it; no product sets it yet.
    ``ignores_wallet_status`` debits a frozen or no-debit wallet, too. Only what takes back or corrects what was booked
    may set it: reversals, refunds, adjustments. On anything else it would let money out of a wallet that was stopped.
    """

    type: str
    currency: str
    amount: Decimal
    legs: tuple[Leg, ...] = ()
    fee: Decimal = ZERO
    id: UUID = field(default_factory=uuid7)
    reference: str = ""
    from_wallet_id: UUID | None = None
    to_wallet_id: UUID | None = None
    from_user_id: UUID | None = None
    to_user_id: UUID | None = None
    initiated_by_id: UUID | None = None
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    source: Source | None = None
    reverses_id: UUID | None = None
    refund_of_id: UUID | None = None
    expires_at: datetime | None = None
    effective_at: datetime | None = None
    conversion: Conversion | None = None
    parkable: bool = False
    counts_toward_limits: bool = False
    respects_balance_cap: bool = True
    ignores_wallet_status: bool = False
    shortfall_to_receivables: bool = False
    if_match: str | None = None
    fee_by_rule: bool = False
    guard: "Guard | None" = None

    @property
    def total(self) -> Decimal:
        """What leaves the sender: amount and fee."""
        return self.amount + self.fee

    @property
    def is_contestable(self) -> bool:
        """Whether only the database knows if it may be booked: things happen once, and into months that are open."""
        once = self.reference or self.source or self.reverses_id or self.refund_of_id
        return bool(once or self.effective_at)


Guard = Callable[[TransactionDraft], TransactionDraft | None]


@dataclass(frozen=True, slots=True)
class Post:
    """Move the money at once: the transaction is born completed."""

    draft: TransactionDraft


@dataclass(frozen=True, slots=True)
class Authorize:
    """Hold ``draft.total`` on ``from_wallet``: the transaction is born pending."""

    draft: TransactionDraft


@dataclass(frozen=True, slots=True)
class Capture:
    """Complete a pending transaction with these legs; ``amount`` + ``fee`` up to the hold, the rest is released."""

    transaction_id: UUID
    legs: tuple[Leg, ...]
    amount: Decimal
    fee: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Void:
    """End a pending transaction without money moving; the hold and what it counted against limits are given back."""

    transaction_id: UUID
    failure_code: str
    status: TransactionStatus = TransactionStatus.FAILED


Operation = Post | Authorize | Capture | Void


def funding_draft(
    *,
    wallet_id: UUID,
    user_id: UUID,
    amount: Decimal,
    currency: str,
    source_account: str,
    source: Source | None,
    fee: Decimal = ZERO,
) -> TransactionDraft:
    """Credit a main wallet from outside, for example ``gateway_clearing:paystack``; parks itself if it cannot land.

    ``amount`` is what the wallet gets; ``fee`` came with it and is earned.
    """
    earned = (credit_account(chart.FUNDING_FEES, fee, currency),) if fee else ()
    return TransactionDraft(
        type=TransactionType.FUNDING,
        currency=currency,
        amount=amount,
        fee=fee,
        legs=(
            debit_account(source_account, amount + fee, currency),
            credit_wallet(wallet_id, amount, currency),
            *earned,
        ),
        to_wallet_id=wallet_id,
        to_user_id=user_id,
        source=source,
        parkable=True,
    )


def transfer_draft(
    *,
    from_wallet_id: UUID,
    from_user_id: UUID,
    to_wallet_id: UUID,
    to_user_id: UUID,
    amount: Decimal,
    currency: str,
    description: str = "",
    metadata: Mapping[str, Any] | None = None,
    reference: str = "",
    source: Source | None = None,
    if_match: str | None = None,
) -> TransactionDraft:
    """Move money between two people's main wallets of one currency; the fee of the rules comes on top."""
    legs = debit_wallet(from_wallet_id, amount, currency), credit_wallet(to_wallet_id, amount, currency)
    return TransactionDraft(
        type=TransactionType.TRANSFER,
        currency=currency,
        amount=amount,
        legs=legs,
        reference=reference,
        from_wallet_id=from_wallet_id,
        to_wallet_id=to_wallet_id,
        from_user_id=from_user_id,
        to_user_id=to_user_id,
        initiated_by_id=from_user_id,
        description=description,
        metadata=metadata or {},
        source=source,
        counts_toward_limits=True,
        fee_by_rule=True,
        if_match=if_match,
    )
