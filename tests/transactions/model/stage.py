"""Where ledger and book meet: each step is done twice, and after each the tables are read and compared."""

from collections import Counter
from copy import deepcopy
from typing import Any
from uuid import UUID, uuid4

from django.db import connection
from hypothesis.stateful import RuleBasedStateMachine, invariant

from fintech_core import clock
from fintech_core.exceptions import DomainError
from fintech_core.models import IdempotencyRecord
from tests.transactions.model.bank import Bank
from tests.transactions.model.book import Book
from tests.transactions.model.endings import Ending, Silence, carried_out
from tests.transactions.model.invariants import Tables
from tests.transactions.model.pages import DONE, Refused
from transactions.services.expiry import expire_holds
from transactions.verification import verify

ENDS_WELL = Ending()


class Stage(RuleBasedStateMachine):
    """A machine without rules: it knows how to do a step and how to compare."""

    book_kind = Book
    tally: Counter[tuple[str, str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.sound = False
        self.requests: list[tuple[int, str, str, tuple[Any, ...]]] = []
        self.made: dict[str, list[UUID]] = {}

    def begin(self) -> None:
        """Let the people come, and open the book."""
        self.bank = Bank.opened()
        self.tables = Tables([person.pk for person in self.bank.people])
        first = self.bank.book()
        self.book = self.book_kind(**{name: getattr(first, name) for name in Book.__dataclass_fields__})

    @invariant()
    def agrees(self) -> None:
        """Every rule holds, and the tables say what the book says."""
        self.sound = False
        assert self.tables.broken() == {}
        assert self.tables.wallets(self.book.today) == {
            place: (purse.has, purse.held, purse.status, purse.version, *self.book.spent(place))
            for place, purse in self.book.purses.items()
        }
        movements = self.tables.movements()
        assert list(movements.values()) == [
            (row.kind, row.status, row.amount, row.fee, row.hold, row.currency) for row in self.book.movements
        ]
        self.bank.ids = list(movements)
        assert self.tables.accounts() == self.book.accounts
        answers = IdempotencyRecord.objects.filter(user_id__in=self.tables.scope["people"]).count()
        assert answers == len(self.book.answers)
        self.sound = True

    def teardown(self) -> None:
        """The product's own verifier has the last word."""
        try:
            if self.sound:
                expire_holds(now=clock.now())
                assert verify().findings == ()
        finally:
            connection.close()

    def request(self, who: int, name: str, given: tuple[Any, ...], ending: Ending) -> None:
        """Ask for something under a new key."""
        key = str(uuid4())
        self.requests.append((who, key, name, given))
        self.answer(who, key, name, given, ending)

    def answer(self, who: int, key: str, name: str, given: tuple[Any, ...], ending: Ending) -> None:
        """Ask under a key: the first answer is the answer for good."""
        if key in self.book.answers:
            expected, after = self.book.answers[key], self.book
        else:
            expected, after = self.predicted(name, given)
        heard = carried_out(ending, lambda: self.asked(who, key, name, given))
        if isinstance(heard, Silence):
            assert not heard.committed, "the key tells what became of a lost COMMIT"
            self.tally[name, ending.how] += 1
            return
        code, is_kept = heard
        assert code == expected, f"{name}{given}: {code}, the book says {expected}"
        self.tally["ask_again" if key in self.book.answers else name, code] += 1
        self.book = after
        if is_kept:
            self.book.answers[key] = code

    def asked(self, who: int, key: str, name: str, given: tuple[Any, ...]) -> tuple[str, bool]:
        """Ask the bank under a key; return what came of it, and whether the key keeps that."""
        try:
            answer, made = self.bank.keyed(who, key, lambda: getattr(self.bank, name)(*given))
        except DomainError as refusal:
            return refusal.code, False
        if answer.status != 201:
            return str(answer.body["code"]), True
        assert not (made and key in self.book.answers), "a replay does nothing"
        assert self.made.setdefault(key, answer.body["ids"]) == answer.body["ids"]
        return DONE, True

    def step(self, name: str, *given: Any, ending: Ending = ENDS_WELL) -> None:
        """Do it with the bank and with the pencil; the same must come of it."""
        expected, after = self.predicted(name, given)
        heard = carried_out(ending, lambda: self.done(name, given))
        if isinstance(heard, Silence):
            self.tally[name, ending.how] += 1
            if heard.committed:
                self.bank.finish()
                self.book = after
            return
        assert heard == expected, f"{name}{given}: {heard}, the book says {expected}"
        self.tally[name, heard] += 1
        self.book = after

    def rehearse(self, who: int, name: str, given: tuple[Any, ...]) -> None:
        """Do it as a dry run: the same comes of it, and nothing is left."""
        expected, _ = self.predicted(name, given)
        try:
            self.bank.rehearsed(who, lambda: getattr(self.bank, name)(*given))
            heard = DONE
        except DomainError as refusal:
            heard = refusal.code
        assert heard == expected, f"{name}{given}: {heard}, the book says {expected}"
        self.tally["dry_run", heard] += 1

    def done(self, name: str, given: tuple[Any, ...]) -> str:
        """Do it with the bank and return what came of it."""
        try:
            getattr(self.bank, name)(*given)
        except (DomainError, Refused) as refusal:
            return refusal.code
        return DONE

    def predicted(self, name: str, given: tuple[Any, ...]) -> tuple[str, Book]:
        """Return what the book expects, and the book after that."""
        after = deepcopy(self.book)
        after.today = clock.business_day(clock.now())
        try:
            getattr(after, name)(*given)
        except Refused as refusal:
            return refusal.code, self.book
        return DONE, after
