"""A payment that is reversed, or refunded in full, keeps no reward: taken from what is there, never below zero."""

from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction

from cashback import tasks
from cashback.enums import RewardStatus
from cashback.models import Reward
from cashback.selectors import get_summary_for
from cashback.services import redeem, taking_back
from fintech_core import clock
from fintech_core.models import AuditRecord, JobRun
from notifications.models import Event
from tests.cashback.offers import (
    books,
    cashback_wallet,
    earn,
    held,
    pay,
    payer,
    purse,
    running,
    settle,
    spent,
)
from tests.factories import StaffFactory, UserFactory
from tests.users.parallel import in_parallel
from transactions.errors import InsufficientFunds
from transactions.models import ParkedCredit, Transaction
from transactions.services import TransactionService
from transactions.services.releasing import release_for
from transactions.verification import verify
from users.models import User
from wallet.models import Wallet
from wallet.services import ensure_cashback_wallet, freeze_wallet, unfreeze_wallet


def reverse(movement: Transaction) -> None:
    """Let staff reverse a transaction."""
    with transaction.atomic():
        TransactionService.reverse(
            movement, actor=StaffFactory(), reason="the meter was wrong", now=clock.now()
        )


def refund(movement: Transaction, amount: str | None = None) -> Transaction:
    """Let staff refund a part of a transaction, or what is left of it."""
    with transaction.atomic():
        return TransactionService.refund(
            movement,
            amount=None if amount is None else Decimal(amount),
            actor=StaffFactory(),
            reason="the meter was wrong",
            now=clock.now(),
        )


def purchase_of(reward: Reward) -> Transaction:
    return Transaction.objects.get(source_kind=reward.trigger_kind, source_id=reward.trigger_id)


def parked_reward() -> tuple[User, Wallet, Reward]:
    """Let somebody earn ₦10 for a payment while their cashback wallet is frozen."""
    user = payer("1000.00")
    running()
    wallet = ensure_cashback_wallet(user_id=user.pk, currency="NGN")
    freeze_wallet(wallet_id=wallet.pk, actor=StaffFactory(), reason="alert")
    reward = pay(user, "100.00")
    assert reward is not None
    return user, wallet, reward


def reversed_payment(**terms: Any) -> tuple[User, Reward]:
    """Somebody whose rewarded payment was reversed, before any job has run."""
    user = payer("1000.00")
    running(**terms)
    reward = pay(user, "100.00")
    assert reward is not None
    reverse(purchase_of(reward))
    return user, reward


def rewarded_payment() -> tuple[User, Reward]:
    """Somebody with a bill of ₦100 that earned ₦10."""
    user = payer("1000.00")
    running()
    reward = pay(user, "100.00")
    assert reward is not None
    return user, reward


def status(reward: Reward) -> str:
    return Reward.objects.get(pk=reward.pk).status


@pytest.mark.django_db
class TestTakingBack:
    def test_wallet_budget_and_reward_are_as_if_it_had_not_been(self) -> None:
        user, reward = reversed_payment()
        assert purse(user) == (1000, 10)
        tasks.take_back_rewards(str(user.pk))
        assert (purse(user), status(reward), spent(reward.campaign_id)) == ((1000, 0), "cancelled", 0)
        mirror = Transaction.objects.get(reverses_id=reward.transaction_id)
        assert (mirror.type, mirror.amount) == ("reversal", Decimal(10))
        record = AuditRecord.objects.get(action="transaction.reversed", target_id=str(reward.transaction_id))
        assert (record.actor_label, record.reason) == (
            "system",
            f"The bill_payment {reward.trigger_id} was reversed.",
        )
        assert verify().findings == ()

    def test_the_event_of_the_reversal_rings_for_it(self) -> None:
        user, _ = reversed_payment()
        assert "cashback.take_back_rewards" in settings.EVENT_REACTIONS["transaction.reversed"]
        assert Event.objects.filter(type="transaction.reversed", user_id=user.pk).count() == 1

    def test_a_second_time_changes_nothing(self) -> None:
        user, _ = reversed_payment()
        assert taking_back.take_back_for(user_id=user.pk, now=clock.now()) == 1
        before = books()
        assert taking_back.take_back_for(user_id=user.pk, now=clock.now()) == 0
        assert taking_back.sweep(now=clock.now()) == 0
        assert books() == before

    def test_a_payment_that_stands_keeps_its_reward(self) -> None:
        user, _ = reversed_payment()
        kept = pay(user, "100.00")
        other = pay(payer(), "100.00")
        taking_back.take_back_for(user_id=user.pk, now=clock.now())
        assert kept is not None
        assert other is not None
        assert (status(kept), status(other)) == ("earned", "earned")

    def test_other_peoples_rewards_wait_for_their_own_ring_or_the_sweep(self) -> None:
        user, reward = reversed_payment()
        assert taking_back.take_back_for(user_id=UserFactory().pk, now=clock.now()) == 0
        assert status(reward) == "earned"
        tasks.sweep_reversed_payments()
        assert (status(reward), purse(user)) == ("cancelled", (1000, 0))
        run = JobRun.objects.get(name="cashback.sweep_reversed_payments")
        assert run.detail == {"taken_back": 1, "waiting": 0}

    def test_a_reward_that_staff_reversed_themselves_is_cancelled_without_a_second_mirror(self) -> None:
        user = payer("1000.00")
        running()
        reward = pay(user, "100.00")
        assert reward is not None
        reverse(Transaction.objects.get(pk=reward.transaction_id))
        assert taking_back.sweep(now=clock.now()) == 1
        assert (status(reward), purse(user), spent(reward.campaign_id)) == ("cancelled", (900, 0), 0)
        assert Transaction.objects.filter(reverses_id=reward.transaction_id).count() == 1
        assert verify().findings == ()

    def test_the_summary_does_not_count_what_was_taken_back(self) -> None:
        user, _ = reversed_payment()
        assert get_summary_for(user=user, currency="NGN").lifetime == 10
        taking_back.take_back_for(user_id=user.pk, now=clock.now())
        summary = get_summary_for(user=user, currency="NGN")
        assert (summary.lifetime, summary.available, summary.pending) == (0, 0, 0)

    def test_the_budget_is_there_for_somebody_else(self) -> None:
        user, _ = reversed_payment(budget=Decimal("10.00"))
        assert pay(payer(), "100.00") is None
        taking_back.take_back_for(user_id=user.pk, now=clock.now())
        assert pay(payer(), "100.00") is not None


@pytest.mark.django_db
class TestRefunds:
    def test_a_bill_that_is_refunded_in_full_keeps_no_reward(self) -> None:
        user, reward = rewarded_payment()
        refund(purchase_of(reward))
        assert purse(user) == (1000, 10)
        tasks.take_back_rewards(str(user.pk))
        assert (purse(user), status(reward), spent(reward.campaign_id)) == ((1000, 0), "cancelled", 0)
        record = AuditRecord.objects.get(action="transaction.reversed", target_id=str(reward.transaction_id))
        assert record.reason == f"The bill_payment {reward.trigger_id} was refunded in full."
        assert verify().findings == ()

    def test_the_event_of_the_refund_rings_for_it(self) -> None:
        user, reward = rewarded_payment()
        refund(purchase_of(reward))
        assert "cashback.take_back_rewards" in settings.EVENT_REACTIONS["transaction.refunded"]
        assert Event.objects.filter(type="transaction.refunded", user_id=user.pk).count() == 1

    def test_a_ring_that_was_lost_is_made_up_for_by_the_sweep(self) -> None:
        user, reward = rewarded_payment()
        refund(purchase_of(reward))
        assert taking_back.waiting() == 1
        tasks.sweep_reversed_payments()
        assert (status(reward), purse(user), taking_back.waiting()) == ("cancelled", (1000, 0), 0)

    def test_a_part_leaves_the_reward_and_the_last_part_takes_it(self) -> None:
        user, reward = rewarded_payment()
        refund(purchase_of(reward), "99.99")
        before = books()
        assert taking_back.take_back_for(user_id=user.pk, now=clock.now()) == 0
        assert taking_back.sweep(now=clock.now()) == 0
        assert books() == before
        refund(purchase_of(reward), "0.01")
        assert taking_back.take_back_for(user_id=user.pk, now=clock.now()) == 1
        assert (status(reward), purse(user)) == ("cancelled", (1000, 0))
        assert verify().findings == ()

    def test_a_refund_that_was_reversed_before_gave_nothing_back(self) -> None:
        user, reward = rewarded_payment()
        reverse(refund(purchase_of(reward)))
        assert taking_back.sweep(now=clock.now()) == 0
        assert (status(reward), purse(user)) == ("earned", (900, 10))

    def test_reversing_the_refund_later_does_not_bring_the_reward_back(self) -> None:
        user, reward = rewarded_payment()
        refunded = refund(purchase_of(reward))
        assert taking_back.sweep(now=clock.now()) == 1
        reverse(refunded)
        assert taking_back.sweep(now=clock.now()) == 0
        assert (status(reward), purse(user)) == ("cancelled", (900, 0))
        assert verify().findings == ()

    def test_a_second_time_changes_nothing(self) -> None:
        user, reward = rewarded_payment()
        refund(purchase_of(reward))
        assert taking_back.take_back_for(user_id=user.pk, now=clock.now()) == 1
        before = books()
        assert taking_back.take_back_for(user_id=user.pk, now=clock.now()) == 0
        assert taking_back.sweep(now=clock.now()) == 0
        assert books() == before


@pytest.mark.django_db
class TestTooLate:
    def test_what_was_redeemed_is_left_and_taken_from_the_next_reward(self) -> None:
        user, reward = reversed_payment()
        redeem(user=user, amount=Decimal("4.00"), currency="NGN", now=clock.now())
        before = books()
        assert taking_back.take_back_for(user_id=user.pk, now=clock.now()) == 0
        assert taking_back.sweep(now=clock.now()) == 0
        assert books() == before
        assert (status(reward), taking_back.waiting()) == ("earned", 1)
        earn(user, "5.00")
        assert taking_back.sweep(now=clock.now()) == 1
        assert (status(reward), purse(user)) == ("cancelled", (1004, 1))
        assert verify().findings == ()

    def test_what_is_parked_is_taken_out_of_suspense(self) -> None:
        user, wallet, reward = parked_reward()
        reverse(purchase_of(reward))
        assert (taking_back.waiting(), taking_back.sweep(now=clock.now()), taking_back.waiting()) == (1, 1, 0)
        assert (status(reward), ParkedCredit.objects.get().status) == ("cancelled", "reversed")
        unfreeze_wallet(wallet_id=wallet.pk, actor=StaffFactory(), reason="cleared")
        assert release_for(owner_id=user.pk) == 0
        assert purse(user) == (1000, 0)
        assert verify().findings == ()

    def test_what_was_parked_and_landed_is_taken_out_of_the_wallet_as_far_as_it_is_there(self) -> None:
        user, wallet, reward = parked_reward()
        unfreeze_wallet(wallet_id=wallet.pk, actor=StaffFactory(), reason="cleared")
        assert release_for(owner_id=user.pk) == 1
        redeem(user=user, amount=Decimal("4.00"), currency="NGN", now=clock.now())
        reverse(purchase_of(reward))
        before = books()
        assert (taking_back.sweep(now=clock.now()), books()) == (0, before)
        earn(user, "5.00")
        assert taking_back.sweep(now=clock.now()) == 1
        assert (status(reward), ParkedCredit.objects.get().status) == ("cancelled", "reversed")
        assert verify().findings == ()

    def test_a_frozen_wallet_gives_it_back(self) -> None:
        user, reward = reversed_payment()
        freeze_wallet(wallet_id=cashback_wallet(user).pk, actor=StaffFactory(), reason="alert")
        assert taking_back.sweep(now=clock.now()) == 1
        assert (status(reward), purse(user)) == ("cancelled", (1000, 0))


@pytest.mark.usefixtures("committed_db")
class TestRaces:
    def test_ten_jobs_at_once_take_it_back_once(self) -> None:
        user, reward = reversed_payment()
        outcomes = in_parallel(10, lambda _: str(taking_back.take_back_for(user_id=user.pk, now=clock.now())))
        assert sorted(outcomes) == ["0"] * 9 + ["1"]
        assert (status(reward), purse(user), spent(reward.campaign_id)) == (
            RewardStatus.CANCELLED,
            (1000, 0),
            0,
        )
        assert verify().findings == ()

    def test_against_redeeming_the_money_is_in_one_place(self) -> None:
        user, reward = reversed_payment()

        def work(number: int) -> str:
            if number:
                return str(taking_back.take_back_for(user_id=user.pk, now=clock.now()))
            try:
                redeem(user=user, amount=None, currency="NGN", now=clock.now())
            except InsufficientFunds:
                return "nothing"
            return "redeemed"

        outcomes = in_parallel(2, work)
        taken = (status(reward), purse(user), spent(reward.campaign_id))
        assert (outcomes, taken) in (
            (["nothing", "1"], ("cancelled", (1000, 0), 0)),
            (["redeemed", "0"], ("earned", (1010, 0), 10)),
        )
        assert verify().findings == ()

    def test_against_new_rewards_of_the_same_campaign_the_counter_is_exact(self) -> None:
        _, reward = reversed_payment()
        people = [payer("200.00") for _ in range(8)]
        bills = [held(person, "100.00") for person in people]
        for person in people:
            ensure_cashback_wallet(user_id=person.pk, currency="NGN")

        def work(number: int) -> str:
            if number == 8:
                return str(taking_back.sweep(now=clock.now()))
            return str(settle(bills[number]))

        in_parallel(9, work)
        assert (status(reward), spent(reward.campaign_id)) == ("cancelled", 80)
        assert verify().findings == ()
