"""Transfers on their way: whoever is about to carry out a group waits a moment for those whose requests have begun."""

import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.http import HttpResponse
from rest_framework.test import APIClient

from tests.concurrency.grouped import Crowd, transactions_that_stored, waits
from tests.concurrency.racing import balances, held_until
from tests.transactions.money import PIN, main_wallet
from tests.waiting import until
from transactions.services.locking import lock_wallets
from transactions.views.transfers import TRANSFERS
from users.models import User

Api = Callable[..., APIClient]
COMBINER = TRANSFERS._combiner
LONG_S = 20.0


class SlowBody(BytesIO):
    """A body that comes when it may."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.may_come = threading.Event()

    def read(self, size: int | None = -1) -> bytes:
        """Wait for it, then read."""
        assert self.may_come.wait(LONG_S)
        return super().read(size)


class Post:
    """A transfer of ₦10 to Chidi that somebody posts in a thread of their own; its body comes when it may."""

    def __init__(self, api: Api, crowd: Crowd, sender: User, *, query: str = "", **changes: Any) -> None:
        self.key, self.answers = str(uuid4()), list[HttpResponse]()
        content = json.dumps({"to": crowd.chidi.email, "amount": "10.00", "pin": PIN, **changes}).encode()
        self._body = SlowBody(content)
        said = {"headers": {"Idempotency-Key": self.key}, "wsgi.input": self._body}
        address = f"/api/v1/transactions/transfer{query}"
        self._post = partial(
            api(sender).generic, "POST", address, content, content_type="application/json", **said
        )
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.answers.append(self._post())
        finally:
            connections.close_all()

    def begin(self) -> None:
        """Send everything but the body, and return once the request is on its way."""
        before = len(COMBINER._announced)
        self._thread.start()
        until(lambda: len(COMBINER._announced) > before)

    def go_on(self) -> None:
        """Send the body."""
        self._body.may_come.set()

    def status(self) -> int:
        """Wait for the answer and return its status."""
        self._thread.join(LONG_S)
        return self.answers[0].status_code


@pytest.fixture
def waits_for_all() -> Iterator[None]:
    """Let whoever leads wait for everybody who is on the way."""
    with waits(gather_s=LONG_S, announced_s=LONG_S):
        yield


def lead(post: Post) -> None:
    """Send all of a request, and return once it leads."""
    post.begin()
    post.go_on()
    until(lambda: COMBINER._leader is not None)


@pytest.mark.usefixtures("waits_for_all")
class TestWhoeverLeads:
    def test_waits_for_those_whose_bodies_are_not_read_yet(self, api: Api, crowd: Crowd) -> None:
        slow = [Post(api, crowd, person) for person in crowd.people[:3]]
        for post in slow:
            post.begin()
        leader = Post(api, crowd, crowd.ife)
        lead(leader)
        for post in slow[:2]:
            post.go_on()
        until(lambda: len(COMBINER._waiting) == 2)
        assert balances(crowd.chidi) == [0]
        slow[2].go_on()
        assert [post.status() for post in (leader, *slow)] == [201] * 4
        assert transactions_that_stored(leader.key, *(post.key for post in slow)) == 1
        assert balances(*crowd.people, crowd.chidi) == [90, 90, 90, 90, 40]

    @pytest.mark.parametrize("changes", [{"amount": "one"}, {"colour": "red"}])
    def test_waits_no_longer_for_one_that_is_refused_on_its_way(
        self, api: Api, crowd: Crowd, changes: dict[str, Any]
    ) -> None:
        wrong, leader = Post(api, crowd, crowd.ada, **changes), Post(api, crowd, crowd.bola)
        wrong.begin()
        lead(leader)
        wrong.go_on()
        assert (wrong.status(), leader.status()) == (400, 201)
        assert balances(crowd.ada, crowd.bola, crowd.chidi) == [100, 90, 10]

    def test_does_not_wait_for_a_dry_run_which_takes_its_time(self, api: Api, crowd: Crowd) -> None:
        tried = Post(api, crowd, crowd.ada, query="?dry_run=true")
        leader = Post(api, crowd, crowd.bola, to=crowd.eze.email)
        with held_until(lambda: leader.answers, partial(lock_wallets, [main_wallet(crowd.ada).pk])):
            tried.begin()
            tried.go_on()
            until(lambda: not COMBINER._announced)
            leader.begin()
            leader.go_on()
            assert leader.status() == 201
            assert not tried.answers
        assert tried.status() == 200
        assert balances(crowd.ada, crowd.bola, crowd.eze, crowd.chidi) == [100, 90, 110, 0]


class TestAMoment:
    """Who takes long on the way holds nobody up, and goes later."""

    @pytest.mark.parametrize(
        "given",
        [{"gather_s": 0.05, "announced_s": LONG_S}, {"gather_s": LONG_S, "announced_s": 0.0}],
        ids=["the leader's", "of the one on the way"],
    )
    def test_is_all_that_is_waited(self, api: Api, crowd: Crowd, given: dict[str, float]) -> None:
        slow, leader = Post(api, crowd, crowd.ada), Post(api, crowd, crowd.bola)
        with waits(**given):
            slow.begin()
            leader.begin()
            leader.go_on()
            assert leader.status() == 201
            assert balances(crowd.ada, crowd.bola, crowd.chidi) == [100, 90, 10]
            slow.go_on()
            assert slow.status() == 201
        assert balances(crowd.ada, crowd.chidi) == [90, 20]
        assert transactions_that_stored(slow.key, leader.key) == 2
        assert not COMBINER._announced
