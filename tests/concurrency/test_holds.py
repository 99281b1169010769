"""A promise is resolved once, whoever comes at the same time."""

import pytest
from django.db import transaction

from fintech_core import clock
from tests.concurrency.racing import DONE, balances, hold, race, send, settle, void
from tests.factories import StaffFactory, UnverifiedUserFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.parked import parked_funding, reverse
from transactions.models import ParkedCredit, Transaction
from transactions.services import TransactionService
from transactions.services.releasing import release
from users.models import User
from wallet.services import unfreeze_wallet


class TestHolds:
    def test_lesson_15_of_50_captures_one_wins(self) -> None:
        ada = UserFactory()
        fund(ada, "100.00")
        wallet, held = main_wallet(ada), hold(main_wallet(ada), "40.00")
        outcomes = race(50, lambda _: settle(held, wallet))
        assert outcomes == {DONE: 1, "transaction_not_pending": 49}
        assert (main_wallet(ada).balance, main_wallet(ada).held) == (60, 0)

    def test_lesson_14_of_50_voids_one_wins(self) -> None:
        ada = UserFactory()
        fund(ada, "100.00")
        held = hold(main_wallet(ada), "40.00")
        assert race(50, lambda _: void(held)) == {DONE: 1, "transaction_not_pending": 49}
        wallet = main_wallet(ada)
        assert (wallet.balance, wallet.held, wallet.spent_today) == (100, 0, 0)

    def test_6_20_captures_beside_voids_deliver_or_give_back_never_both(self) -> None:
        ada = UserFactory()
        fund(ada, "100.00")
        wallet, held = main_wallet(ada), hold(main_wallet(ada), "40.00")
        outcomes = race(50, lambda number: settle(held, wallet) if number % 2 else void(held))
        assert outcomes == {DONE: 1, "transaction_not_pending": 49}
        captured = Transaction.objects.get(pk=held.pk).status == "completed"
        assert balances(ada) == [60 if captured else 100]
        assert main_wallet(ada).held == 0


class TestReversals:
    def test_lesson_14_of_50_reversals_one_wins_and_the_rest_are_told_so(self) -> None:
        ada, chidi, staff = UserFactory(), UserFactory(), StaffFactory()
        fund(ada, "100.00")
        sent = send(main_wallet(ada), main_wallet(chidi), "40.00")

        def reverse(_: int) -> None:
            with transaction.atomic():
                TransactionService.reverse(sent, actor=staff, reason="sent in error", now=clock.now())

        assert race(50, reverse) == {DONE: 1, "already_reversed": 49}
        assert balances(ada, chidi) == [100, 0]


class TestParkedCredits:
    @pytest.mark.parametrize("landed", [False, True])
    def test_20_releases_and_reversals_at_once_take_it_back_once_and_leave_nothing(
        self, landed: bool
    ) -> None:
        for _ in range(3):
            user = UserFactory()
            funding = parked_funding(user)
            unfreeze_wallet(wallet_id=main_wallet(user).pk, actor=StaffFactory(), reason="cleared")
            row = ParkedCredit.objects.get(owner=user)
            if landed:
                assert release(parked_credit_id=row.pk)

            def work(number: int, row: ParkedCredit = row, funding: Transaction = funding) -> None:
                if number % 2:
                    release(parked_credit_id=row.pk)
                else:
                    reverse(funding)

            assert race(20, work) == {DONE: 11, "already_reversed": 9}
            row.refresh_from_db()
            back = (
                Transaction.objects.filter(reverses=row.released_by_id).count() if row.released_by_id else 0
            )
            assert (row.status, balances(user)) == ("reversed", [0])
            assert (row.reversed_by and row.reversed_by.reverses_id, back) == (
                funding.pk,
                1 if row.released_by_id else 0,
            )

    def test_one_released_by_many_lands_once(self) -> None:
        user = UnverifiedUserFactory()
        fund(user, "50000.01")
        User.objects.filter(pk=user.pk).update(kyc_tier=1)
        parked = ParkedCredit.objects.get(owner=user)
        landed: list[bool] = []
        race(20, lambda _: landed.append(release(parked_credit_id=parked.pk)))
        assert sorted(landed) == [False] * 19 + [True]
        assert f"{main_wallet(user).balance:.2f}" == "50000.01"
