"""The PIN as the gate of a money POST: asked with the key's claim, judged first, committed alone where it writes."""

import threading
import time
from uuid import uuid4

import pytest
from django.db import connection, transaction

from fintech_core.exceptions import NotFound
from fintech_core.idempotency import Answer, InProgress, Scope, run, run_prefetched
from fintech_core.models import IdempotencyRecord
from tests.concurrency.racing import DONE, balances, race, send
from tests.concurrency.test_idempotency import SLOW_COMMIT_S, slow_commits
from tests.factories import UserFactory
from tests.transactions.money import PIN, fund, main_wallet, with_pin
from tests.users.parallel import in_parallel
from transactions.models import Transaction
from users.errors import InvalidPin, PinLocked, PinNotSet, PinRequired
from users.models import TransactionPin, User
from users.services.pins import PinGate

WRONG = "0000"


class Payer:
    """Ada, who sends Chidi ₦10 out of ₦100 under a key, behind her PIN."""

    def __init__(self) -> None:
        self.ada: User = with_pin(UserFactory())
        self.chidi: User = UserFactory()
        fund(self.ada, "100.00")
        self.source, self.target = main_wallet(self.ada), main_wallet(self.chidi)
        self.ran = 0

    def work(self) -> Answer:
        """Send the money."""
        self.ran += 1
        sent = send(self.source, self.target, "10.00")
        return Answer(201, {"id": str(sent.pk)}, document=("transaction", sent.pk))

    def scope(self, key: str) -> Scope:
        """Return what is asked for under a key."""
        return Scope.of(user_id=self.ada.pk, operation="transfer", key=key, body={"amount": "10.00"})

    def pay(self, key: str | None = None, pin: str | None = PIN) -> Answer:
        """Send it under the key, or a new one."""
        return run(self.scope(key or str(uuid4())), self.work, gate=PinGate(user_id=self.ada.pk, pin=pin))

    def misses(self) -> int:
        """Return how often the PIN was missed since it was right."""
        return TransactionPin.objects.get(user_id=self.ada.pk).failed_attempts

    def assert_nothing_happened(self) -> None:
        """Assert that the work never ran, and that no answer is kept."""
        assert (self.ran, balances(self.ada, self.chidi)) == (0, [100, 0])
        assert not IdempotencyRecord.objects.filter(user_id=self.ada.pk).exists()


class TestWhatIsWritten:
    def test_a_miss_is_committed_and_nothing_else(self) -> None:
        payer = Payer()
        for left in (4, 3):
            with pytest.raises(InvalidPin) as refusal:
                payer.pay(pin=WRONG)
            assert refusal.value.facts == {"attempts_left": left}
        assert payer.misses() == 2
        payer.assert_nothing_happened()

    def test_misses_are_forgiven_for_good_though_the_work_fails(self) -> None:
        payer = Payer()
        with pytest.raises(InvalidPin):
            payer.pay(pin=WRONG)

        def fail() -> Answer:
            payer.ran += 1
            raise NotFound

        with pytest.raises(NotFound):
            run(payer.scope("k"), fail, gate=PinGate(user_id=payer.ada.pk, pin=PIN))
        assert (payer.ran, payer.misses()) == (1, 0)

    def test_a_right_one_lets_the_same_request_go_on(self) -> None:
        payer = Payer()
        with pytest.raises(InvalidPin):
            payer.pay("k", pin=WRONG)
        assert payer.pay("k").status == 201
        assert (payer.ran, balances(payer.ada, payer.chidi)) == (1, [90, 10])

    def test_no_pin_and_none_that_was_ever_set_are_refused_and_leave_the_key_free(self) -> None:
        payer = Payer()
        with pytest.raises(PinRequired):
            payer.pay("k", pin=None)
        TransactionPin.objects.filter(user_id=payer.ada.pk).delete()
        with pytest.raises(PinNotSet):
            payer.pay("k")
        payer.assert_nothing_happened()

    def test_a_replay_needs_no_pin_and_counts_no_miss(self) -> None:
        payer = Payer()
        first = payer.pay("k")
        for pin in (WRONG, None):
            again = payer.pay("k", pin=pin)
            assert (again.body, again.replayed) == (first.body, True)
        assert (payer.ran, payer.misses()) == (1, 0)

    def test_it_refuses_to_run_inside_of_somebody_elses_transaction(self) -> None:
        payer = Payer()
        with pytest.raises(RuntimeError), transaction.atomic():
            payer.pay(pin=WRONG)
        assert payer.misses() == 0


class TestInParallel:
    def test_2_19_of_many_wrong_ones_five_are_judged_and_the_rest_find_it_locked(self) -> None:
        payer = Payer()
        assert race(20, lambda _: payer.pay(pin=WRONG)) == {"invalid_pin": 4, "pin_locked": 16}
        assert payer.misses() == 5
        with pytest.raises(PinLocked):
            payer.pay()
        payer.assert_nothing_happened()

    def test_right_ones_under_keys_of_their_own_all_pass(self) -> None:
        payer = Payer()
        assert race(8, lambda _: payer.pay()) == {DONE: 8}
        assert balances(payer.ada, payer.chidi) == [20, 80]

    def test_a_busy_key_is_told_at_once_though_the_pin_is_locked_by_who_has_it(self) -> None:
        payer, told_after_s = Payer(), []

        def pay(number: int) -> None:
            if number == 0:
                payer.pay("k")
                return
            wait_until_it_has_paid(payer)
            began = time.monotonic()
            with pytest.raises(InProgress):
                payer.pay("k")
            told_after_s.append(time.monotonic() - began)

        with slow_commits():
            in_parallel(2, pay)
        assert told_after_s[0] < SLOW_COMMIT_S / 2
        assert (payer.ran, Transaction.objects.filter(from_user=payer.ada).count()) == (1, 1)

    def test_two_replays_at_once_are_both_answered(self) -> None:
        payer = Payer()
        first = payer.pay("k")
        meet = threading.Barrier(2)

        def replay(_: int) -> bool:
            scope = payer.scope("k")

            def prefetch() -> None:
                meet.wait(10)  # what is queued is sent right after this, by both

            return all(
                run_prefetched(scope, prefetch, lambda _: payer.work()).body == first.body for _ in range(20)
            )

        assert in_parallel(2, replay) == [True, True]
        assert payer.ran == 1


def wait_until_it_has_paid(payer: Payer) -> None:
    """Wait until the work is done, so that its transaction is on its way to COMMIT."""
    give_up = time.monotonic() + 10
    while not payer.ran and time.monotonic() < give_up:
        time.sleep(0.01)
    with connection.cursor() as cursor:
        while time.monotonic() < give_up:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
            (count,) = cursor.fetchone()
            if count:
                return
    raise AssertionError("nobody commits")
