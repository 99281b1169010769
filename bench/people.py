"""Who takes part. Ids are numbers in the clothes of a UUID, so that a pgbench script can name any wallet.

They are remembered: whoever calls a service has the ids, so making them is no part of what is measured.
"""

import os
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

if TYPE_CHECKING:
    from wallet.models import Wallet

# How many people send free of charge; then come those who pay fees, and a merchant.
PLAIN = int(os.environ.get("BENCH_PEOPLE", "10000"))
PAYING = 2_000
MERCHANT = PLAIN + PAYING + 1
# The accounts of fees in these currencies are as many as processes, so that each can have one for itself.
CURRENCIES = ("NGN", "USD", "GHS", "KES")
PLAIN_TIER, PAYING_TIER = 2, 3
OPENING = Decimal(100_000)
FEE = Decimal("0.10")
PIN = "5083"
BATCH = 1_000


@cache
def user_id(number: int) -> UUID:
    """Return the id of a person."""
    return UUID(f"00000000-0000-7000-8f00-{number:012d}")


@cache
def wallet_id(number: int, currency: str = "NGN") -> UUID:
    """Return the id of a person's main wallet; ``bench_wallet`` of ``sql/tables.sql`` says the same in SQL."""
    return UUID(f"00000000-0000-7000-800{CURRENCIES.index(currency)}-{number:012d}")


def make_everybody() -> None:
    """Make all people, and let transfers of those of tier 3 cost a fee. Runs inside Django."""
    make_people(MERCHANT)
    _charge()


def make_plain_people() -> None:
    """Make the plain people alone. Runs inside Django."""
    make_people(PLAIN)


def make_people(count: int) -> None:
    """Make so many people with their wallets, and fill the wallets through the ledger."""
    from users.models import User
    from wallet.models import Wallet

    numbers = range(1, count + 1)
    users = [
        User(
            id=user_id(number), email=f"p{number}@bench.example", first_name="Ada", last_name=f"Obi{number}",
            referral_code=f"BENCH{number:07d}", kyc_tier=PLAIN_TIER if number <= PLAIN else PAYING_TIER,
        )
        for number in numbers
    ]  # fmt: skip
    User.objects.bulk_create(users, batch_size=BATCH)
    wallets = [
        Wallet(id=wallet_id(number, currency), owner_id=user_id(number), currency=currency)
        for number in numbers
        for currency in (CURRENCIES if number > PLAIN else CURRENCIES[:1])
    ]
    Wallet.objects.bulk_create(wallets, batch_size=BATCH)
    for first in range(0, len(wallets), BATCH):
        _fill(wallets[first : first + BATCH])


def _fill(wallets: "list[Wallet]") -> None:
    from django.db import transaction

    from fintech_core import clock
    from transactions.chart import gateway_clearing
    from transactions.drafts import Source, funding_draft
    from transactions.services import TransactionService

    drafts = [
        funding_draft(
            wallet_id=wallet.pk, user_id=wallet.owner_id, amount=OPENING if wallet.currency == "NGN" else OPENING / 100,
            currency=wallet.currency, source_account=gateway_clearing("paystack"), source=Source("payment", uuid4()),
        )
        for wallet in wallets
    ]  # fmt: skip
    with transaction.atomic():
        TransactionService.post_many(drafts, now=clock.now())


def _charge() -> None:
    from datetime import timedelta

    from fintech_core import clock
    from transactions.models import FeeRule

    yesterday = clock.now() - timedelta(days=1)
    for currency in CURRENCIES:
        FeeRule.objects.create(
            type="transfer", currency=currency, tier=PAYING_TIER, flat=FEE, basis_points=0, minimum=0,
            saved_at=yesterday, effective_from=yesterday + timedelta(minutes=2), note="For the benchmark",
        )  # fmt: skip
