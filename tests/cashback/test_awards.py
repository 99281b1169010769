"""Rewards in PostgreSQL: posted with the settlement, never twice, never beyond the budget."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from cashback import services
from cashback.enums import RewardStatus
from cashback.models import Reward
from cashback.selectors import rewards_of
from fintech_core import clock
from fintech_core.database.atomic import NotInTransaction
from notifications.models import Event
from tests.cashback.offers import (
    AIRTIME,
    ELECTRICITY,
    books,
    cashback_wallet,
    draft,
    held,
    pay,
    payer,
    purse,
    running,
    settle,
    spent,
    trigger_of,
)
from tests.factories import StaffFactory, UserFactory
from tests.users.parallel import in_parallel
from transactions.drafts import Post, Source, TransactionDraft
from transactions.models import LedgerEntry, ParkedCredit, Transaction
from transactions.services import TransactionService
from transactions.services.releasing import release_for
from transactions.verification import verify
from users.models import User
from wallet.models import Wallet
from wallet.services import ensure_cashback_wallet, freeze_wallet, unfreeze_wallet


def drafts_of(user: User, source: Source, amount: str = "100.00") -> list[TransactionDraft]:
    """Ask for the reward of an airtime payment."""
    return services.award(
        user_id=user.pk, trigger=source, amount=Decimal(amount), currency="NGN", now=clock.now(), **AIRTIME
    )


def sound() -> bool:
    """Re-prove the ledger and cashback."""
    report = verify()
    return report.findings == ()


@pytest.mark.django_db
class TestSettled:
    def test_the_reward_is_an_expense_of_ours_in_the_cashback_wallet(self) -> None:
        user, campaign = payer(), running()
        reward = pay(user, "100.00")
        assert reward is not None
        assert (reward.status, reward.amount, reward.campaign_id) == ("earned", Decimal(10), campaign.pk)
        lines = (
            LedgerEntry.objects.filter(transaction_id=reward.transaction_id)
            .select_related("account")
            .order_by("id")
        )
        assert [(line.account.code, line.direction, line.amount, line.wallet_id) for line in lines] == [
            ("cashback_expense", "debit", Decimal(10), None),
            ("cashback_wallets", "credit", Decimal(10), cashback_wallet(user).pk),
        ]
        posted = Transaction.objects.get(pk=reward.transaction_id)
        assert (posted.type, posted.source_kind, posted.source_id) == ("cashback", "reward", reward.pk)
        assert (posted.to_user_id, posted.description) == (user.pk, campaign.name)
        assert purse(user) == (Decimal(39_900), Decimal(10))
        assert spent(campaign.pk) == 10
        assert sound()

    def test_its_owner_is_told(self) -> None:
        user = payer()
        running()
        reward = pay(user, "100.00")
        assert reward is not None
        [event] = Event.objects.filter(type="cashback.earned", user_id=user.pk)
        assert event.payload == {
            "amount": "10.00",
            "currency": "NGN",
            "reward_id": str(reward.pk),
            "transaction_id": str(reward.transaction_id),
            "campaign": "10 % back on airtime",
        }

    def test_the_preview_promises_what_the_settlement_gives(self) -> None:
        user = payer()
        running()
        promised = services.preview(amount=Decimal("123.45"), currency="NGN", now=clock.now(), **AIRTIME)
        reward = pay(user, "123.45")
        assert reward is not None
        assert promised == reward.amount == Decimal("12.34")

    def test_where_nothing_is_earned_nothing_is_written(self) -> None:
        user = payer()
        assert services.preview(amount=Decimal(100), currency="NGN", now=clock.now(), **AIRTIME) == 0
        assert pay(user, "100.00") is None
        assert not Reward.objects.exists()
        assert not Wallet.objects.filter(owner=user, kind="cashback").exists()
        assert purse(user) == (Decimal(39_900), 0)

    @pytest.mark.parametrize("after", ["draft", "paused", "ended"])
    def test_a_campaign_that_does_not_run_gives_nothing(self, after: str) -> None:
        staff = StaffFactory()
        if after == "draft":
            campaign = draft()
        else:
            stop = services.pause_campaign if after == "paused" else services.end_campaign
            campaign = stop(campaign_id=running().pk, actor=staff, reason="enough")
        assert pay(payer(), "100.00") is None
        assert spent(campaign.pk) == 0

    def test_the_window_is_asked_at_the_settlement(self) -> None:
        end = clock.now() + timedelta(hours=1)
        running(ends_at=end)
        user = payer()
        first, second = held(user, "100.00"), held(user, "100.00")
        assert settle(first, now=end - timedelta(microseconds=1)) is not None
        assert settle(second, now=end) is None

    def test_of_several_campaigns_the_best_one_gives_and_the_others_keep_their_budget(self) -> None:
        lesser, best = running(), running(code="airtime-20", percent_bp=2_000)
        reward = pay(payer(), "100.00")
        assert reward is not None
        assert (reward.amount, reward.campaign_id) == (Decimal(20), best.pk)
        assert (spent(lesser.pk), spent(best.pk)) == (0, 20)


@pytest.mark.django_db
class TestOnce:
    def test_a_trigger_that_was_rewarded_gives_nothing_again(self) -> None:
        user = payer()
        running()
        bill = held(user, "100.00")
        assert settle(bill) is not None
        before = books()
        assert drafts_of(user, trigger_of(bill)) == []
        assert books() == before

    def test_not_even_when_another_campaign_has_become_the_best_one(self) -> None:
        user = payer()
        running()
        bill = held(user, "100.00")
        settle(bill)
        better = running(code="airtime-20", percent_bp=2_000)
        before = books()
        assert drafts_of(user, trigger_of(bill)) == []
        assert books() == before
        assert spent(better.pk) == 0

    def test_not_even_when_the_first_one_found_the_budget_gone(self) -> None:
        user = payer()
        running(budget=Decimal("10.00"))
        first, second = held(user, "100.00"), held(user, "100.00")
        self.drop(user, second, while_paying=first)
        running(code="airtime-20")
        assert drafts_of(user, trigger_of(second)) == []

    @staticmethod
    def drop(user: User, second: Transaction, *, while_paying: Transaction) -> None:
        """Evaluate one reward, let another one take the whole budget, then post the first."""
        drafts = drafts_of(user, trigger_of(second))
        settle(while_paying)
        assert TransactionService.apply([Post(draft) for draft in drafts], now=clock.now()) == [None]

    def test_the_database_holds_it_where_the_service_is_gone_around(self) -> None:
        user, campaign = payer(), running()
        reward = pay(user, "100.00")
        assert reward is not None
        twin = {"trigger_kind": reward.trigger_kind, "trigger_id": reward.trigger_id, "user": user}
        with (
            pytest.raises(IntegrityError, match="reward_once_per_trigger_and_user"),
            transaction.atomic(),
        ):
            Reward.objects.create(campaign=campaign, amount=1, currency="NGN", created_at=clock.now(), **twin)

    def test_one_fact_may_reward_two_people(self) -> None:
        user, friend = payer(), UserFactory()
        running()
        bill = held(user, "100.00")
        settle(bill)
        [draft_for_friend] = drafts_of(friend, trigger_of(bill))
        TransactionService.post(draft_for_friend, now=clock.now())
        assert purse(friend) == (0, 10)
        assert sound()

    def test_each_of_them_finds_their_own(self) -> None:
        user, friend = payer(), UserFactory()
        running()
        bill = held(user, "100.00")
        reward = settle(bill)
        trigger = trigger_of(bill)
        assert rewards_of(user_id=user.pk, trigger_kind=trigger.kind, trigger_ids=[trigger.id]) == {
            trigger.id: reward
        }
        assert rewards_of(user_id=friend.pk, trigger_kind=trigger.kind, trigger_ids=[trigger.id]) == {}


@pytest.mark.django_db
class TestBudget:
    def test_the_last_reward_is_trimmed_to_what_is_left(self) -> None:
        campaign = running(budget=Decimal("25.00"))
        user = payer()
        given = [reward.amount if reward else None for reward in (pay(user, "100.00") for _ in range(4))]
        assert given == [10, 10, 5, None]
        assert spent(campaign.pk) == 25
        assert purse(user)[1] == 25
        assert sound()

    def test_what_was_evaluated_before_another_one_spent_is_trimmed_under_the_lock(self) -> None:
        campaign = running(budget=Decimal("15.00"))
        user = payer()
        first, second = held(user, "100.00"), held(user, "100.00")
        [late] = drafts_of(user, trigger_of(second))
        settle(first)
        posted = TransactionService.post(late, now=clock.now())
        assert (late.amount, posted.amount, spent(campaign.pk)) == (10, 5, 15)
        assert Reward.objects.get(trigger_id=second.source_id).amount == 5
        assert purse(user)[1] == 15

    def test_a_budget_that_is_gone_drops_the_reward_and_keeps_the_settlement(self) -> None:
        campaign = running(budget=Decimal("10.00"))
        user = payer()
        first, second = held(user, "100.00"), held(user, "100.00")
        TestOnce.drop(user, second, while_paying=first)
        reward = Reward.objects.get(trigger_id=second.source_id)
        assert (reward.status, reward.transaction_id) == (RewardStatus.DROPPED, None)
        assert (spent(campaign.pk), purse(user)[1]) == (10, 10)
        assert Event.objects.filter(type="cashback.earned", user_id=user.pk).count() == 1

    def test_a_pause_between_evaluation_and_lock_drops_the_reward(self) -> None:
        campaign = running()
        user = payer()
        [late] = drafts_of(user, trigger_of(held(user, "100.00")))
        services.pause_campaign(campaign_id=campaign.pk, actor=StaffFactory(), reason="fraud")
        assert TransactionService.apply([Post(late)], now=clock.now()) == [None]
        assert Reward.objects.get().status == RewardStatus.DROPPED
        assert (spent(campaign.pk), purse(user)[1]) == (0, 0)

    def test_a_draft_without_a_wallet_is_dropped(self) -> None:
        user = payer()
        campaign = running()
        [late] = drafts_of(user, trigger_of(held(user, "100.00")))
        assert late.guard is not None
        assert late.guard(TransactionDraft(type="cashback", currency="NGN", amount=Decimal(10))) is None
        assert spent(campaign.pk) == 0

    def test_two_rewards_of_one_step_share_what_is_left(self) -> None:
        campaign = running(budget=Decimal("15.00"))
        user, friend = payer(), UserFactory()
        bill = held(user, "100.00")
        both = drafts_of(user, trigger_of(bill)) + drafts_of(friend, trigger_of(bill))
        TransactionService.apply([Post(each) for each in both], now=clock.now())
        assert (purse(user)[1], purse(friend)[1], spent(campaign.pk)) == (10, 5, 15)


@pytest.mark.django_db
class TestParked:
    def test_a_reward_for_a_frozen_wallet_waits_and_lands(self) -> None:
        user, staff = payer(), StaffFactory()
        running()
        wallet = ensure_cashback_wallet(user_id=user.pk, currency="NGN")
        freeze_wallet(wallet_id=wallet.pk, actor=staff, reason="alert")
        reward = pay(user, "100.00")
        assert reward is not None
        assert (reward.status, purse(user)[1]) == ("earned", 0)
        assert ParkedCredit.objects.get().parked_by_id == reward.transaction_id
        assert sound()
        unfreeze_wallet(wallet_id=wallet.pk, actor=staff, reason="cleared")
        assert release_for(owner_id=user.pk) == 1
        assert purse(user)[1] == 10
        assert sound()


@pytest.mark.usefixtures("committed_db")
class TestTransaction:
    def test_outside_a_transaction_it_refuses(self) -> None:
        user = payer()
        running()
        before = books()
        with pytest.raises(NotInTransaction):
            drafts_of(user, Source("bill_payment", uuid4()))
        assert books() == before

    def test_a_rollback_undoes_reward_budget_and_posting(self) -> None:
        user, campaign = payer(), running()
        bill = held(user, "100.00")
        before = books()
        with transaction.atomic():
            settle(bill)
            assert (spent(campaign.pk), purse(user)[1]) == (10, 10)
            transaction.set_rollback(True)
        assert books() == before

    def test_a_reward_that_nobody_posts_is_refused_at_commit(self) -> None:
        user = payer()
        running()
        before = books()
        with pytest.raises(IntegrityError, match="reward_is_decided_at_commit"), transaction.atomic():
            assert len(drafts_of(user, Source("bill_payment", uuid4()))) == 1
        assert books() == before


@pytest.mark.usefixtures("committed_db")
class TestRaces:
    def test_20_settlements_against_a_budget_for_10_give_exactly_10(self) -> None:
        campaign = running(budget=Decimal("100.00"))
        people = [payer("200.00") for _ in range(20)]
        bills = [held(person, "100.00") for person in people]
        self.open_wallets(people)

        def work(number: int) -> str:
            reward = settle(bills[number])
            return "none" if reward is None else f"{reward.status} {reward.amount:.2f}"

        outcomes = in_parallel(20, work)
        assert outcomes.count("earned 10.00") == 10
        assert outcomes.count("dropped 10.00") + outcomes.count("none") == 10
        assert spent(campaign.pk) == 100
        assert sorted(purse(person) for person in people) == [(100, 0)] * 10 + [(100, 10)] * 10
        assert sound()

    def test_6_12_a_budget_for_3_claimed_50_times_gives_exactly_3(self) -> None:
        campaign = running(budget=Decimal("30.00"))
        user = payer()
        bills = [held(user, "100.00") for _ in range(50)]
        self.open_wallets([user])

        def work(number: int) -> str:
            settle(bills[number])
            return "settled"

        assert in_parallel(50, work) == ["settled"] * 50
        assert (spent(campaign.pk), purse(user)) == (30, (Decimal(35_000), Decimal(30)))
        assert Reward.objects.filter(status=RewardStatus.EARNED).count() == 3
        assert not Transaction.objects.filter(status="pending").exists()
        assert sound()

    def test_the_last_naira_is_given_once_however_many_trim(self) -> None:
        campaign = running(budget=Decimal("104.99"))
        people = [payer("200.00") for _ in range(16)]
        bills = [held(person, "100.00") for person in people]
        self.open_wallets(people)
        in_parallel(16, lambda number: str(settle(bills[number])))
        given = sorted(Reward.objects.filter(status=RewardStatus.EARNED).values_list("amount", flat=True))
        assert given == [Decimal("4.99")] + [Decimal(10)] * 10
        assert spent(campaign.pk) == sum(given)
        assert sound()

    def test_one_trigger_claimed_by_many_at_once_is_one_reward(self) -> None:
        campaign = running()
        user = payer()
        bill = held(user, "100.00")
        settle(bill, **ELECTRICITY | {"category": "tv"})
        self.open_wallets([user])

        def work(_: int) -> str:
            with transaction.atomic():
                drafts = drafts_of(user, trigger_of(bill))
                TransactionService.apply([Post(draft) for draft in drafts], now=clock.now())
            return str(len(drafts))

        assert sorted(in_parallel(12, work)) == ["0"] * 11 + ["1"]
        assert (spent(campaign.pk), purse(user)[1]) == (10, 10)
        assert sound()

    def test_a_pause_in_the_middle_leaves_counter_and_rewards_equal(self) -> None:
        campaign, staff = running(), StaffFactory()
        people = [payer("200.00") for _ in range(12)]
        bills = [held(person, "100.00") for person in people]
        self.open_wallets(people)

        def work(number: int) -> str:
            if number == 12:
                services.pause_campaign(campaign_id=campaign.pk, actor=staff, reason="alert")
                return "paused"
            return str(settle(bills[number]))

        in_parallel(13, work)
        given = Reward.objects.filter(status=RewardStatus.EARNED)
        assert spent(campaign.pk) == given.count() * 10
        assert sum(purse(person)[1] for person in people) == given.count() * 10
        assert {purse(person)[0] for person in people} == {Decimal(100)}
        assert sound()

    @staticmethod
    def open_wallets(people: list[User]) -> None:
        """Open the cashback wallets, as billers do before they settle."""
        for person in people:
            ensure_cashback_wallet(user_id=person.pk, currency="NGN")
