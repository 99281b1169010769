"""Transfers that come while another is under way, so that what they ask for is done in one transaction."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

from django.db import connection, connections

from fintech_core import clock
from fintech_core.idempotency import Answer, Group, GroupedRequest, Scope, run_prefetched
from fintech_core.models import IdempotencyRecord
from notifications.models import Event
from tests.concurrency.racing import balances
from tests.factories import UserFactory
from tests.transactions.money import PIN, fund, with_pin
from tests.waiting import until
from transactions.models import Transaction
from transactions.rendering import render
from transactions.services import transfers
from transactions.views.transfers import TRANSFERS
from users.models import User
from users.services.pins import PinGate

LIMIT_S = 30.0
Told = Answer | Exception


@dataclass(frozen=True)
class Request:
    """Somebody's POST of a transfer."""

    sender: User
    to: str
    amount: str = "10.00"
    pin: str | None = PIN
    key: str = field(default_factory=lambda: str(uuid4()))
    if_match: str | None = None

    def answer(self, group: "Group[transfers.PrefetchedSending]" = TRANSFERS) -> Answer:
        """Do what the view does with it."""
        body = {"to": self.to, "amount": self.amount, "currency": "NGN"}
        scope = Scope.of(user_id=self.sender.pk, operation="transfer", key=self.key, body=body)
        gate = PinGate(user_id=self.sender.pk, pin=self.pin)
        sending = transfers.Sending(
            sender=self.sender,
            to=self.to,
            currency="NGN",
            amount=Decimal(self.amount),
            if_match=self.if_match,
        )

        def send(prefetched: transfers.PrefetchedSending) -> Answer:
            sent = transfers.send_money(sending=prefetched, now=clock.now())
            return Answer(201, render(sent, viewer_id=self.sender.pk), document=("transaction", sent.pk))

        alone = partial(run_prefetched, scope, sending.prefetch, send, gate=gate)
        return group.run(GroupedRequest(scope, gate, sending, alone))


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


def in_a_group(
    *requests: Request,
    group: "Group[transfers.PrefetchedSending]" = TRANSFERS,
    around: Sequence[Callable[[], AbstractContextManager[Any]]] = (),
) -> list[Told]:
    """Let all of them come while another is under way, and return what each was told; the first of them leads.

    ``around`` is what each is asked in, in its thread, the first ones of them.
    """
    told: dict[int, Told] = {}

    def ask(place: int) -> None:
        try:
            with around[place]() if place < len(around) else contextlib.nullcontext():
                told[place] = requests[place].answer(group)
        except Exception as error:
            told[place] = error

    together([partial(ask, place) for place in range(len(requests))], group=group)
    return [told[place] for place in range(len(requests))]


def together(
    works: Sequence[Callable[[], object]], *, group: "Group[transfers.PrefetchedSending]" = TRANSFERS
) -> None:
    """Do works in threads of their own that come to the group one after the other, while somebody is under way."""

    def do(work: Callable[[], object]) -> None:
        try:
            work()
        finally:
            connections.close_all()

    with _somebody_under_way(group):
        threads = [threading.Thread(target=do, args=(work,)) for work in works]
        for place, thread in enumerate(threads):
            thread.start()
            until(lambda so_many=place + 1: len(group._combiner._waiting) == so_many)  # type: ignore[misc]
    for thread in threads:
        thread.join(LIMIT_S)
        assert not thread.is_alive()


@contextlib.contextmanager
def waits(group: "Group[transfers.PrefetchedSending]" = TRANSFERS, **given: float) -> Iterator[None]:
    """Let a leader of the group wait for others as long as it says, and nobody take over from it."""
    combiner = group._combiner
    kept, combiner._waits = combiner._waits, replace(combiner._waits, takeover_s=LIMIT_S, **given)
    try:
        yield
    finally:
        combiner._waits = kept


@contextlib.contextmanager
def _somebody_under_way(group: "Group[transfers.PrefetchedSending]") -> Iterator[None]:
    """Let a request of nobody's lead the group until the end; nobody takes over from it."""
    go_on = threading.Event()

    def stay() -> Answer:
        assert go_on.wait(LIMIT_S)
        return Answer(204, {})

    nobody: Any = None
    holder = threading.Thread(target=lambda: group.run(GroupedRequest(nobody, nobody, nobody, stay)))
    with waits(group):
        holder.start()
        try:
            yield
        finally:
            go_on.set()
            holder.join(LIMIT_S)


def transactions_that_stored(*requests: Request | str) -> int:
    """Return in how many transactions of the database the answers to these requests, or keys, were stored."""
    keys = [request if isinstance(request, str) else request.key for request in requests]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT xmin::text) FROM fintech_core_idempotencyrecord WHERE key = ANY(%s)",
            [keys],
        )
        (count,) = cursor.fetchone()
    return int(count)
