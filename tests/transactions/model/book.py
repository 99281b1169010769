"""The ledger as a child with a pencil would keep it: plain whole numbers of kobo, no database, no product code.

``Book`` says for every operation what must come of it: ``done``, or the code of the refusal. Whoever asks works on a
copy and keeps it only when the operation was committed, so a refusal, a crash and a dry run leave the book as it was.
Places are wallets (who, kind, currency) or accounts of the chart, and a credit is a plus in both.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date

DONE = "done"
MAIN, CASHBACK = "main", "cashback"
COUNTED = {"transfer", "bill_payment"}

Place = tuple[int, str, str]
Lines = list[tuple[Place | str, int]]


class Refused(Exception):
    """The operation must be refused with this code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(slots=True)
class Purse:
    """One wallet."""

    has: int = 0
    held: int = 0
    status: str = "active"
    version: int = 0

    @property
    def free(self) -> int:
        """What may be spent."""
        return self.has - self.held


@dataclass(slots=True)
class Movement:
    """One transaction: what it says, and the lines that its completion booked, in order."""

    kind: str
    amount: int
    fee: int
    currency: str
    sender: Place | None = None
    receiver: Place | None = None
    status: str = "completed"
    hold: int | None = None
    day: date | None = None
    counted: int = 0
    lines: Lines = field(default_factory=list)
    parked: int | None = None
    reversed: bool = False
    source: str = ""


@dataclass(slots=True)
class Waiting:
    """A credit that could not land."""

    place: Place
    kind: str
    amount: int
    by: int
    released: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """What a tier may move in a currency; None is no limit."""

    single: int | None
    daily: int | None
    monthly: int | None
    most: int | None


@dataclass(frozen=True, slots=True)
class Price:
    """What a transfer costs a tier in a currency."""

    flat: int = 0
    points: int = 0
    least: int = 0
    most: int | None = None

    def of(self, amount: int) -> int:
        """Return the fee: a percentage rounded half to even, not below the least, not above the most."""
        whole, rest = divmod(amount * self.points, 10_000)
        share = whole + (rest > 5_000 or (rest == 5_000 and whole % 2 == 1))
        fee = max(self.flat + share, self.least)
        return fee if self.most is None else min(fee, self.most)


@dataclass(slots=True)
class Offer:
    """A campaign of cashback."""

    points: int
    cap: int
    left: int

    def gives(self, amount: int) -> int:
        """Return what a payment earns now."""
        return min(amount * self.points // 10_000, self.cap, self.left)


@dataclass(slots=True)
class Book:
    """Everything that is known of the people, their money and what happened to it."""

    tiers: list[int]
    limits: dict[tuple[int, str], Limit]
    prices: dict[tuple[int, str], Price]
    offers: list[Offer]
    today: date
    purses: dict[Place, Purse] = field(default_factory=dict)
    accounts: Counter[tuple[str, str]] = field(default_factory=Counter)
    movements: list[Movement] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)

    def open(self, who: int, currency: str) -> None:
        """A wallet in another currency."""
        if (who, MAIN, currency) in self.purses:
            raise Refused("wallet_exists")
        self.purses[who, MAIN, currency] = Purse()

    def fund(self, place: Place, amount: int, source: str) -> None:
        """Money comes in through a gateway, once for each payment."""
        currency = place[2]
        lines: Lines = [("gateway_clearing:paystack", -amount), (place, amount)]
        movement = Movement("funding", amount, 0, currency, receiver=place, source=source)
        self._post(movement, lines, parkable=True)

    def transfer(self, sender: Place, receiver: Place, amount: int) -> None:
        """Money goes to somebody else; the sender pays the fee on top."""
        if receiver not in self.purses:
            raise Refused("recipient_cannot_receive")
        currency = sender[2]
        fee = self.prices.get((self.tiers[sender[0]], currency), Price()).of(amount)
        lines: Lines = [(sender, -(amount + fee)), (receiver, amount)]
        if fee:
            lines.append(("fees:transfer", fee))
        self._post(Movement("transfer", amount, fee, currency, sender, receiver), lines)

    def hold(self, place: Place, amount: int, fee: int) -> None:
        """Money is promised for a bill."""
        purse = self.purses[place]
        if purse.status != "active":
            raise Refused("wallet_frozen")
        if amount + fee > purse.free:
            raise Refused("insufficient_funds")
        movement = Movement("bill_payment", amount, fee, place[2], place, status="pending", hold=amount + fee)
        self._count(movement)
        purse.held += amount + fee
        self.movements.append(movement)

    def capture(self, number: int, amount: int, fee: int) -> None:
        """A promise is kept, whole or in part; the rest is given back."""
        movement = self._pending(number)
        if amount + fee > (movement.hold or 0) or amount > movement.amount:
            raise Refused("capture_exceeds_hold")
        assert movement.sender is not None
        self.purses[movement.sender].held -= movement.hold or 0
        movement.status, movement.amount, movement.fee, movement.counted = "completed", amount, fee, amount
        movement.lines = [(movement.sender, -(amount + fee)), ("biller_float:vtpass", amount)]
        if fee:
            movement.lines.append(("fees:bill_payment", fee))
        self._enter(movement)

    def settle(self, number: int) -> None:
        """A bill is delivered: all of it is captured, and the best offer rewards the payer in the same step."""
        movement = self._pending(number)
        amount = movement.amount
        self.capture(number, amount, movement.fee)
        best = max(self.offers, key=lambda offer: offer.gives(amount))
        reward = best.gives(amount)
        if not reward:
            return
        best.left -= reward
        assert movement.sender is not None
        who, _, currency = movement.sender
        place = (who, CASHBACK, currency)
        self.purses.setdefault(place, Purse())
        lines: Lines = [("cashback_expense", -reward), (place, reward)]
        self._post(Movement("cashback", reward, 0, currency, receiver=place), lines, parkable=True)

    def void(self, number: int, status: str) -> None:
        """A promise is given back, to the limits too."""
        movement = self._pending(number)
        assert movement.sender is not None
        self.purses[movement.sender].held -= movement.hold or 0
        movement.status, movement.counted = status, 0

    def redeem(self, who: int, currency: str, amount: int | None) -> None:
        """Cashback becomes money; None is all of it."""
        source, target = (who, CASHBACK, currency), (who, MAIN, currency)
        purse = self.purses.get(source)
        if purse is None or (amount is None and not purse.free):
            raise Refused("insufficient_funds")
        value = purse.free if amount is None else amount
        movement = Movement("cashback_redemption", value, 0, currency, source, target)
        try:
            self._post(movement, [(source, -value), (target, value)])
        except Refused as refusal:
            stopped = self.purses[target].status == "frozen"
            if refusal.code == "recipient_cannot_receive" and stopped:
                raise Refused("wallet_frozen") from refusal
            raise

    def reverse(self, number: int) -> None:
        """The mirror of a movement, once; the receiver must still have the money."""
        movement = self.movements[number]
        if movement.status != "completed" or movement.kind == "reversal" or movement.parked is not None:
            raise Refused("not_reversible")
        if movement.reversed:
            raise Refused("already_reversed")
        total = movement.amount + movement.fee
        mirror = Movement("reversal", total, 0, movement.currency, movement.receiver, movement.sender)
        self._post(mirror, [(place, -value) for place, value in movement.lines], promised=True, caps=False)
        movement.reversed = True

    def set_status(self, place: Place, status: str) -> None:
        """Staff stop a wallet, or let it move again."""
        purse = self.purses[place]
        if purse.status == status:
            raise Refused("wallet_state_conflict")
        purse.status = status

    def release(self, number: int) -> None:
        """A credit that waits lands, if it may."""
        row = self.waiting[number]
        if row.released:
            raise Refused("still_parked")
        lines: Lines = [("suspense", -row.amount), (row.place, row.amount)]
        movement = Movement(row.kind, row.amount, 0, row.place[2], receiver=row.place)
        try:
            self._post(movement, lines)
        except Refused as refusal:
            raise Refused("still_parked") from refusal
        row.released = True
        movement.parked = number

    def spent(self, place: Place) -> tuple[int, int]:
        """Return what counts against the limits today and this month."""
        mine = [row for row in self.movements if row.sender == place and row.day is not None and row.counted]
        month = (self.today.year, self.today.month)
        return (
            sum(row.counted for row in mine if row.day == self.today),
            sum(row.counted for row in mine if row.day and (row.day.year, row.day.month) == month),
        )

    def limit(self, place: Place) -> Limit:
        """Return the limits of a wallet's owner."""
        return self.limits[self.tiers[place[0]], place[2]]

    def _pending(self, number: int) -> Movement:
        movement = self.movements[number]
        if movement.status != "pending":
            raise Refused("transaction_not_pending")
        return movement

    def _post(
        self,
        movement: Movement,
        lines: Lines,
        *,
        parkable: bool = False,
        promised: bool = False,
        caps: bool = True,
    ) -> None:
        for index, (place, value) in enumerate(lines):
            if isinstance(place, str):
                continue
            purse = self.purses[place]
            if value < 0:
                if purse.status != "active" and not promised:
                    raise Refused("wallet_frozen")
                if -value > purse.free:
                    raise Refused("insufficient_funds")
            elif purse.status == "frozen" or (caps and self._is_full(place, value)):
                if not parkable:
                    raise Refused("recipient_cannot_receive")
                lines[index] = ("suspense", value)
                movement.receiver, movement.parked = None, len(self.waiting)
                self.waiting.append(Waiting(place, movement.kind, value, len(self.movements)))
        if movement.kind in COUNTED:
            self._count(movement)
        movement.lines = lines
        if movement.source and movement.source in {row.source for row in self.movements}:
            raise Refused("duplicate_reference")
        self._enter(movement)
        self.movements.append(movement)

    def _is_full(self, place: Place, value: int) -> bool:
        most = self.limit(place).most
        return place[1] == MAIN and most is not None and self.purses[place].has + value > most

    def _count(self, movement: Movement) -> None:
        assert movement.sender is not None
        limit = self.limit(movement.sender)
        if self.tiers[movement.sender[0]] == 0:
            raise Refused("kyc_required")
        today, month = self.spent(movement.sender)
        for most, used in ((limit.single, 0), (limit.daily, today), (limit.monthly, month)):
            if most is not None and used + movement.amount > most:
                raise Refused("limit_exceeded")
        movement.day, movement.counted = self.today, movement.amount

    def _enter(self, movement: Movement) -> None:
        for place, value in movement.lines:
            if isinstance(place, str):
                self.accounts[place, movement.currency] += value
            else:
                self.purses[place].has += value
                self.purses[place].version += 1
