"""Many spend the same money at once."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import transaction

from fintech_core import audit
from fintech_core.exceptions import DomainError
from tests.concurrency.racing import DONE, balances, credit, hold, race, send, settle
from tests.factories import StaffFactory, UnverifiedUserFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from transactions.models import ParkedCredit, Transaction
from users.models import User
from wallet.enums import WalletStatus
from wallet.models import Wallet
from wallet.services import ensure_cashback_wallet, freeze_wallet, unfreeze_wallet


class TestWholeBalance:
    def test_6_01_of_50_transfers_of_everything_one_succeeds(self) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "1000.00")
        source, target = main_wallet(ada), main_wallet(chidi)
        outcomes = race(50, lambda _: send(source, target, "1000.00"))
        assert outcomes == {DONE: 1, "insufficient_funds": 49}
        assert balances(ada, chidi) == [0, 1000]

    def test_6_02_transfers_and_bills_together_take_no_more_than_there_is(self) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "100.00")
        source, target = main_wallet(ada), main_wallet(chidi)
        ways = (
            lambda: send(source, target, "30.00"),
            lambda: hold(source, "30.00"),
            lambda: settle(hold(source, "30.00"), source),
        )
        assert race(21, lambda number: ways[number % 3]()) == {DONE: 3, "insufficient_funds": 18}
        wallet = main_wallet(ada)
        assert wallet.balance - wallet.held == 10

    @pytest.mark.long
    def test_lesson_30_as_many_threads_as_there_are_connections_never_overdraw_a_wallet(self) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "100.00")
        source, target = main_wallet(ada), main_wallet(chidi)
        outcomes = race(180, lambda _: send(source, target, "1.00"))
        assert outcomes == {DONE: 100, "insufficient_funds": 80}
        assert balances(ada, chidi) == [0, 100]

    def test_lesson_30_many_threads_on_one_wallet_never_overdraw_it(self) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "25.00")
        source, target = main_wallet(ada), main_wallet(chidi)
        assert race(40, lambda _: send(source, target, "1.00")) == {DONE: 25, "insufficient_funds": 15}
        assert balances(ada, chidi) == [0, 25]


class TestLimits:
    def test_6_16_at_60_percent_of_what_is_left_of_the_day_one_passes(self) -> None:
        outcomes, spent = self.spend_the_last_hundred("60.00")
        assert outcomes == {DONE: 1, "limit_exceeded": 19}
        assert spent == 49_960

    def test_6_16_in_tenths_of_what_is_left_ten_pass(self) -> None:
        outcomes, spent = self.spend_the_last_hundred("10.00")
        assert outcomes == {DONE: 10, "limit_exceeded": 10}
        assert spent == 50_000

    @staticmethod
    def spend_the_last_hundred(amount: str) -> tuple[dict[str, int], Decimal]:
        """Let 20 sends race for the last ₦100 of a day of ₦50,000."""
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "60000.00")
        source, target = main_wallet(ada), main_wallet(chidi)
        send(source, target, "49900.00")
        return race(20, lambda _: send(source, target, amount)), main_wallet(ada).spent_today

    def test_6_18_credits_that_cross_the_cap_stop_at_it_and_the_rest_is_parked(self) -> None:
        user = UnverifiedUserFactory()
        fund(user, "49950.00")
        wallet = main_wallet(user)
        assert race(100, lambda _: credit(wallet, "1.00", uuid4())) == {DONE: 100}
        assert balances(user) == [50_000]
        parked = ParkedCredit.objects.filter(owner=user)
        assert (parked.count(), {row.reason for row in parked}) == (50, {"balance_cap"})

    def test_one_payment_told_many_times_at_once_is_one_credit(self) -> None:
        user, payment = UserFactory(), uuid4()
        wallet = main_wallet(user)
        assert race(40, lambda _: credit(wallet, "5.00", payment)) == {DONE: 1, "duplicate_reference": 39}
        assert balances(user) == [5]


class TestStatus:
    def test_lesson_10_a_freeze_racing_with_100_transfers_leaves_exact_balances(self) -> None:
        ada, chidi, staff = UserFactory(), UserFactory(), StaffFactory()
        fund(ada, "500.00")
        source, target = main_wallet(ada), main_wallet(chidi)

        def toggle_or_send(number: int) -> None:
            if number == 0:
                for _ in range(5):
                    freeze_wallet(wallet_id=source.pk, actor=staff, reason="alert")
                    unfreeze_wallet(wallet_id=source.pk, actor=staff, reason="cleared")
                return
            for _ in range(20):
                try:
                    send(source, target, "1.00")
                except DomainError as refusal:
                    if refusal.code != "wallet_frozen":
                        raise

        assert race(6, toggle_or_send) == {DONE: 6}
        sent = Transaction.objects.filter(from_user=ada).count()
        assert balances(ada, chidi) == [500 - sent, sent]
        assert main_wallet(ada).status == WalletStatus.ACTIVE
        assert main_wallet(ada).spent_today == sent

    @pytest.mark.parametrize("status", [WalletStatus.FROZEN, WalletStatus.CLOSED])
    def test_lesson_13_money_never_lands_in_a_wallet_that_was_stopped(self, status: str) -> None:
        user, staff = UserFactory(), StaffFactory()
        wallet = main_wallet(user)

        def stop_or_credit(number: int) -> None:
            if number == 10:
                stopped.append(stop(wallet, status, staff))
            else:
                credit(wallet, "1.00", uuid4())

        stopped: list[Decimal] = []
        assert race(20, stop_or_credit) == {DONE: 20}
        assert balances(user) == stopped
        parked = ParkedCredit.objects.filter(owner=user)
        assert parked.count() == 19 - stopped[0]
        assert {row.reason for row in parked} <= {f"wallet_{status}"}

    def test_a_wallet_is_opened_once_by_many(self) -> None:
        user = UserFactory()

        def open_cashback(_: int) -> None:
            with transaction.atomic():
                ensure_cashback_wallet(user_id=user.pk, currency="NGN")

        assert race(10, open_cashback) == {DONE: 10}
        assert Wallet.objects.filter(owner=user, kind="cashback").count() == 1


@transaction.atomic
def stop(wallet: Wallet, status: str, staff: User) -> Decimal:
    """Stop a wallet under the lock that every posting takes, and return what it has then."""
    locked = Wallet.objects.select_for_update(no_key=True).get(pk=wallet.pk)
    Wallet.objects.filter(pk=wallet.pk).update(status=status)
    audit.record(
        actor=staff, action="wallet.stopped", target=locked, changes={"status": [locked.status, status]}
    )
    return locked.balance
