"""A machine that does anything in any order, to the ledger and to the book, and compares them after every step."""

from collections import Counter
from copy import deepcopy
from typing import Any
from uuid import UUID, uuid4

from django.db import connection
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fintech_core import clock
from fintech_core.exceptions import DomainError
from fintech_core.models import IdempotencyRecord
from tests.transactions.model.bank import TIERS, Bank
from tests.transactions.model.book import DONE, MAIN, Book, Place, Refused
from tests.transactions.model.endings import CUT, DIES, UNHEARD, WELL, Ending, Silence, carried_out
from tests.transactions.model.invariants import Tables
from transactions.verification import verify

EVERYTHING, TOO_MUCH = "all there is", "a kobo more than there is"
THE_DAY, PAST_THE_DAY = "the rest of the day", "a kobo past the day"
TO_THE_CAP, PAST_THE_CAP = "up to the cap", "a kobo past the cap"

# A number means that many hundredths of what may be spent, or hundreds of naira that come in.
PARTS = st.integers(1, 99)
AMOUNTS = PARTS | st.sampled_from([EVERYTHING, TOO_MUCH, THE_DAY, PAST_THE_DAY])
CREDITS = PARTS | st.sampled_from([TO_THE_CAP, PAST_THE_CAP])
WHO = st.integers(0, len(TIERS) - 1)
WHICH = st.integers(0, 11)
ENDINGS = st.builds(Ending, st.sampled_from([WELL] * 6 + [DIES, CUT, UNHEARD]), st.integers(0, 8))
ENDS_WELL = Ending()


class Machine(RuleBasedStateMachine):
    """Rules name what is done; ``step`` does it twice, with the bank and with the pencil."""

    book_kind = Book
    tally: Counter[tuple[str, str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.sound = False
        self.requests: list[tuple[int, str, str, tuple[Any, ...]]] = []
        self.made: dict[str, list[UUID]] = {}

    @initialize()
    def come(self) -> None:
        """People come, each with a wallet in naira and some money."""
        self.bank = Bank.opened()
        self.tables = Tables([person.pk for person in self.bank.people])
        first = self.bank.book()
        self.book = self.book_kind(**{name: getattr(first, name) for name in Book.__dataclass_fields__})
        for who in range(len(TIERS)):
            self.step("fund", (who, MAIN, "NGN"), 4_000_000, str(uuid4()))

    @rule(which=WHICH, amount=CREDITS, ending=ENDINGS)
    def fund(self, which: int, amount: int | str, ending: Ending) -> None:
        place = self.place(which)
        value = amount * 10_000 if isinstance(amount, int) else self.kobo(amount, place)
        given = (place, value, str(uuid4()))
        self.requests.append((place[0], "", "fund", given))
        self.step("fund", *given, ending=ending)

    @rule(which=WHICH, further=st.integers(1, len(TIERS) - 1), amount=AMOUNTS, ending=ENDINGS)
    def transfer(self, which: int, further: int, amount: int | str, ending: Ending) -> None:
        sender = self.place(which)
        receiver = ((sender[0] + further) % len(TIERS), *sender[1:])
        self.request(sender[0], "transfer", (sender, receiver, self.kobo(amount, sender)), ending)

    @rule(who=WHO, amount=AMOUNTS, fee=st.integers(0, 500), ending=ENDINGS)
    def hold(self, who: int, amount: int | str, fee: int, ending: Ending) -> None:
        place = (who, MAIN, "NGN")
        self.step("hold", place, self.kobo(amount, place), fee, ending=ending)

    @precondition(lambda self: self.holds())
    @rule(
        which=WHICH, percent=st.sampled_from([100, 100, 1, 60, 101]), fee=st.integers(0, 100), ending=ENDINGS
    )
    def capture(self, which: int, percent: int, fee: int, ending: Ending) -> None:
        number = self.holds()[which % len(self.holds())]
        held = self.book.movements[number]
        amount, due = max(1, held.amount * percent // 100), held.fee * fee // 100
        self.step("capture", number, amount, due, ending=ending)

    @precondition(lambda self: self.holds())
    @rule(which=WHICH, ending=ENDINGS)
    def settle_a_bill(self, which: int, ending: Ending) -> None:
        self.step("settle", self.holds()[which % len(self.holds())], ending=ending)

    @rule(who=WHO, amount=PARTS, ending=ENDINGS)
    def pay_a_bill(self, who: int, amount: int, ending: Ending) -> None:
        self.hold(who, amount, 100, ENDS_WELL)
        self.agrees()
        if self.book.movements[-1].status == "pending":
            self.step("settle", len(self.book.movements) - 1, ending=ending)

    @precondition(lambda self: self.holds())
    @rule(which=WHICH, status=st.sampled_from(["failed", "cancelled"]), ending=ENDINGS)
    def void(self, which: int, status: str, ending: Ending) -> None:
        self.step("void", self.holds()[which % len(self.holds())], status, ending=ending)

    @precondition(lambda self: len(self.rewarded()) > 0)
    @rule(which=WHICH, amount=st.none() | AMOUNTS, ending=ENDINGS)
    def redeem(self, which: int, amount: int | str | None, ending: Ending) -> None:
        source = self.rewarded()[which % len(self.rewarded())]
        value = None if amount is None else self.kobo(amount, source)
        self.request(source[0], "redeem", (source[0], source[2], value), ending)

    @precondition(lambda self: self.book.movements)
    @rule(which=WHICH, ending=ENDINGS)
    def reverse(self, which: int, ending: Ending) -> None:
        self.step("reverse", len(self.book.movements) - 1 - which % len(self.book.movements), ending=ending)

    @rule(which=WHICH, status=st.sampled_from(["no_debit", "frozen", "active"]), ending=ENDINGS)
    def stop_a_wallet(self, which: int, status: str, ending: Ending) -> None:
        self.step("set_status", self.place(which, every=True), status, ending=ending)

    @precondition(lambda self: any(purse.status != "active" for purse in self.book.purses.values()))
    @rule(which=WHICH, ending=ENDINGS)
    def let_it_move_again(self, which: int, ending: Ending) -> None:
        stopped = sorted(place for place, purse in self.book.purses.items() if purse.status != "active")
        self.step("set_status", stopped[which % len(stopped)], "active", ending=ending)

    @precondition(lambda self: self.book.waiting)
    @rule(which=WHICH, ending=ENDINGS)
    def release(self, which: int, ending: Ending) -> None:
        self.step("release", which % len(self.book.waiting), ending=ending)

    @precondition(lambda self: len(self.book.purses) < len(TIERS) * 3)
    @rule(who=WHO, currency=st.sampled_from(["USD", "NGN"]), ending=ENDINGS)
    def open(self, who: int, currency: str, ending: Ending) -> None:
        self.step("open", who, currency, ending=ending)

    @precondition(lambda self: min(self.book.tiers) == 0)
    @rule()
    def prove_identity(self) -> None:
        who = self.book.tiers.index(0)
        self.book.tiers[who] = 1
        self.bank.verify(who, 1)

    @precondition(lambda self: self.requests)
    @rule(which=WHICH, ending=ENDINGS)
    def ask_again(self, which: int, ending: Ending) -> None:
        who, key, name, given = self.requests[-1 - which % len(self.requests)]
        if key:
            self.answer(who, key, name, given, ending)
        else:
            self.step(name, *given, ending=ending)

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
        assert (name, given, code) == (name, given, expected)
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
            self.book = after if heard.committed else self.book
            return
        assert (name, given, heard) == (name, given, expected)
        self.tally[name, heard] += 1
        self.book = after

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

    def place(self, which: int, *, every: bool = False) -> Place:
        """Return one of the wallets: a main one, unless every kind will do."""
        places = sorted(place for place in self.book.purses if every or place[1] == MAIN)
        return places[which % len(places)]

    def rewarded(self) -> list[Place]:
        """Return the wallets that cashback has opened."""
        return sorted(place for place in self.book.purses if place[1] == "cashback")

    def holds(self) -> list[int]:
        """Return the numbers of all holds, open ones first."""
        numbers = [number for number, row in enumerate(self.book.movements) if row.hold is not None]
        return sorted(numbers, key=lambda number: (self.book.movements[number].status != "pending", number))

    def kobo(self, amount: int | str, place: Place) -> int:
        """Return an amount in kobo; words mean figures at a border of this wallet."""
        if isinstance(amount, int):
            return max(self.book.purses[place].free * amount // 100, 1)
        purse, limit, (today, _) = self.book.purses[place], self.book.limit(place), self.book.spent(place)
        day, room = (limit.daily or 0) - today, (limit.most or 10**9) - purse.has
        words = {
            EVERYTHING: purse.free, TOO_MUCH: purse.free + 1, THE_DAY: day, PAST_THE_DAY: day + 1,
            TO_THE_CAP: room, PAST_THE_CAP: room + 1,
        }  # fmt: skip
        return max(words[amount], 1)
