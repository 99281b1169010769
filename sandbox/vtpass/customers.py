"""Which customer numbers exist and what becomes of an order for them: the magic numbers.

They are prefixes of the customer number, so that a test can make as many different customers as it likes.
"""

import enum
import re
from typing import Final

ELECTRICITY: Final = "electricity-bill"
TV: Final = "tv-subscription"


class Fate(enum.Enum):
    """What becomes of an order."""

    DELIVERED = "delivered"
    PENDING = "pending"  # delivered at the third requery
    ANSWER_LOST = "answer_lost"  # delivered, but the connection is held and cut
    NEVER_ARRIVED = "never_arrived"  # held and cut, nothing stored: requery says 015
    BROKEN_ANSWER = "broken_answer"  # failed, and the answer is no JSON
    REFUSED = "refused"  # code 016


_MAGIC: Final = {
    "1111": Fate.DELIVERED,
    "1010": Fate.DELIVERED,
    "1212": Fate.DELIVERED,
    "2010": Fate.PENDING,
    "3000": Fate.ANSWER_LOST,
    "4000": Fate.NEVER_ARRIVED,
    "5000": Fate.BROKEN_ANSWER,
    "999": Fate.REFUSED,
}
_NUMBER = re.compile(r"[0-9]{4,20}")
_PHONE = re.compile(r"(?:\+?234|0)[789][01][0-9]{8}")
_TAKES_PHONES: Final = frozenset({"airtime", "data"})


def fate_of(number: str, category: str) -> Fate:
    """Tell what becomes of an order for this customer; a number nobody knows is refused."""
    if _NUMBER.fullmatch(number):
        for prefix, fate in _MAGIC.items():
            if number.startswith(prefix):
                return fate
    if category in _TAKES_PHONES and _PHONE.fullmatch(number):
        return Fate.DELIVERED
    return Fate.REFUSED


def is_known(number: str, category: str) -> bool:
    """Tell whether validation finds this customer."""
    return fate_of(number, category) is not Fate.REFUSED
