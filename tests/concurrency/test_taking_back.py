"""A reward is taken back once, whoever else undoes it at the same time."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import pytest
from django.db import transaction

from cashback.models import Campaign, Reward
from cashback.services.taking_back import take_back_for
from fintech_core import clock
from tests.concurrency.interleaving import Conductor, games
from tests.concurrency.racing import DONE, hold, settle
from tests.factories import StaffFactory, UserFactory
from tests.transactions.model import stops
from tests.transactions.money import fund, main_wallet
from transactions.models import Transaction
from transactions.services import TransactionService
from users.models import User
from wallet.models import Wallet
from wallet.services import ensure_cashback_wallet


@dataclass(frozen=True)
class Undone:
    """Somebody whose rewarded bill was reversed, and who has the reward still."""

    user: User
    staff: User
    reward: Reward
    spent_before: Decimal

    @classmethod
    def made(cls) -> "Undone":
        user, staff = UserFactory(), StaffFactory()
        spent = Campaign.objects.get().spent
        fund(user, "2000.00")
        held, wallet = hold(main_wallet(user), "2000.00"), main_wallet(user)
        settle(held, wallet, ensure_cashback_wallet(user_id=user.pk, currency="NGN"))
        reward = Reward.objects.get(user=user)
        cls.undo(held, staff)
        return cls(user, staff, reward, spent)

    @staticmethod
    @transaction.atomic
    def undo(movement: Transaction, staff: User) -> None:
        """Reverse a movement, as staff do."""
        row = Transaction.objects.get(pk=movement.pk)
        TransactionService.reverse(row, actor=staff, reason="not delivered", now=clock.now())

    def take_back(self) -> None:
        take_back_for(user_id=self.user.pk, now=clock.now())

    def staff_take_it(self) -> None:
        assert self.reward.transaction is not None
        self.undo(self.reward.transaction, self.staff)

    def assert_it_is_gone_once(self) -> None:
        self.reward.refresh_from_db()
        assert self.reward.status == "cancelled"
        assert Wallet.objects.get(owner=self.user, kind="cashback").balance == 0
        assert Campaign.objects.get().spent == self.spent_before


@pytest.mark.parametrize("other", ["staff_take_it", pytest.param("take_back", marks=pytest.mark.long)])
def test_beside_somebody_else_it_is_gone_once(other: str) -> None:
    played: list[Undone] = []

    def scene() -> list[Callable[[], object]]:
        played[:] = [Undone.made()]
        return [played[0].take_back, getattr(played[0], other)]

    with stops.installed(), Conductor() as stage:
        for game in games(stage, scene, preemptions=1):
            assert game.outcomes[0] == DONE, game
            assert game.outcomes[1] in {DONE, "already_reversed"}, game
            played[0].assert_it_is_gone_once()
