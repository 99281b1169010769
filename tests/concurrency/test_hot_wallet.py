"""One wallet that everybody wants at once: money in, money out, promises and their ends."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

import psycopg
import pytest
from django.db import connection, transaction

from fintech_core import clock
from tests.concurrency.racing import DONE, balances, credit, hold, race, send, settle, void
from tests.databases import Databases
from tests.factories import StaffFactory, UserFactory
from tests.transactions.attacks import conninfo, wait_for_a_waiter
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import bill_draft, happened, transfer_draft
from transactions.drafts import Authorize, Post
from transactions.models import LedgerEntry, Transaction
from transactions.services import TransactionService
from transactions.services.expiry import expire_holds
from users.models import User
from wallet.models import Wallet


def versions(person: User) -> list[int]:
    """Return the versions of a wallet's entries in the order of their recording."""
    lines = LedgerEntry.objects.filter(wallet=main_wallet(person)).order_by("created_at", "id")
    return [version for version in lines.values_list("wallet_version", flat=True) if version is not None]


class TestMerchant:
    def test_many_pay_one_merchant_who_pays_and_refunds_meanwhile(self, databases: Databases) -> None:
        """In: 80 payments of ₦1 and 20 credits of ₦2. Out: 20 payments of ₦3, 20 bills of ₦1, 10 refunds of ₦1."""
        merchant, staff = UserFactory(kyc_tier=3), StaffFactory()
        payers = [UserFactory() for _ in range(4)]
        for person in (merchant, *payers):
            fund(person, "1000.00")
        till, purses = main_wallet(merchant), [main_wallet(payer) for payer in payers]
        first = [send(purse, till, "1.00") for purse in purses for _ in range(5)]

        def trade(number: int) -> None:
            for turn in range(10):
                if number < 4:
                    send(purses[number], till, "1.00")
                    send(purses[number], till, "1.00")
                elif number == 4:
                    credit(till, "2.00", uuid4())
                    credit(till, "2.00", uuid4())
                elif number == 5:
                    send(till, purses[turn % 4], "3.00")
                    send(till, purses[-turn % 4], "3.00")
                elif number == 6:
                    settle(hold(till, "1.00"), till)
                    settle(hold(till, "1.00"), till)
                else:
                    give_back(first[turn], staff)

        assert race(8, trade) == {DONE: 8}
        assert balances(merchant) == [1000 + 20 + 80 + 40 - 60 - 20 - 10]
        assert sum(balances(*payers)) == 4000 - 20 - 80 + 60 + 10
        seen = versions(merchant)
        assert seen == list(range(1, len(seen) + 1))
        assert databases.deadlocks_of(str(connection.settings_dict["NAME"])) == 0

    def test_the_last_of_a_merchants_money_is_spent_once_by_whoever_comes(self) -> None:
        """₦100 and fifteen who want ₦40 of it: transfers, holds, and a refund to a payer."""
        merchant, payer, staff = UserFactory(), UserFactory(), StaffFactory()
        fund(payer, "40.00")
        fund(merchant, "60.00")
        paid = send(main_wallet(payer), main_wallet(merchant), "40.00")
        till, purse = main_wallet(merchant), main_wallet(payer)
        ways = (
            lambda: send(till, purse, "40.00"),
            lambda: hold(till, "40.00"),
            lambda: give_back(paid, staff),
        )
        outcomes = race(15, lambda number: ways[number % 3]())
        assert outcomes[DONE] == 2
        assert set(outcomes) <= {DONE, "insufficient_funds", "refund_exceeds_amount"}
        after = main_wallet(merchant)
        assert after.balance - after.held == 20


class TestRecordedTime:
    @pytest.mark.parametrize("others", [0, 1], ids=["two wallets", "three wallets"])
    @pytest.mark.parametrize(
        "held",
        [
            "SELECT FROM wallet_wallet WHERE id = %s FOR NO KEY UPDATE",
            "UPDATE wallet_wallet SET status = status WHERE id = %s",
        ],
        ids=["locked", "changed"],
    )
    def test_is_after_the_wait_for_the_wallet(self, held: str, others: int) -> None:
        """Whoever asks about the past takes the lock: what comes after them must not be recorded before."""
        payer, merchant = UserFactory(), UserFactory()
        fund(payer, "100.00")
        purse, till = main_wallet(payer), main_wallet(merchant)
        third = [main_wallet(UserFactory()) for _ in range(others)]
        operations = [Post(transfer_draft(purse, target, "1.00")) for target in (till, *third)]
        with (
            psycopg.connect(conninfo("default")) as asking,
            psycopg.connect(conninfo("default"), autocommit=True) as watcher,
            ThreadPoolExecutor(1) as pool,
        ):
            asking.execute(held, [till.pk])
            paid = pool.submit(in_a_thread, lambda: happened(*operations))
            wait_for_a_waiter(watcher)
            (released,) = asking.execute("SELECT clock_timestamp()").fetchone() or ()
            asking.commit()
            moment = paid.result(timeout=30).created_at
        assert moment > released
        assert set(recorded(purse, till, *third)) == {moment}


class TestThreeEndsOfAHold:
    def test_captures_voids_and_expiry_at_once_end_it_once(self) -> None:
        ends: set[str] = set()
        for _ in range(6):
            ada = UserFactory()
            fund(ada, "100.00")
            wallet = main_wallet(ada)
            due = replace(bill_draft(wallet, "40.00"), expires_at=clock.now())
            held = happened(Authorize(due))
            ways = (
                lambda it=held, purse=wallet: settle(it, purse),
                lambda it=held: void(it),
                lambda: expire_holds(now=clock.now()),
            )
            outcomes = race(12, lambda number, ways=ways: ways[number % 3]())
            status = Transaction.objects.get(pk=held.pk).status
            ends.add(status)
            # The four who look for holds that are over are never refused; of the eight others at most one has its way.
            ended_by_one = 0 if status == "cancelled" else 1
            assert outcomes == {DONE: 4 + ended_by_one, "transaction_not_pending": 8 - ended_by_one}
            after = main_wallet(ada)
            taken = 40 if status == "completed" else 0
            assert (after.balance, after.held, after.spent_today) == (100 - taken, 0, taken)
        assert ends <= {"completed", "failed", "cancelled"}


@transaction.atomic
def give_back(paid: Transaction, staff: User) -> None:
    """Refund a payment whole."""
    row = Transaction.objects.get(pk=paid.pk)
    TransactionService.refund(row, actor=staff, reason="returned goods", now=clock.now())


def recorded(*wallets: Wallet) -> list[datetime]:
    """Return when the last entry of each wallet was recorded."""
    lines = LedgerEntry.objects.filter(wallet__in=wallets).order_by("wallet", "-wallet_version")
    return list(lines.distinct("wallet").values_list("created_at", flat=True))


def in_a_thread(work: Callable[[], Transaction]) -> Transaction:
    """Work, and leave no connection behind."""
    try:
        return work()
    finally:
        connection.close()
