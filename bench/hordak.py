"""The same transfer posted by django-hordak 2.x on its own tables; its accounts carry no balance to lock."""

import random

from django.db import transaction
from hordak.models import Account
from moneyed import Money

from bench.worker import Step

ACCOUNTS = 500


def spread(number: int) -> Step:
    """Send between two of its accounts."""
    accounts, draw, amount = list(Account.objects.order_by("pk")), random.Random(number), Money("1.00", "EUR")

    def send() -> int:
        payer, payee = draw.sample(accounts, 2)
        with transaction.atomic():
            payer.transfer_to(payee, amount)
        return 1

    return send


def open_accounts() -> None:
    """Open the accounts."""
    for number in range(ACCOUNTS):
        Account.objects.create(name=f"Person {number}", type="LI", code=f"{number:05d}", currencies=["EUR"])
