"""What stands in the book: wallets, movements, what waits, and the rules that staff have set. All in kobo."""

from dataclasses import dataclass, field
from datetime import date
from typing import TypeGuard

DONE = "done"
MAIN, CASHBACK = "main", "cashback"
COUNTED = {"transfer", "bill_payment"}

REFUNDABLE = {"transfer", "bill_payment"}
CLEARING, FLOAT, COMMISSION = "gateway_clearing:paystack", "biller_float:vtpass", "biller_commission"
SUSPENSE, RECEIVABLES, POSITION = "suspense", "receivables", "fx_position"

Place = tuple[int, str, str]
Account = tuple[str, str]
Lines = list[tuple[Place | Account, int]]


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
    """One transaction: what it says, and the lines that its completion booked, in order.

    A reward also says for which bill it is, and which offer gave it.
    """

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
    undoes: int | None = None
    brief: bool = False
    source: str = ""
    rewards: int | None = None
    offer: int = 0
    taken_back: bool = False


@dataclass(slots=True)
class Waiting:
    """A credit that could not land."""

    place: Place
    kind: str
    amount: int
    by: int
    released: int | None = None
    reversed: bool = False


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


def is_wallet(place: Place | Account) -> TypeGuard[Place]:
    """Say whether a line stands on a wallet."""
    return len(place) == 3


def is_fee(place: Place | Account) -> bool:
    """Say whether a line earns a fee."""
    return str(place[0]).startswith("fees:")


def split(total: int, weights: list[int]) -> list[int]:
    """Part a total by weights: every part rounded down, what is left goes kobo by kobo to the first."""
    parts = [total * weight // sum(weights) for weight in weights]
    for at in range(total - sum(parts)):
        parts[at] += 1
    return parts
