"""What a draft becomes once its wallets are locked: pure functions over drafts and the working copies."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from transactions import chart, fees
from transactions.drafts import Leg, TransactionDraft, credit_account, debit_account
from transactions.enums import Direction
from transactions.errors import ChartViolation
from transactions.services.locking import LockedWallet


def with_fee(
    draft: TransactionDraft, wallets: Mapping[UUID, LockedWallet], now: datetime
) -> TransactionDraft:
    """Put the fee of the payer's tier on a draft: the payer's debit grows by it, and it is earned in the same posting.

    A hold has no legs yet and gets the fee alone. Returns the draft itself where the movement is free.
    """
    if draft.from_wallet_id is None:
        raise ChartViolation("a fee needs the wallet that pays it")
    payer = wallets[draft.from_wallet_id]
    fee = fees.fee_for(kind=draft.type, amount=draft.amount, currency=draft.currency, tier=payer.tier, at=now)
    if not fee:
        return draft
    if not draft.legs:
        return replace(draft, fee=draft.fee + fee)
    legs = tuple(_raised(leg, payer.id, fee) for leg in draft.legs)
    earned = credit_account(fees.EARNED_ON[draft.type], fee, draft.currency)
    return replace(draft, fee=draft.fee + fee, legs=(*legs, earned))


def with_shortfall(draft: TransactionDraft, wallets: Mapping[UUID, LockedWallet]) -> TransactionDraft:
    """Take from each wallet what is available at most, and put the rest on ``receivables``, owed by its owner."""
    legs: list[Leg] = []
    left = {wallet_id: wallet.available for wallet_id, wallet in wallets.items()}
    for leg in draft.legs:
        if leg.wallet_id is None or leg.direction != Direction.DEBIT or leg.amount <= left[leg.wallet_id]:
            legs.append(leg)
            taken = leg.amount
        else:
            taken = left[leg.wallet_id]
            if taken:
                legs.append(replace(leg, amount=taken))
            legs.append(debit_account(chart.RECEIVABLES, leg.amount - taken, leg.currency))
        if leg.wallet_id is not None:
            left[leg.wallet_id] += taken if leg.direction == Direction.CREDIT else -taken
    return replace(draft, legs=tuple(legs))


def _raised(leg: Leg, payer_id: UUID, fee: Decimal) -> Leg:
    pays = leg.wallet_id == payer_id and leg.direction == Direction.DEBIT
    return replace(leg, amount=leg.amount + fee) if pays else leg
