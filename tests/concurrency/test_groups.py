"""Transfers in groups: one transaction for those that can join; any other is told what it would be told alone."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from fintech_core import clock
from fintech_core.idempotency import Answer, KeyReused, grouping
from notifications.models import Event
from tests.concurrency.grouped import Crowd, Request, Told, in_a_group, payer, transactions_that_stored
from tests.concurrency.racing import balances
from tests.factories import StaffFactory, UserFactory
from tests.transactions.money import main_wallet, with_pin
from transactions import switches
from transactions.errors import MoneyOutPaused, RecipientNotFound
from transactions.models import LedgerEntry
from users.errors import InvalidPin, PinLocked, PinNotSet
from users.models import TransactionPin, User
from wallet.errors import PreconditionFailed

WRONG = "0000"


class TestWhatCanJoin:
    def test_all_of_it_is_one_transaction_and_each_gets_its_own_answer(self, crowd: Crowd) -> None:
        told = in_a_group(*crowd.requests)
        crowd.assert_all_sent_once(told)
        assert transactions_that_stored(*crowd.requests) == 1
        lines = LedgerEntry.objects.filter(wallet=main_wallet(crowd.chidi)).order_by("wallet_version")
        assert list(lines.values_list("wallet_version", "wallet_balance_after")) == [
            (number, Decimal(10 * number)) for number in (1, 2, 3, 4)
        ]
        for type_, people in (("transfer.sent", crowd.people), ("transfer.received", [crowd.chidi] * 4)):
            events = Event.objects.filter(user_id__in=[*crowd.ids, crowd.chidi.pk], type=type_)
            assert sorted(event.user_id for event in events) == sorted(person.pk for person in people)

    def test_whoever_comes_when_nobody_is_under_way_is_not_kept_waiting(self, crowd: Crowd) -> None:
        crowd.assert_all_sent_once([request.answer() for request in crowd.requests])
        assert transactions_that_stored(*crowd.requests) == 4

    def test_one_of_each_sender_goes_and_the_others_count_one_after_the_other(self, crowd: Crowd) -> None:
        requests = [crowd.request(crowd.ada, amount="40.00") for _ in range(3)]
        first, *others = in_a_group(*requests, crowd.requests[1])
        assert isinstance(first, Answer)
        assert first.status == 201
        assert sorted(answer.status for answer in others if isinstance(answer, Answer)) == [201, 201, 422]
        assert transactions_that_stored(requests[0], crowd.requests[1]) == 1
        assert transactions_that_stored(*requests, crowd.requests[1]) == 3
        assert balances(crowd.ada, crowd.bola, crowd.chidi) == [20, 90, 90]

    def test_more_than_may_go_together_go_in_two_groups(self) -> None:
        chidi: User = UserFactory()
        requests = [Request(payer(), chidi.email) for _ in range(grouping.MAX_GROUP_SIZE + 2)]
        told = in_a_group(*requests)
        assert {answer.status for answer in told if isinstance(answer, Answer)} == {201}
        assert transactions_that_stored(*requests) == 2
        assert balances(chidi) == [180]

    def test_what_one_gets_another_may_send_on(self, crowd: Crowd) -> None:
        poor = with_pin(UserFactory())
        told = in_a_group(Request(crowd.ada, poor.email, "60.00"), Request(poor, crowd.chidi.email, "60.00"))
        assert [answer.status for answer in told if isinstance(answer, Answer)] == [201, 201]
        assert balances(crowd.ada, poor, crowd.chidi) == [40, 0, 60]


class TestWhatCannotJoin:
    """It runs alone, after the others have gone together."""

    def assert_the_others_went(self, crowd: Crowd, told: Sequence[Told]) -> None:
        """Assert that all but the first have sent, in one transaction."""
        assert [answer.status for answer in told[1:] if isinstance(answer, Answer)] == [201, 201, 201]
        assert transactions_that_stored(*crowd.requests[1:]) == 1

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ({"pin": WRONG}, InvalidPin),
            ({"to": "nobody@nowhere.example"}, RecipientNotFound),
            ({"if_match": '"7"'}, PreconditionFailed),
        ],
    )
    def test_its_refusal_is_its_own(
        self, crowd: Crowd, given: dict[str, Any], expected: type[Exception]
    ) -> None:
        told = in_a_group(crowd.request(crowd.ada, **given), *crowd.requests[1:])
        assert isinstance(told[0], expected)
        self.assert_the_others_went(crowd, told)
        assert balances(crowd.ada, crowd.chidi) == [100, 30]

    def test_a_wrong_pin_counts_one_miss_and_a_right_one_forgives_it(self, crowd: Crowd) -> None:
        in_a_group(crowd.request(crowd.ada, pin=WRONG), *crowd.requests[1:])
        pin = TransactionPin.objects.filter(user_id=crowd.ada.pk)
        assert pin.get().failed_attempts == 1
        told = in_a_group(crowd.requests[0], crowd.request(crowd.bola))
        assert [answer.status for answer in told if isinstance(answer, Answer)] == [201, 201]
        assert pin.get().failed_attempts == 0

    def test_of_many_guesses_at_once_one_is_judged_in_a_group(self, crowd: Crowd) -> None:
        guesses = [crowd.request(crowd.ada, pin=f"90{number:02}") for number in range(14)]
        right, strangers = crowd.requests[:2]
        told = in_a_group(*guesses, right, strangers)
        assert isinstance(told[0], InvalidPin)
        assert {getattr(refusal, "code", "") for refusal in told[:14]} <= {"invalid_pin", "pin_locked"}
        # Alone the right one may come before the fifth miss.
        assert isinstance(told[14], PinLocked) or transactions_that_stored(right, strangers) == 2

    def test_of_many_wrong_ones_at_once_five_are_judged(self, crowd: Crowd) -> None:
        told = in_a_group(*[crowd.request(crowd.ada, pin=f"90{number:02}") for number in range(14)])
        codes = Counter(getattr(refusal, "code", "") for refusal in told)
        assert codes == {"invalid_pin": 4, "pin_locked": 10}

    def test_a_guess_is_counted_though_others_are_after_its_key(self, crowd: Crowd) -> None:
        guess = crowd.request(crowd.ada, pin=WRONG)
        told = in_a_group(guess, *[replace(guess, pin=None) for _ in range(5)], crowd.requests[1])
        assert isinstance(told[0], InvalidPin)
        assert told[0].facts == {"attempts_left": 4}
        assert TransactionPin.objects.get(user_id=crowd.ada.pk).failed_attempts == 1

    @pytest.mark.parametrize("state", ["locked", "missing", "missed before", "of an older pepper"])
    def test_a_pin_that_is_not_clean_is_judged_alone(
        self, crowd: Crowd, settings: Settings, state: str
    ) -> None:
        pin = TransactionPin.objects.filter(user_id=crowd.ada.pk)
        if state == "locked":
            pin.update(locked_at=clock.now(), failed_attempts=5)
        elif state == "missing":
            pin.delete()
        elif state == "missed before":
            pin.update(failed_attempts=3)
        else:
            settings.PIN_PEPPERS = ["2:quite-another-pepper-of-more-than-32-bytes", *settings.PIN_PEPPERS]
        told = in_a_group(*crowd.requests)
        expected = {"locked": PinLocked, "missing": PinNotSet}.get(state, Answer)
        assert isinstance(told[0], expected)
        if expected is Answer:
            crowd.assert_all_sent_once(told)
            assert (pin.get().failed_attempts, transactions_that_stored(crowd.requests[0])) == (0, 1)

    def test_a_refusal_by_rule_is_stored_under_its_key(self, crowd: Crowd) -> None:
        greedy = crowd.request(crowd.ada, amount="500.00")
        told = in_a_group(greedy, *crowd.requests[1:])
        self.assert_the_others_went(crowd, told)
        again = greedy.answer()
        assert isinstance(told[0], Answer)
        assert (told[0].status, told[0].body["code"]) == (422, "insufficient_funds")
        assert (again.status, again.body["code"], again.replayed) == (422, "insufficient_funds", True)

    def test_a_replay_is_answered_as_before_and_needs_no_pin(self, crowd: Crowd) -> None:
        first = crowd.requests[0].answer()
        again = crowd.request(crowd.ada, key=crowd.requests[0].key, pin=None)
        told = in_a_group(again, *crowd.requests[1:])
        self.assert_the_others_went(crowd, told)
        assert isinstance(told[0], Answer)
        assert (told[0].body, told[0].replayed) == (first.body, True)
        assert balances(crowd.ada, crowd.chidi) == [90, 40]

    def test_one_key_twice_sends_once_and_another_body_under_it_is_refused(self, crowd: Crowd) -> None:
        key = crowd.requests[0].key
        first, second, other = in_a_group(
            crowd.requests[0],
            crowd.request(crowd.ada, key=key),
            crowd.request(crowd.ada, key=key, amount="11.00"),
        )
        assert isinstance(first, Answer)
        assert isinstance(second, Answer)
        assert isinstance(other, KeyReused)
        assert (first.replayed, second.replayed, second.body) == (False, True, first.body)
        assert balances(crowd.ada, crowd.chidi) == [90, 10]

    def test_whoever_stopped_money_out_stops_each_of_them(self, crowd: Crowd) -> None:
        staff: User = StaffFactory()
        switches.stop_money_out(actor=staff, reason="x")
        switches.forget()
        try:
            told = in_a_group(*crowd.requests)
        finally:
            switches.resume_money_out(actor=staff, reason="x")
            switches.forget()
        assert [type(refusal) for refusal in told] == [MoneyOutPaused] * 4
        crowd.assert_nothing_happened()
