"""A capture at the very instant at which its hold expires: one of the two, by the lock of the wallet."""

from dataclasses import replace
from datetime import datetime
from threading import Event, Thread

import pytest
from django.db import connection, transaction

from fintech_core import clock
from tests.concurrency.racing import DONE, race, settle
from tests.factories import UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import bill_draft, happened, settlement
from transactions.drafts import Authorize, Void
from transactions.errors import TransactionNotPending
from transactions.models import Transaction
from transactions.services import TransactionService, expiry
from users.models import User


def expiring(until: datetime) -> tuple[User, Transaction]:
    ada = UserFactory()
    fund(ada, "100.00")
    draft = replace(bill_draft(main_wallet(ada), "40.00"), source=None, expires_at=until)
    return ada, happened(Authorize(draft))


class TestTheVeryInstant:
    def test_lesson_32_captures_beside_sweeps_take_it_or_give_it_back_never_both(self) -> None:
        ends = set()
        for _ in range(10):
            now = clock.now()
            ada, hold = expiring(now)
            wallet, expired = main_wallet(ada), []
            outcomes = race(
                10,
                lambda n, it=hold, w=wallet, at=now, out=expired: (
                    settle(it, w) if n % 2 else out.append(expiry.expire_holds(now=at).count)
                ),
            )
            status = Transaction.objects.get(pk=hold.pk).status
            ends.add(status)
            captured = status == "completed"
            assert sum(expired) == (0 if captured else 1)
            assert outcomes["transaction_not_pending"] == (4 if captured else 5)
            after = main_wallet(ada)
            assert (after.balance, after.held, after.spent_today) == (
                (60, 0, 40) if captured else (100, 0, 0)
            )
        assert ends <= {"completed", "cancelled"}

    @pytest.mark.parametrize("first", ["capture", "expiry"])
    def test_whoever_has_the_lock_first_wins_and_the_other_finds_it_ended(self, first: str) -> None:
        now = clock.now()
        ada, hold = expiring(now)
        has_the_lock, found = Event(), []

        def come_second() -> None:
            try:
                has_the_lock.wait(10)
                if first == "capture":
                    found.append(expiry.expire_holds(now=now).count)
                else:
                    with pytest.raises(TransactionNotPending):
                        settle(hold, main_wallet(ada))
                    found.append(0)
            finally:
                connection.close()

        second = Thread(target=come_second)
        second.start()
        with transaction.atomic():
            if first == "capture":
                TransactionService.apply(
                    [settlement(hold, main_wallet(ada), hold.amount, hold.fee, hold.fee)], now=now
                )
            else:
                TransactionService.apply([Void(hold.pk, "hold_expired")], now=now)
            has_the_lock.set()
            second.join(0.5)
            assert second.is_alive()
        second.join(10)
        assert found == [0]
        assert main_wallet(ada).balance == (60 if first == "capture" else 100)
        assert main_wallet(ada).held == 0

    def test_sweeps_at_once_expire_it_once(self) -> None:
        now = clock.now()
        ada, _ = expiring(now)
        expired: list[int] = []
        assert race(20, lambda _: expired.append(expiry.expire_holds(now=now).count)) == {DONE: 20}
        assert sum(expired) == 1
        assert main_wallet(ada).held == 0
