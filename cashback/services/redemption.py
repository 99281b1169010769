"""Redeeming: from the cashback wallet to the main wallet of the same currency."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from cashback.selectors import find_cashback_wallet
from fintech_core import money
from fintech_core.money import ZERO
from notifications.services import publish
from transactions.drafts import Leg, TransactionDraft, credit_wallet, debit_wallet
from transactions.errors import InsufficientFunds, RecipientCannotReceive, WalletFrozen
from transactions.events import facts_of
from transactions.models import Transaction
from transactions.services import TransactionService
from users.models import User
from wallet.enums import WalletStatus
from wallet.models import Wallet
from wallet.selectors import get_main_wallet


@transaction.atomic
def redeem(
    *, user: User, amount: Decimal | None, currency: str, now: datetime, if_match: str | None = None
) -> Transaction:
    """Move cashback to the main wallet; ``amount`` in major units, None for everything that is there.

    How much everything is, is read once the wallets are locked. Raises InsufficientFunds, WalletFrozen for either
    wallet, RecipientCannotReceive when the main wallet is full, NotFound without a main wallet in this currency,
    PreconditionFailed where ``if_match`` names another state of the cashback wallet.
    """
    main = get_main_wallet(user_id=user.pk, currency=currency)
    cashback = find_cashback_wallet(user_id=user.pk, currency=currency)
    if cashback is None:
        raise _nothing(currency)
    draft = replace(_draft(user, cashback, main, amount or ZERO), if_match=if_match)
    try:
        posted = TransactionService.post(draft, now=now)
    except RecipientCannotReceive as refusal:
        raise _why_not(main) from refusal
    publish(type="cashback.redeemed", user_id=user.pk, payload=facts_of(posted))
    return posted


def _draft(user: User, cashback: Wallet, main: Wallet, amount: Decimal) -> TransactionDraft:
    """Build the movement; with an amount of zero the guard fills in everything that is there."""

    def everything(draft: TransactionDraft) -> TransactionDraft:
        available = Wallet.objects.get(pk=cashback.pk).available
        if available <= ZERO:
            raise _nothing(cashback.currency)
        return replace(draft, amount=available, legs=_legs(cashback.pk, main.pk, available, main.currency))

    return TransactionDraft(
        type="cashback_redemption",
        currency=main.currency,
        amount=amount,
        legs=_legs(cashback.pk, main.pk, amount, main.currency),
        from_wallet_id=cashback.pk,
        to_wallet_id=main.pk,
        from_user_id=user.pk,
        to_user_id=user.pk,
        initiated_by_id=user.pk,
        description="Cashback redeemed",
        guard=None if amount > ZERO else everything,
    )


def _legs(cashback_id: UUID, main_id: UUID, amount: Decimal, currency: str) -> tuple[Leg, Leg]:
    return (
        debit_wallet(cashback_id, amount, currency, kind="cashback"),
        credit_wallet(main_id, amount, currency),
    )


def _nothing(currency: str) -> InsufficientFunds:
    return InsufficientFunds(
        "There is no cashback to redeem.", available=money.format_amount(ZERO, currency), currency=currency
    )


def _why_not(main: Wallet) -> WalletFrozen | RecipientCannotReceive:
    """Say what keeps the customer's own main wallet from taking the money: nobody else is concerned."""
    main.refresh_from_db()
    if main.status in {WalletStatus.FROZEN, WalletStatus.CLOSED}:
        return WalletFrozen(
            "Your main wallet takes no money now. Contact support.", wallet_status=main.status
        )
    return RecipientCannotReceive("Your main wallet would hold more than your tier allows.")
