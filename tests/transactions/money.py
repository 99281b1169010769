"""Ways for tests to put money into wallets: through the ledger, as everything else."""

from decimal import Decimal
from uuid import uuid4

from django.db import transaction

from fintech_core import clock
from transactions.chart import gateway_clearing
from transactions.drafts import Source
from transactions.models import Transaction
from transactions.services import TransactionService
from users.models import User
from users.services import pins
from wallet.models import Wallet

PIN = "5083"
PASSWORD = "demo-Password-1"


def main_wallet(user: User, currency: str = "NGN") -> Wallet:
    """Return the user's main wallet as it stands now."""
    return Wallet.objects.get(owner=user, kind="main", currency=currency)


def fund(user: User, amount: str, currency: str = "NGN") -> Transaction:
    """Put money into the user's main wallet as if a gateway had collected it."""
    with transaction.atomic():
        return TransactionService.add_money(
            wallet=main_wallet(user, currency),
            amount=Decimal(amount),
            source_account=gateway_clearing("paystack"),
            source=Source("payment", uuid4()),
            now=clock.now(),
        )


def with_pin(user: User) -> User:
    """Give somebody a password and the PIN above, and return them."""
    user.set_password(PASSWORD)
    user.save()
    pins.set_pin(user=user, pin=PIN, password=PASSWORD, current_pin=None, now=clock.now())
    return user
