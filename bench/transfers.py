"""What the ledger's processes repeat. Each function makes the step of process ``number``."""

import random
from collections.abc import Callable
from decimal import Decimal
from functools import cache, partial

from django.db import connection, transaction

from bench.people import CURRENCIES, MERCHANT, PAYING, PLAIN, user_id, wallet_id
from bench.worker import Step
from fintech_core import clock
from transactions.drafts import TransactionDraft, credit_wallet, debit_wallet
from transactions.services import TransactionService
from wallet.models import Wallet

ONE = Decimal(1)
BATCH = 1_000


@cache
def wallet(number: int, currency: str = "NGN") -> Wallet:
    """Return a wallet as the caller of the service knows it; the service reads the row itself, under its lock."""
    return Wallet(id=wallet_id(number, currency), owner_id=user_id(number), currency=currency)


def spread(number: int) -> Step:
    """Send between two people of 10,000, with every check on; free of charge."""
    draw = random.Random(number)
    return lambda: _send(*(wallet(one) for one in draw.sample(range(1, PLAIN + 1), 2)))


def to_one_merchant(number: int) -> Step:
    """Send from anybody to one and the same merchant."""
    draw, merchant = random.Random(number), wallet(MERCHANT)
    return lambda: _send(wallet(draw.randint(1, PLAIN)), merchant)


def one_fee_account(number: int) -> Step:
    """Send for a fee; every process earns it in the same account."""
    return partial(_send_for_a_fee, random.Random(number), "NGN")


def own_fee_account(number: int) -> Step:
    """Send for a fee; every process earns it in an account of its own, by currency."""
    return partial(_send_for_a_fee, random.Random(number), CURRENCIES[number % len(CURRENCIES)])


def spread_over_new_sessions(number: int) -> Step:
    """Send one by one, each thousand over a connection that was just opened."""
    step = spread(number)
    return lambda: _anew(lambda: sum(step() for _ in range(BATCH)))


def after_a_batch(number: int) -> Step:
    """Send one by one in a session that has posted batches before."""
    step = in_batches(number)
    for _ in range(8):
        step()
    return spread(number)


def in_batches(number: int) -> Step:
    """Send a thousand at once."""
    draw = random.Random(number)
    return lambda: _send_many([draw.sample(range(1, PLAIN + 1), 2) for _ in range(BATCH)])


def in_batches_of_new_sessions(number: int) -> Step:
    """Send a thousand at once over a connection that was just opened."""
    step = in_batches(number)
    return lambda: _anew(step)


def _anew(step: Callable[[], int]) -> int:
    connection.close()
    return step()


def _send(sender: Wallet, recipient: Wallet) -> int:
    with transaction.atomic():
        TransactionService.transfer_money(sender=sender, recipient=recipient, amount=ONE, now=clock.now())
    return 1


def _send_for_a_fee(draw: random.Random, currency: str) -> int:
    pair = draw.sample(range(PLAIN + 1, PLAIN + PAYING + 1), 2)
    return _send(*(wallet(one, currency) for one in pair))


def _send_many(pairs: list[list[int]]) -> int:
    drafts = [
        TransactionDraft(
            type="transfer", currency="NGN", amount=ONE, counts_toward_limits=True, fee_by_rule=True,
            legs=(debit_wallet(wallet_id(payer), ONE, "NGN"), credit_wallet(wallet_id(payee), ONE, "NGN")),
            from_wallet_id=wallet_id(payer), to_wallet_id=wallet_id(payee), from_user_id=user_id(payer),
            to_user_id=user_id(payee), initiated_by_id=user_id(payer),
        )
        for payer, payee in pairs
    ]  # fmt: skip
    with transaction.atomic():
        return len(TransactionService.post_many(drafts, now=clock.now()))
