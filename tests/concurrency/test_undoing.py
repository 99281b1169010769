"""Refunds and reversals of one movement at the same time: never more comes back than went."""

from decimal import Decimal

from django.db import transaction
from django.db.models import Sum

from fintech_core import clock
from tests.concurrency.racing import DONE, balances, race, send
from tests.factories import UserFactory
from tests.transactions.money import fund, main_wallet
from transactions.models import LedgerEntry, Transaction
from transactions.selectors import refunded_so_far
from transactions.services import TransactionService
from users.models import User


def sent() -> tuple[User, User, Transaction]:
    """Let one person send 40.00 to another, who has 500.00 besides."""
    ada, chidi = UserFactory(), UserFactory()
    fund(ada, "100.00")
    fund(chidi, "500.00")
    return ada, chidi, send(main_wallet(ada), main_wallet(chidi), "40.00")


def refund(original: Transaction, amount: str | None) -> None:
    with transaction.atomic():
        TransactionService.refund(
            original, amount=None if amount is None else Decimal(amount), actor=None, reason="x", now=clock.now()
        )  # fmt: skip


def reverse(original: Transaction) -> None:
    with transaction.atomic():
        TransactionService.reverse(original, actor=None, reason="x", now=clock.now())


class TestRefunds:
    def test_lesson_15_20_parallel_refunds_never_exceed_the_amount(self) -> None:
        ada, chidi, original = sent()
        assert race(20, lambda _: refund(original, "7.00")) == {DONE: 5, "refund_exceeds_amount": 15}
        assert refunded_so_far(original) == 35
        assert balances(ada, chidi) == [95, 505]

    def test_lesson_14_of_20_refunds_of_the_rest_one_wins(self) -> None:
        ada, chidi, original = sent()
        assert race(20, lambda _: refund(original, None)) == {DONE: 1, "refund_exceeds_amount": 19}
        assert balances(ada, chidi) == [100, 500]

    def test_refunds_beside_reversals_one_or_the_other(self) -> None:
        for _ in range(5):
            ada, chidi, original = sent()
            outcomes = race(20, lambda n, it=original: refund(it, "40.00") if n % 2 else reverse(it))
            assert outcomes[DONE] == 1
            assert set(outcomes) <= {DONE, "already_reversed", "refund_exceeds_amount", "not_reversible"}
            assert balances(ada, chidi) == [100, 500]

    def test_refunds_with_shortfalls_beside_the_receiver_spending_it(self) -> None:
        ada, chidi, eze = UserFactory(), UserFactory(), UserFactory()
        fund(ada, "100.00")
        original = send(main_wallet(ada), main_wallet(chidi), "40.00")

        def work(number: int) -> None:
            if number % 2:
                send(main_wallet(chidi), main_wallet(eze), "9.00")
            else:
                with transaction.atomic():
                    TransactionService.refund(
                        original, amount=Decimal(10), actor=None, reason="x", book_shortfall=True,
                        now=clock.now(),
                    )  # fmt: skip

        outcomes = race(16, work)
        assert refunded_so_far(original) == 40
        assert outcomes["refund_exceeds_amount"] == 4
        owed = LedgerEntry.objects.filter(transaction__refund_of=original, account__code="receivables")
        missing = owed.aggregate(total=Sum("amount"))["total"] or 0
        assert balances(ada) == [100]
        assert balances(chidi)[0] + balances(eze)[0] == missing
