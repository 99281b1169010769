"""Redeeming: from the cashback wallet to the main wallet of the same currency."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from fintech_core import money
from notifications.services import publish
from transactions.drafts import TransactionDraft, credit_wallet, debit_wallet
from transactions.errors import InsufficientFunds
from transactions.models import Transaction
from transactions.services import TransactionService
from users.models import User
from wallet.selectors import get_main_wallet
from wallet.services import ensure_cashback_wallet

ZERO = Decimal(0)


@transaction.atomic
def redeem(*, user: User, amount: Decimal | None, currency: str, now: datetime) -> Transaction:
    """Move cashback to the main wallet; ``amount`` in major units, None for everything that is there.

    Raises InsufficientFunds, NotFound without a main wallet in this currency, and what the ledger refuses.
    """
    main = get_main_wallet(user_id=user.pk, currency=currency)
    cashback = ensure_cashback_wallet(user_id=user.pk, currency=currency)
    wanted = cashback.available if amount is None else amount
    if wanted <= ZERO:
        raise InsufficientFunds(
            "There is no cashback to redeem.",
            available=money.format_amount(ZERO, currency),
            currency=currency,
        )
    posted = TransactionService.post(
        TransactionDraft(
            type="cashback_redemption",
            currency=currency,
            amount=wanted,
            legs=(
                debit_wallet(cashback.pk, wanted, currency, kind="cashback"),
                credit_wallet(main.pk, wanted, currency),
            ),
            from_wallet_id=cashback.pk,
            to_wallet_id=main.pk,
            from_user_id=user.pk,
            to_user_id=user.pk,
            initiated_by_id=user.pk,
            description="Cashback redeemed",
        ),
        now=now,
    )
    payload = {
        "amount": money.format_amount(wanted, currency),
        "currency": currency,
        "transaction_id": str(posted.pk),
        "reference": posted.reference,
    }
    publish(type="cashback.redeemed", user_id=user.pk, payload=payload)
    return posted
