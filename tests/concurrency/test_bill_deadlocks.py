"""Bills at full depth: payment, wallets of two people and a campaign's budget are locked in one order by everybody."""

from decimal import Decimal

import pytest
from django.db import connection, transaction

from billers import drafts, services
from billers.models import BillPayment
from cashback import services as cashback
from cashback.models import Campaign, Reward
from fintech_core import clock
from tests.concurrency.racing import DONE, balances, race, send
from tests.databases import Databases
from tests.factories import UserFactory
from tests.transactions.money import fund, main_wallet
from transactions.drafts import Post, Source
from transactions.services import TransactionService
from users.models import User
from wallet.models import Wallet
from wallet.services import ensure_cashback_wallet

FUNDS, BILL, REWARD = Decimal(200_000), Decimal(500), Decimal(5)


def pay(payer: User, number: int) -> BillPayment:
    """Commit T1 of a bill, as the API does."""
    order = services.Order(
        biller="ikeja-electric", product="prepaid", customer_id=f"{1111000000000 + number}", amount=BILL, currency="NGN"
    )  # fmt: skip
    with transaction.atomic():
        return services.pay_bill(user=payer, order=order, now=clock.now())


@transaction.atomic
def settle(payment: BillPayment, *rewarded: User) -> None:
    """Capture a bill and reward several people in the same ``apply``, as a referral will."""
    now = clock.now()
    BillPayment.objects.select_for_update(no_key=True).get(pk=payment.pk)
    rewards = [
        Post(draft)
        for person in rewarded
        for draft in cashback.award(
            user_id=person.pk, trigger=Source("bill_payment", payment.pk), amount=payment.amount, currency="NGN",
            category="electricity", biller="ikeja-electric", product="prepaid", now=now,
        )
    ]  # fmt: skip
    wallet = main_wallet(User.objects.get(pk=payment.user_id))
    TransactionService.apply([drafts.capture(payment, wallet_id=wallet.pk, cost=BILL), *rewards], now=now)
    ended = {"status": "completed", "completed_at": now, "next_check_at": None}
    BillPayment.objects.filter(pk=payment.pk).update(**ended)


def spent() -> Decimal:
    """Return what the sample campaign has given so far."""
    return Campaign.objects.get(code="electricity-1-percent").spent


@pytest.mark.parametrize("times", [40, pytest.param(500, marks=pytest.mark.long)])
def test_bills_that_reward_payer_and_friend_do_not_deadlock_with_transfers(
    databases: Databases, times: int
) -> None:
    """Two people pay ``times`` bills; each settlement rewards both, and meanwhile both send each other money."""
    ada, chidi = people = UserFactory(kyc_tier=3), UserFactory(kyc_tier=3)
    before = spent()
    for person in people:
        fund(person, str(FUNDS))
        ensure_cashback_wallet(user_id=person.pk, currency="NGN")

    def one_side(number: int) -> None:
        me, friend = people if number % 2 else reversed(people)
        for turn in range(times // 2):
            if number < 2:
                settle(pay(me, number * times + turn), me, friend)
            else:
                send(main_wallet(me), main_wallet(friend), "1.00")

    assert race(4, one_side) == {DONE: 4}
    assert balances(ada, chidi) == [FUNDS - times // 2 * BILL] * 2
    earned = Wallet.objects.filter(owner__in=people, kind="cashback").values_list("balance", flat=True)
    assert [*earned] == [times * REWARD] * 2
    assert Reward.objects.filter(user__in=people, status="earned").count() == 2 * times
    assert spent() - before == 2 * times * REWARD
    assert databases.deadlocks_of(str(connection.settings_dict["NAME"])) == 0
