"""The same transfer posted by django-hordak 2.x on its own tables, between two of as many accounts.

Its accounts carry no balance. ``covered`` does what a transfer must: the sender's account is locked, and its legs are
summed up before it pays. ``posted`` locks nothing, and lets anybody send what they do not have.
"""

import random
from collections.abc import Callable

from django.db import transaction
from hordak.models import Account, Transaction
from moneyed import Money

from bench.people import OPENING, PLAIN
from bench.worker import Step

AMOUNT = Money("1.00", "EUR")
BANK = "00000"


def covered(number: int) -> Step:
    """Send between two of its accounts what the first one has."""
    return _between(number, _send_if_covered)


def posted(number: int) -> Step:
    """Send between two of its accounts, whatever they have."""
    return _between(number, _send)


def _between(number: int, send: Callable[[Account, Account], Transaction]) -> Step:
    accounts, draw = list(Account.objects.exclude(code=BANK).order_by("pk")), random.Random(number)

    def step() -> int:
        with transaction.atomic():
            send(*draw.sample(accounts, 2))
        return 1

    return step


def _send(payer: Account, payee: Account) -> Transaction:
    """Post it: between liabilities, what is called a transfer takes from its second account."""
    return payee.transfer_to(payer, AMOUNT)


def _send_if_covered(payer: Account, payee: Account) -> Transaction:
    locked = Account.objects.select_for_update(no_key=True).get(pk=payer.pk)
    if locked.get_simple_balance()["EUR"] < AMOUNT:
        raise RuntimeError(f"{payer} has less than {AMOUNT}")
    return _send(payer, payee)


def open_accounts() -> None:
    """Open an account for each person, and one that pays in what they have."""
    Account.objects.bulk_create(
        Account(
            name=f"Person {number}", type="LI", code=f"{number:05d}", currencies=["EUR"],
            tree_id=number + 1, lft=1, rght=2, level=0,
        )
        for number in range(PLAIN + 1)
    )  # fmt: skip
    bank, *people = Account.objects.order_by("code")
    with transaction.atomic():
        for person in people:
            person.transfer_to(bank, Money(OPENING, "EUR"))
