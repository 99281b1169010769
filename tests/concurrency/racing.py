"""What racers do: send, hold and settle, and what came of it as one word."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction

from fintech_core import clock
from fintech_core.exceptions import DomainError
from tests.transactions.money import main_wallet
from tests.transactions.story import bill_draft, rewarded, settlement
from tests.users.parallel import in_parallel
from tests.waiting import until
from transactions.drafts import Source, TransactionDraft, funding_draft
from transactions.models import Transaction
from transactions.services import TransactionService
from users.models import User
from wallet.models import Wallet

DONE = "done"
NOTHING = Decimal("0.00")


def race(count: int, work: Callable[[int], object]) -> Counter[str]:
    """Let ``count`` threads do the work at once and count what came of it: ``done`` or the refusal's code."""

    def run(number: int) -> str:
        try:
            work(number)
        except DomainError as refusal:
            return refusal.code
        return DONE

    return Counter(in_parallel(count, run))


def send(sender: Wallet, recipient: Wallet, amount: str, *, now: datetime | None = None) -> Transaction:
    """Send money, committed."""
    with transaction.atomic():
        return TransactionService.transfer_money(
            sender=sender, recipient=recipient, amount=Decimal(amount), now=now or clock.now()
        )


def credit(wallet: Wallet, amount: str, source: UUID) -> Transaction:
    """Credit a wallet from a gateway, committed; parks itself if it may not land."""
    with transaction.atomic():
        return TransactionService.post(payment_draft(wallet, amount, source), now=clock.now())


def payment_draft(wallet: Wallet, amount: str, source: UUID) -> TransactionDraft:
    """Credit a wallet from a gateway."""
    return funding_draft(
        wallet_id=wallet.pk, user_id=wallet.owner_id, amount=Decimal(amount), currency="NGN",
        source_account="gateway_clearing:paystack", source=Source("payment", source),
    )  # fmt: skip


@contextmanager
def held_until(is_enough: Callable[[], bool], write: Callable[[], object]) -> Iterator[None]:
    """Write in a transaction that is open when the body begins, and commits once it is enough; at the end it has."""
    written = threading.Event()

    def write_and_wait() -> None:
        with transaction.atomic():
            write()
            written.set()
            until(is_enough, limit_s=20)
        connection.close()

    writer = threading.Thread(target=write_and_wait)
    writer.start()
    assert written.wait(20)
    yield
    writer.join(20)


@contextmanager
def under_way(write: Callable[[], object]) -> Iterator[None]:
    """Write in a transaction that is open when the body begins, and commits a moment later; at the end it has."""
    moment_is_over = threading.Event()
    with held_until(moment_is_over.is_set, write):
        threading.Timer(0.3, moment_is_over.set).start()
        yield


def hold(wallet: Wallet, amount: str) -> Transaction:
    """Hold money for a bill, committed."""
    with transaction.atomic():
        return TransactionService.authorize(bill_draft(wallet, amount), now=clock.now())


def settle(held: Transaction, payer: Wallet, reward: Wallet | None = None) -> None:
    """Settle a held bill, committed; the same step may reward the owner of a cashback wallet, whoever that is."""
    capture = settlement(held, payer, held.amount, NOTHING, NOTHING)
    with transaction.atomic():
        rewards = rewarded(held, reward.owner_id, held.amount) if reward is not None else []
        TransactionService.apply([capture, *rewards], now=clock.now())


def void(held: Transaction) -> None:
    """Release a hold, committed."""
    with transaction.atomic():
        TransactionService.void(held, failure_code="declined", now=clock.now())


def balances(*people: User) -> list[Decimal]:
    """Return what each person's main wallet has."""
    return [main_wallet(person).balance for person in people]
