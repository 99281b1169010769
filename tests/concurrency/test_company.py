"""Transfers in company: one transaction for those that are plain; any other is told what it would be told alone."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection

from fintech_core.idempotency import Answer, Group, KeyReused, OutcomeUnknown, grouping
from fintech_core.models import IdempotencyRecord
from fintech_core.prepared import Statement
from notifications.models import Event
from tests.concurrency.company import Request, Told, in_company, transactions_that_stored
from tests.concurrency.racing import DONE, balances, race, under_way
from tests.concurrency.test_idempotency import fail_as, slow_commits
from tests.concurrency.wire import CUT_WHILE_IT_RUNS, LOSE_THE_ANSWER, LOSE_THE_REQUEST, wired
from tests.factories import StaffFactory, UserFactory
from tests.transactions.money import fund, main_wallet, with_pin
from tests.users.parallel import run_in_process
from tests.waiting import until
from transactions import switches
from transactions.errors import MoneyOutPaused, RecipientNotFound
from transactions.models import LedgerEntry, Transaction
from transactions.services import transfers
from transactions.views.movements import send_each
from users.errors import InvalidPin
from users.models import TransactionPin, User
from wallet.errors import PreconditionFailed
from wallet.models import Wallet

WRONG = "0000"
IN_COMPANY = """
from tests.concurrency.company import Request, in_company
from users.models import User
to, *pairs = argument.split()
in_company(*[Request(User.objects.get(pk=pk), to, key=key) for pk, key in (pair.split("=") for pair in pairs)])
"""


def payer(amount: str = "100.00") -> User:
    """Somebody with a PIN and money."""
    person = with_pin(UserFactory())
    fund(person, amount)
    return person


class Crowd:
    """Ada, Bola, Eze and Ife, who have ₦100 each, and Chidi, to whom each of them sends ₦10."""

    def __init__(self) -> None:
        self.people = [payer() for _ in range(4)]
        self.ada, self.bola, self.eze, self.ife = self.people
        self.chidi: User = UserFactory()
        self.requests = [self.request(person) for person in self.people]

    def request(self, sender: User, **given: Any) -> Request:
        """Ask for ₦10 to Chidi unless it says otherwise."""
        return Request(**{"sender": sender, "to": self.chidi.email, **given})

    def assert_all_sent_once(self, told: Sequence[Told]) -> None:
        """Assert that each was told of its own movement, and that nothing else has happened."""
        assert balances(*self.people, self.chidi) == [90, 90, 90, 90, 40]
        for person, answer in zip(self.people, told, strict=True):
            assert isinstance(answer, Answer), answer
            sent = Transaction.objects.get(from_user=person)
            assert (answer.status, answer.body["id"]) == (201, str(sent.pk))
            assert answer.body["direction"] == "out"
        assert IdempotencyRecord.objects.filter(user_id__in=self.ids).count() == 4

    def assert_nothing_happened(self) -> None:
        """Assert that no money moved, nobody was told, and no key is used."""
        assert balances(*self.people, self.chidi) == [100, 100, 100, 100, 0]
        assert not IdempotencyRecord.objects.filter(user_id__in=self.ids).exists()
        assert not Event.objects.filter(user_id__in=self.ids, type="transfer.sent").exists()

    @property
    def ids(self) -> list[Any]:
        return [person.pk for person in self.people]


@pytest.fixture
def crowd() -> Crowd:
    """Four people with money, and one to whom they send it."""
    return Crowd()


class TestWhatIsPlain:
    def test_all_of_it_is_one_transaction_and_each_gets_its_own_answer(self, crowd: Crowd) -> None:
        told = in_company(*crowd.requests)
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

    def test_several_of_one_sender_count_one_after_the_other(self, crowd: Crowd) -> None:
        requests = [crowd.request(crowd.ada, amount="40.00") for _ in range(3)]
        told = in_company(*requests)
        assert [answer.status for answer in told if isinstance(answer, Answer)] == [201, 201, 422]
        assert balances(crowd.ada, crowd.chidi) == [20, 80]

    def test_what_one_gets_another_may_send_on(self, crowd: Crowd) -> None:
        poor = with_pin(UserFactory())
        told = in_company(Request(crowd.ada, poor.email, "60.00"), Request(poor, crowd.chidi.email, "60.00"))
        assert [answer.status for answer in told if isinstance(answer, Answer)] == [201, 201]
        assert balances(crowd.ada, poor, crowd.chidi) == [40, 0, 60]


class TestWhatIsNotPlain:
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
        told = in_company(crowd.request(crowd.ada, **given), *crowd.requests[1:])
        assert isinstance(told[0], expected)
        self.assert_the_others_went(crowd, told)
        assert balances(crowd.ada, crowd.chidi) == [100, 30]

    def test_a_wrong_pin_counts_one_miss_and_a_right_one_forgives_it(self, crowd: Crowd) -> None:
        in_company(crowd.request(crowd.ada, pin=WRONG), *crowd.requests[1:])
        pin = TransactionPin.objects.filter(user_id=crowd.ada.pk)
        assert pin.get().failed_attempts == 1
        told = in_company(crowd.requests[0], crowd.request(crowd.bola))
        assert [answer.status for answer in told if isinstance(answer, Answer)] == [201, 201]
        assert pin.get().failed_attempts == 0

    def test_a_refusal_by_rule_is_stored_under_its_key(self, crowd: Crowd) -> None:
        greedy = crowd.request(crowd.ada, amount="500.00")
        told = in_company(greedy, *crowd.requests[1:])
        self.assert_the_others_went(crowd, told)
        again = greedy.answer()
        assert isinstance(told[0], Answer)
        assert (told[0].status, told[0].body["code"]) == (422, "insufficient_funds")
        assert (again.status, again.body["code"], again.replayed) == (422, "insufficient_funds", True)

    def test_a_replay_is_answered_as_before_and_needs_no_pin(self, crowd: Crowd) -> None:
        first = crowd.requests[0].answer()
        again = crowd.request(crowd.ada, key=crowd.requests[0].key, pin=None)
        told = in_company(again, *crowd.requests[1:])
        self.assert_the_others_went(crowd, told)
        assert isinstance(told[0], Answer)
        assert (told[0].body, told[0].replayed) == (first.body, True)
        assert balances(crowd.ada, crowd.chidi) == [90, 40]

    def test_one_key_twice_sends_once_and_another_body_under_it_is_refused(self, crowd: Crowd) -> None:
        key = crowd.requests[0].key
        first, second, other = in_company(
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
            told = in_company(*crowd.requests)
        finally:
            switches.resume_money_out(actor=staff, reason="x")
            switches.forget()
        assert [type(refusal) for refusal in told] == [MoneyOutPaused] * 4
        crowd.assert_nothing_happened()


class TestOthersLocks:
    """Whoever needs what somebody holds waits for it; the others hardly do."""

    HOLDINGS = pytest.mark.parametrize("held", ["wallet", "receiver", "pin"])

    def sent_around(self, crowd: Crowd, held: str, group: "Group[transfers.Sending]") -> list[Request]:
        """Send in company while somebody holds what Ada needs; return the requests, Ada's first."""
        dayo: User = UserFactory()
        table, column, key = {
            "wallet": ("wallet_wallet", "id", main_wallet(crowd.ada).pk),
            "receiver": ("wallet_wallet", "id", main_wallet(dayo).pk),
            "pin": ("users_transactionpin", "user_id", crowd.ada.pk),
        }[held]
        ended: list[int] = []

        def noted(place: int) -> Callable[[], AbstractContextManager[None]]:
            @contextmanager
            def note() -> Iterator[None]:
                yield
                ended.append(place)

            return note

        def hold() -> None:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT 1 FROM {table} WHERE {column} = %s FOR NO KEY UPDATE", [key])

        requests = [crowd.request(crowd.ada, to=dayo.email), *map(crowd.request, crowd.people[1:])]
        with under_way(hold):
            told = in_company(*requests, around=[noted(place) for place in range(4)], group=group)
        assert [answer.status for answer in told if isinstance(answer, Answer)] == [201] * 4
        assert ended[-1] == 0, "the others were not kept waiting"
        assert balances(dayo) == [10]
        return requests

    @HOLDINGS
    def test_a_group_that_waited_in_vain_breaks_and_the_next_one_waits_for_nothing(
        self, crowd: Crowd, held: str
    ) -> None:
        group = Group(send_each)
        first = self.sent_around(crowd, held, group)
        assert transactions_that_stored(*first[1:]) == (1 if held == "pin" else 3)
        second = self.sent_around(crowd, held, group)
        assert transactions_that_stored(*second[1:]) == 1
        assert balances(*crowd.people, crowd.chidi) == [80, 80, 80, 80, 60]

    def test_a_lock_that_is_given_back_soon_is_waited_for(
        self, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(grouping, "_WAIT_BRIEFLY", Statement("SET LOCAL lock_timeout = '20s'"))
        with under_way(lambda: Wallet.objects.select_for_update().get(pk=main_wallet(crowd.chidi).pk)):
            told = in_company(*crowd.requests)
        crowd.assert_all_sent_once(told)
        assert transactions_that_stored(*crowd.requests) == 1

    def test_the_brief_wait_ends_with_the_groups_transaction(self, crowd: Crowd) -> None:
        limits: list[str] = []

        @contextmanager
        def noted() -> Iterator[None]:
            yield
            with connection.cursor() as cursor:
                cursor.execute("SHOW lock_timeout")
                limits.append(cursor.fetchone()[0])

        crowd.assert_all_sent_once(in_company(*crowd.requests, around=[noted]))
        assert limits == ["5s"]


class TestBroken:
    """Nothing of a group that breaks stays, and each of it runs alone."""

    @pytest.mark.parametrize("how", ["an error of ours", "a serialization failure", "a check at COMMIT"])
    def test_by_whatever_it_was(self, crowd: Crowd, how: str) -> None:
        def together(sendings: Sequence[transfers.Sending], may_wait: bool) -> list[Answer | None]:
            answers = send_each(sendings, may_wait)
            if how == "an error of ours":
                raise KeyError("a mistake")
            fail_as("40001", at_once=how == "a serialization failure")
            return answers

        told = in_company(*crowd.requests, group=Group(together))
        crowd.assert_all_sent_once(told)
        assert transactions_that_stored(*crowd.requests) == 4

    @pytest.mark.parametrize("answers", [0, 5])
    def test_by_too_few_or_too_many_answers(self, crowd: Crowd, answers: int) -> None:
        told = in_company(*crowd.requests, group=Group(lambda _sendings, _may_wait: [None] * answers))
        crowd.assert_all_sent_once(told)

    def test_by_answers_to_what_was_not_done(self, crowd: Crowd) -> None:
        told = in_company(*crowd.requests, group=Group(lambda sendings, _may_wait: [None] * len(sendings)))
        crowd.assert_all_sent_once(told)
        assert transactions_that_stored(*crowd.requests) == 4


class TestLostCommit:
    """Each looks its own key up, and nothing is done again blindly."""

    @staticmethod
    def lose(requests: Sequence[Request], how: str) -> list[Told]:
        """Send in company, and lose the group's COMMIT."""

        @contextmanager
        def cut() -> Iterator[None]:
            with wired() as wire:
                wire.cut = how
                yield

        return in_company(*requests, around=[cut])

    def test_a_lost_answer_is_found_by_each(self, crowd: Crowd) -> None:
        told = self.lose(crowd.requests, LOSE_THE_ANSWER)
        assert [answer.replayed for answer in told if isinstance(answer, Answer)] == [True] * 4
        crowd.assert_all_sent_once(told)
        assert transactions_that_stored(*crowd.requests) == 1

    def test_a_commit_that_still_runs_is_waited_for(self, crowd: Crowd) -> None:
        with slow_commits():  # it waits for each answer that is stored, and may be waited for so long for two
            told = self.lose(crowd.requests[:2], CUT_WHILE_IT_RUNS)
        assert [answer.replayed for answer in told if isinstance(answer, Answer)] == [True] * 2
        assert balances(*crowd.people, crowd.chidi) == [90, 90, 100, 100, 20]

    def test_one_that_runs_too_long_is_unknown_to_each_and_found_later(self, crowd: Crowd) -> None:
        with slow_commits():
            told = self.lose(crowd.requests, CUT_WHILE_IT_RUNS)
            assert [type(refusal) for refusal in told] == [OutcomeUnknown] * 4
            until(lambda: IdempotencyRecord.objects.filter(user_id__in=crowd.ids).exists())
        crowd.assert_all_sent_once([request.answer() for request in crowd.requests])

    def test_a_lost_commit_is_an_error_to_each_and_the_same_keys_run(self, crowd: Crowd) -> None:
        told = self.lose(crowd.requests, LOSE_THE_REQUEST)
        assert all(isinstance(error, (OperationalError, InterfaceError)) for error in told), told
        crowd.assert_nothing_happened()
        crowd.assert_all_sent_once(in_company(*crowd.requests))


class TestProcessDies:
    """Before the group's COMMIT nothing of anybody's has happened, after it everything of everybody's."""

    @staticmethod
    def die(crowd: Crowd, point: str, folder: Path) -> None:
        (folder / f"{point}.kill").touch()
        given = [f"{request.sender.pk}={request.key}" for request in crowd.requests]
        ended = run_in_process(IN_COMPANY, " ".join([crowd.chidi.email, *given]), crash_points=folder)
        assert ended.returncode == -9, ended.stderr

    @pytest.mark.parametrize("point", ["ledger.locked", "ledger.written", "idempotency.before_commit"])
    def test_before(self, crowd: Crowd, point: str, tmp_path: Path) -> None:
        self.die(crowd, point, tmp_path)
        crowd.assert_nothing_happened()
        told = in_company(*crowd.requests)
        crowd.assert_all_sent_once(told)
        assert transactions_that_stored(*crowd.requests) == 1

    def test_after(self, crowd: Crowd, tmp_path: Path) -> None:
        self.die(crowd, "idempotency.after_commit", tmp_path)
        assert transactions_that_stored(*crowd.requests) == 1
        told = in_company(*crowd.requests)
        assert [answer.replayed for answer in told if isinstance(answer, Answer)] == [True] * 4
        crowd.assert_all_sent_once(told)


class TestRaces:
    def test_two_processes_worth_of_company_and_single_ones_at_one_merchant_lose_nothing(self) -> None:
        merchant: User = UserFactory()
        people = [payer() for _ in range(6)]
        groups = [Group(send_each), Group(send_each)]

        def pay(number: int) -> None:
            for turn in range(20):
                request = Request(people[number % 6], merchant.email, "1.00")
                answer = request.answer(groups[turn % 2]) if number % 3 else request.answer(groups[0])
                assert answer.status == 201

        assert race(12, pay) == {DONE: 12}
        assert balances(*people, merchant) == [60] * 6 + [240]

    def test_the_last_of_a_balance_is_sent_once(self) -> None:
        ada, chidi = payer("100.00"), UserFactory()
        told: list[int] = []
        assert race(20, lambda _: told.append(Request(ada, chidi.email, "100.00").answer().status)) == {
            DONE: 20
        }
        assert sorted(told) == [201] + [422] * 19
        assert balances(ada, chidi) == [0, 100]
