"""Transfers in groups: others' locks, what breaks a group, lost connections, death, races, and the way over HTTP."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections
from django.http import HttpResponse
from rest_framework.test import APIClient

from fintech_core.idempotency import Answer, Group, OutcomeUnknown, grouping
from fintech_core.models import IdempotencyRecord
from fintech_core.prepared import Statement
from notifications.models import Event
from tests.concurrency.grouped import (
    Crowd,
    Request,
    Told,
    in_a_group,
    payer,
    together,
    transactions_that_stored,
)
from tests.concurrency.racing import DONE, balances, held_until, race, under_way
from tests.concurrency.test_idempotency import closing, fail_as, slow_commits
from tests.concurrency.wire import CUT_WHILE_IT_RUNS, LOSE_THE_ANSWER, LOSE_THE_REQUEST, wired
from tests.factories import UserFactory
from tests.transactions.money import PIN, main_wallet
from tests.users.parallel import run_in_process
from tests.waiting import until
from transactions.services import transfers
from transactions.views.transfers import send_each
from users.errors import InvalidPin
from users.models import TransactionPin, User
from wallet.models import Wallet

IN_A_GROUP = """
from tests.concurrency.grouped import Request, in_a_group
from users.models import User
to, *pairs = argument.split()
in_a_group(*[Request(User.objects.get(pk=pk), to, key=key) for pk, key in (pair.split("=") for pair in pairs)])
"""


def mistaken(_sendings: Sequence[transfers.PrefetchedSending], _may_wait: bool) -> list[Answer | None]:
    """Break the group before it has looked at anything."""
    raise KeyError("a mistake")


class TestOthersLocks:
    """Whoever needs what somebody holds waits for it; the others hardly do."""

    HOLDINGS = pytest.mark.parametrize("held", ["wallet", "receiver", "pin"])

    def sent_around(
        self, crowd: Crowd, held: str, group: "Group[transfers.PrefetchedSending]"
    ) -> list[Request]:
        """Send in a group while somebody holds what Ada needs; return the requests, Ada's first."""
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
        with held_until(lambda: len(ended) == 3, hold):
            told = in_a_group(*requests, around=[noted(place) for place in range(4)], group=group)
        assert [answer.status for answer in told if isinstance(answer, Answer)] == [201] * 4
        assert ended[-1] == 0, "the others were not kept waiting"
        assert balances(dayo) == [10]
        return requests

    @HOLDINGS
    def test_a_group_that_waited_in_vain_breaks_and_the_next_one_waits_for_nothing(
        self, crowd: Crowd, held: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(grouping, "NO_LOCK_WAITS_FOR_S", 30.0)
        group = Group(send_each)
        first = self.sent_around(crowd, held, group)
        assert transactions_that_stored(*first[1:]) == (1 if held == "pin" else 3)
        second = self.sent_around(crowd, held, group)
        assert transactions_that_stored(*second[1:]) == 1
        assert balances(*crowd.people, crowd.chidi) == [80, 80, 80, 80, 60]

    def test_a_lock_that_is_given_back_soon_is_waited_for(
        self, crowd: Crowd, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(grouping, "_SHORT_LOCK_TIMEOUT", Statement("SET LOCAL lock_timeout = '20s'"))
        with under_way(lambda: Wallet.objects.select_for_update().get(pk=main_wallet(crowd.chidi).pk)):
            told = in_a_group(*crowd.requests)
        crowd.assert_all_sent_once(told)
        assert transactions_that_stored(*crowd.requests) == 1

    def test_strangers_are_served_while_a_lone_one_waits_for_a_wallet(self, crowd: Crowd) -> None:
        group, served = Group(send_each), threading.Event()
        lone = threading.Thread(target=lambda: closing(lambda: crowd.requests[0].answer(group)))
        wallet = main_wallet(crowd.ada).pk
        with held_until(served.is_set, lambda: Wallet.objects.select_for_update().get(pk=wallet)):
            lone.start()
            until(lambda: group._combiner._leader is not None)
            answers = [request.answer(group) for request in crowd.requests[1:]]
            assert lone.is_alive()
            served.set()
        lone.join(20)
        assert [answer.status for answer in answers] == [201] * 3
        assert balances(*crowd.people, crowd.chidi) == [90, 90, 90, 90, 40]

    def test_the_brief_wait_ends_with_the_groups_transaction(self, crowd: Crowd) -> None:
        limits: list[str] = []

        @contextmanager
        def noted() -> Iterator[None]:
            yield
            with connection.cursor() as cursor:
                cursor.execute("SHOW lock_timeout")
                limits.append(cursor.fetchone()[0])

        crowd.assert_all_sent_once(in_a_group(*crowd.requests, around=[noted]))
        assert limits == ["5s"]


class TestBroken:
    """Nothing of a group that breaks stays, and each of it runs alone."""

    @pytest.mark.parametrize("how", ["an error of ours", "a serialization failure", "a check at COMMIT"])
    def test_by_whatever_it_was(self, crowd: Crowd, how: str) -> None:
        def together(sendings: Sequence[transfers.PrefetchedSending], may_wait: bool) -> list[Answer | None]:
            answers = send_each(sendings, may_wait)
            if how == "an error of ours":
                raise KeyError("a mistake")
            fail_as("40001", at_once=how == "a serialization failure")
            return answers

        told = in_a_group(*crowd.requests, group=Group(together))
        crowd.assert_all_sent_once(told)
        assert transactions_that_stored(*crowd.requests) == 4

    def test_a_miss_is_counted_though_others_are_after_its_key(self, crowd: Crowd) -> None:
        guess = crowd.request(crowd.ada, pin="0000")
        others = [replace(guess, pin=None) for _ in range(5)]
        told = in_a_group(guess, *others, crowd.requests[1], group=Group(mistaken))
        assert isinstance(told[0], InvalidPin)
        assert isinstance(told[-1], Answer)
        assert TransactionPin.objects.get(user_id=crowd.ada.pk).failed_attempts == 1

    def test_before_the_parties_were_looked_at(self, crowd: Crowd) -> None:
        crowd.assert_all_sent_once(in_a_group(*crowd.requests, group=Group(mistaken)))

    @pytest.mark.parametrize("answers", [0, 5])
    def test_by_too_few_or_too_many_answers(self, crowd: Crowd, answers: int) -> None:
        told = in_a_group(*crowd.requests, group=Group(lambda _sendings, _may_wait: [None] * answers))
        crowd.assert_all_sent_once(told)

    def test_by_answers_to_what_was_not_done(self, crowd: Crowd) -> None:
        told = in_a_group(*crowd.requests, group=Group(lambda sendings, _may_wait: [None] * len(sendings)))
        crowd.assert_all_sent_once(told)
        assert transactions_that_stored(*crowd.requests) == 4


class TestLostCommit:
    """Each looks its own key up, and nothing is done again blindly."""

    @staticmethod
    def lose(requests: Sequence[Request], how: str) -> list[Told]:
        """Send in a group, and lose the group's COMMIT."""

        @contextmanager
        def cut() -> Iterator[None]:
            with wired() as wire:
                wire.cut = how
                yield

        return in_a_group(*requests, around=[cut])

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

    def test_where_nothing_was_done_each_runs_alone(self, crowd: Crowd) -> None:
        told = self.lose(crowd.requests, LOSE_THE_REQUEST)
        crowd.assert_all_sent_once(told)
        assert transactions_that_stored(*crowd.requests) == 4
        assert [answer.replayed for answer in told if isinstance(answer, Answer)] == [False] * 4

    def test_a_connection_that_is_lost_before_concerns_nobody_else(self, crowd: Crowd) -> None:
        def together(
            _sendings: Sequence[transfers.PrefetchedSending], _may_wait: bool
        ) -> list[Answer | None]:
            with connections["owner"].cursor() as owner:
                owner.execute(
                    "SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid]
                )
            connections["owner"].close()
            return send_each(_sendings, _may_wait)

        crowd.assert_all_sent_once(in_a_group(*crowd.requests, group=Group(together)))


class TestProcessDies:
    """Before the group's COMMIT nothing of anybody's has happened, after it everything of everybody's."""

    @staticmethod
    def die(crowd: Crowd, point: str, folder: Path) -> None:
        (folder / f"{point}.kill").touch()
        given = [f"{request.sender.pk}={request.key}" for request in crowd.requests]
        ended = run_in_process(IN_A_GROUP, " ".join([crowd.chidi.email, *given]), crash_points=folder)
        assert ended.returncode == -9, ended.stderr

    @pytest.mark.parametrize("point", ["ledger.locked", "ledger.written", "idempotency.before_commit"])
    def test_before(self, crowd: Crowd, point: str, tmp_path: Path) -> None:
        self.die(crowd, point, tmp_path)
        crowd.assert_nothing_happened()
        told = in_a_group(*crowd.requests)
        crowd.assert_all_sent_once(told)
        assert transactions_that_stored(*crowd.requests) == 1

    def test_after(self, crowd: Crowd, tmp_path: Path) -> None:
        self.die(crowd, "idempotency.after_commit", tmp_path)
        assert transactions_that_stored(*crowd.requests) == 1
        told = in_a_group(*crowd.requests)
        assert [answer.replayed for answer in told if isinstance(answer, Answer)] == [True] * 4
        crowd.assert_all_sent_once(told)


class TestRaces:
    def test_two_groups_and_single_ones_at_one_merchant_lose_nothing(self) -> None:
        merchant: User = UserFactory()
        people = [payer() for _ in range(12)]
        groups = [Group(send_each), Group(send_each), Group(lambda sendings, _: [None] * len(sendings))]
        requests = [[Request(person, merchant.email, "1.00") for _ in range(20)] for person in people]

        def pay(number: int) -> None:
            for request in requests[number]:
                assert request.answer(groups[number % 3]).status == 201

        assert race(12, pay) == {DONE: 12}
        assert balances(*people, merchant) == [80] * 12 + [240]
        assert transactions_that_stored(*[one for many in requests for one in many]) < 240

    def test_the_last_of_a_balance_is_sent_once(self) -> None:
        ada, chidi = payer("100.00"), UserFactory()
        told: list[int] = []
        assert race(20, lambda _: told.append(Request(ada, chidi.email, "100.00").answer().status)) == {
            DONE: 20
        }
        assert sorted(told) == [201] + [422] * 19
        assert balances(ada, chidi) == [0, 100]


class TestOverHttp:
    """The view's requests go in a group, and are answered as they would be alone."""

    OWN = frozenset({"id", "reference", "created_at", "completed_at"})

    def test_each_gets_the_answer_that_it_gets_alone(
        self, crowd: Crowd, api: Callable[..., APIClient]
    ) -> None:
        def post(place: int, key: str) -> HttpResponse:
            person = crowd.people[place]
            body = {"to": crowd.chidi.email, "amount": f"1{place}.50", "pin": PIN}
            said = {"description": f"to {place}", "metadata": {"of": str(person.pk)}}
            answer: HttpResponse = api(person).post(
                "/api/v1/transactions/transfer",
                {**body, **said},
                format="json",
                headers={"Idempotency-Key": key},
            )
            return answer

        def posted(place: int) -> None:
            grouped[place] = post(place, keys[place])

        keys, grouped = [str(uuid4()) for _ in crowd.people], dict[int, HttpResponse]()
        together([partial(posted, place) for place in range(4)])
        assert transactions_that_stored(*keys) == 1
        for place, person in enumerate(crowd.people):
            alone, again = post(place, str(uuid4())), post(place, keys[place])
            bodies = [json.loads(answer.content) for answer in (grouped[place], alone, again)]
            assert [answer.status_code for answer in (grouped[place], alone, again)] == [201] * 3
            assert bodies[0] == bodies[2]
            assert again.headers["Idempotent-Replayed"] == "true"
            assert self.shared(bodies[0]) == self.shared(bodies[1])
            assert bodies[0]["metadata"] == {"of": str(person.pk)}
            events = Event.objects.filter(user_id=person.pk, type="transfer.sent").order_by("id")
            told, told_alone = (event.payload for event in events)
            assert told["transaction_id"] == bodies[0]["id"]
            assert {**told, "transaction_id": "", "reference": ""} == {
                **told_alone,
                "transaction_id": "",
                "reference": "",
            }

    def shared(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return what two equal movements have in common."""
        return {name: value for name, value in body.items() if name not in self.OWN}
