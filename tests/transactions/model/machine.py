"""A machine that does anything in any order, to the ledger and to the book, and compares them after every step."""

from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.transactions.model.bank import TIERS
from tests.transactions.model.endings import CUT, DIES, UNHEARD, WELL, Ending
from tests.transactions.model.pages import MAIN, Place
from tests.transactions.model.stage import ENDS_WELL, Stage

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
ITEMS = st.lists(st.tuples(WHO, st.integers(1, 60)), min_size=1, max_size=4)


class Machine(Stage):
    """Rules name what is done; ``step`` does it twice, with the bank and with the pencil."""

    @initialize()
    def come(self) -> None:
        """People come, each with a wallet in naira and some money."""
        self.begin()
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

    @rule(
        many=st.lists(st.tuples(WHICH, st.integers(1, len(TIERS) - 1), PARTS), min_size=2, max_size=5),
        ending=ENDINGS,
    )
    def send_together(self, many: list[tuple[int, int, int]], ending: Ending) -> None:
        """Several people's transfers as one posting, some of which there may not be enough money for."""
        sendings = []
        for which, further, part in many:
            sender = self.place(which)
            receiver = ((sender[0] + further) % len(TIERS), *sender[1:])
            sendings.append((sender, receiver, self.kobo(part, sender)))
        self.step("send_together", sendings, ending=ending)

    @rule(which=WHICH, to_naira=st.booleans(), amount=AMOUNTS, ending=ENDINGS)
    def convert(self, which: int, to_naira: bool, amount: int | str, ending: Ending) -> None:
        who, given, taken = which % len(TIERS), *(("USD", "NGN") if to_naira else ("NGN", "USD"))
        place = (who, MAIN, given)
        value = self.kobo(amount, place) if place in self.book.purses else 100
        self.request(who, "convert", (who, given, taken, value), ending)

    @rule(which=WHICH, items=ITEMS, mode=st.sampled_from(["send_all", "send_each"]), ending=ENDINGS)
    def send_to_many(self, which: int, items: list[tuple[int, int]], mode: str, ending: Ending) -> None:
        sender = self.place(which)
        given = (sender, [(to, self.kobo(part, sender)) for to, part in items])
        if mode == "send_all":
            self.request(sender[0], mode, given, ending)
        else:
            self.step(mode, *given, ending=ending)

    @rule(who=WHO, amount=AMOUNTS, fee=st.integers(0, 500), brief=st.booleans(), ending=ENDINGS)
    def hold(self, who: int, amount: int | str, fee: int, brief: bool, ending: Ending) -> None:
        place = (who, MAIN, "NGN")
        self.step("hold", place, self.kobo(amount, place), fee, brief, ending=ending)

    @precondition(lambda self: any(row.brief and row.status == "pending" for row in self.book.movements))
    @rule()
    def expire(self) -> None:
        self.step("expire")

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
        self.hold(who, amount, 100, False, ENDS_WELL)
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

    @precondition(lambda self: self.owing())
    @rule(which=WHICH)
    def take_back(self, which: int) -> None:
        """Each reward is a step of its own, so an ending would leave some taken back and some not."""
        self.step("take_back", self.owing()[which % len(self.owing())])

    @rule(which=WHICH, shortfall=st.booleans(), ending=ENDINGS)
    def reverse(self, which: int, shortfall: bool, ending: Ending) -> None:
        number = len(self.book.movements) - 1 - which % len(self.book.movements)
        self.step("reverse", number, shortfall, ending=ending)

    @precondition(lambda self: len(self.paid()) > 0)
    @rule(which=WHICH, part=st.none() | st.integers(1, 101), shortfall=st.booleans(), ending=ENDINGS)
    def refund(self, which: int, part: int | None, shortfall: bool, ending: Ending) -> None:
        number = self.paid()[-1 - which % len(self.paid())]
        amount = None if part is None else max(1, self.book.movements[number].amount * part // 100)
        self.step("refund", number, amount, shortfall, ending=ending)

    @rule(
        which=WHICH,
        amount=PARTS | st.sampled_from([EVERYTHING, TOO_MUCH]),
        into=st.booleans(),
        ending=ENDINGS,
    )
    def adjust(self, which: int, amount: int | str, into: bool, ending: Ending) -> None:
        place = self.place(which, every=True)
        value = self.kobo(amount, place)
        self.step("adjust", place, value if into else -value, ending=ending)

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

    @precondition(lambda self: self.book.waiting)
    @rule(which=WHICH, shortfall=st.booleans(), ending=ENDINGS)
    def take_back_what_waited(self, which: int, shortfall: bool, ending: Ending) -> None:
        waited = self.book.waiting[which % len(self.book.waiting)]
        self.step("reverse", waited.by, shortfall, ending=ending)

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

    @precondition(lambda self: any(key for _, key, *_ in self.requests))
    @rule(which=WHICH)
    def dry_run(self, which: int) -> None:
        """Whatever was asked for once, rehearsed: it tells what would come of it now and leaves nothing."""
        asked = [(who, name, given) for who, key, name, given in self.requests if key]
        who, name, given = asked[-1 - which % len(asked)]
        self.rehearse(who, name, given)

    @precondition(lambda self: self.requests)
    @rule(which=WHICH, ending=ENDINGS)
    def ask_again(self, which: int, ending: Ending) -> None:
        who, key, name, given = self.requests[-1 - which % len(self.requests)]
        if key:
            self.answer(who, key, name, given, ending)
        else:
            self.step(name, *given, ending=ending)

    def place(self, which: int, *, every: bool = False) -> Place:
        """Return one of the wallets: a main one, unless every kind will do."""
        places = sorted(place for place in self.book.purses if every or place[1] == MAIN)
        return places[which % len(places)]

    def paid(self) -> list[int]:
        """Return the numbers of the movements that were payments to somebody."""
        kinds = {"transfer", "bill_payment", "refund"}
        return [number for number, row in enumerate(self.book.movements) if row.kind in kinds]

    def rewarded(self) -> list[Place]:
        """Return the wallets that cashback has opened."""
        return sorted(place for place in self.book.purses if place[1] == "cashback")

    def owing(self) -> list[int]:
        """Return who has rewards that should be taken back."""
        return [who for who in range(len(TIERS)) if self.book.unearned(who)]

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
