"""The seals of a copy, proven without the database, and without their keys where a published head stands in for them.

The hash of a seal is over its facts, and among these are the hash of all lines in its range and the hash of the seal
before it. So one published head, a seal's number and hash, commits to every line up to that seal: whoever changes, adds
or leaves out one and computes all hashes again comes to another head. That takes no key. After the last published head
anybody can add lines and seals whose hashes fit: only a mac proves those, together with all that is before its seal.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from transactions.sealing import canonical
from transactions.sealing.chain import FIRST, UnknownKey, chain_of, has_mac, is_for_development
from transactions.sealing.publishing import Head
from transactions.verification import seals
from transactions.verification.check import Broken, Rule

PROVABLE: Final = Rule(
    "seals_can_be_proven",
    "There are seals whose macs cannot be checked here, and no published head is given to prove them by instead.",
    "copy",
    "manage.py verify_ledger --file {key} --published HEADS, where HEADS is the file of seal_ledger --publish as it was"
    " published, not as it came with the copy; whoever may have the keys sets SEAL_KEYS instead",
)
RULES: Final = (*seals.RULES[:-1], PROVABLE)
# A copy that somebody made up may name any number of keys.
KEYS_TOLD: Final = 5


@dataclass(slots=True)
class Lines:
    """The lines since the last seal: their hash and what is counted of them."""

    digest: Any = field(default_factory=hashlib.sha256)
    entries: int = 0
    holds: int = 0


@dataclass(slots=True)
class CopiedSeals:
    """The chain as it is met in a copy. ``copy`` is the file's name as one would type it."""

    copy: str
    published: Sequence[Head] = ()
    lines: Lines = field(default_factory=Lines)
    count: int = 0
    _expected: tuple[int, str, int, int] = (1, FIRST, 0, 0)
    _chains: dict[int, str] = field(default_factory=dict)
    _heads: frozenset[tuple[int, str]] = frozenset()
    _without: Counter[str] = field(default_factory=Counter)
    _for_development: int = 0
    _proven: int = 0
    _tail_seals: int = 0
    _tail_entries: int = 0

    def __post_init__(self) -> None:
        """Lay the published heads out to be looked up: there may be one for every minute of years."""
        self._heads = frozenset((head.number, head.chain) for head in self.published)

    def met(self, facts: dict[str, Any]) -> Iterator[Broken]:
        """Prove a seal: its place, its hash, who made it, and the lines since the one before it."""
        number, chain = facts["number"], facts["chain"]
        row, expected = str(number), self._expected
        if (number, facts["previous"], facts["after_entry"], facts["after_hold"]) != expected:
            yield seals.CHAIN, row, f"expected seal {expected[0]} after entry {expected[2]}"
        bare = {"fact": "seal"} | {name: facts[name] for name in canonical.SEAL}
        if chain_of((json.dumps(bare, ensure_ascii=False, separators=(",", ":")) + "\n").encode()) != chain:
            yield seals.OURS, row, "its facts do not give its hash"
        yield from self._made_by(facts)
        found = (self.lines.digest.hexdigest(), self.lines.entries, self.lines.holds)
        if found != (facts["digest"], facts["entries"], facts["holds"]):
            detail = f"sealed {facts['entries']} entries, here {self.lines.entries}, or other facts"
            yield seals.UNCHANGED, row, detail
        self.lines, self._chains[number] = Lines(), chain
        self.count += 1
        self._expected = (number + 1, chain, facts["through_entry"], facts["through_hold"])

    def end(self) -> Iterator[Broken]:
        """Yield the published heads that are not in the chain; without any, that they are needed in place of keys."""
        yield from seals.published_heads(self._chains, self.published, after=0)
        if self._without and not self.published:
            yield PROVABLE, self.copy, f"{_seals(self._without.total())} with unchecked macs: {self._keys()}"

    def notes(self) -> Iterator[str]:
        """Yield how much is sealed, and what was not proven as it could be."""
        yield f"{self.count} seals; {self.lines.entries} entries after the last one are not sealed yet."
        if self._for_development:
            made = f"The macs of {_seals(self._for_development)} are made with the secret for development"
            yield f"{made}, which anybody knows: they prove nothing."
        if not self.published:
            return
        if self._without:
            unchecked = f"The macs of {_seals(self._without.total())} were not checked, since {self._keys()}"
            yield f"{unchecked}; their hashes were, against the published heads."
        if self._tail_seals:
            tail = f"{self._tail_entries} entries under {_seals(self._tail_seals)} after seal {self._proven}"
            yield f"{tail} are not proven here: only their macs could, or a head that is published later."

    def _made_by(self, facts: dict[str, Any]) -> Iterator[Broken]:
        """Prove who made a seal, by its mac. Where its key is not here, a head may prove it, or what comes after it."""
        number, chain, key_id = facts["number"], facts["chain"], facts["key_id"]
        proven = (number, chain) in self._heads
        try:
            fits, in_use = has_mac(chain, key_id, facts["mac"]), not is_for_development(key_id)
        except UnknownKey:
            fits, in_use = False, False
        if fits and in_use:
            proven = True
        elif fits:
            self._for_development += 1
        elif in_use:
            yield seals.OURS, str(number), f"its mac is not that of key {key_id}"
        else:
            self._without[str(key_id)] += 1
        if proven:
            self._proven, self._tail_seals, self._tail_entries = number, 0, 0
        else:
            self._tail_seals += 1
            self._tail_entries += self.lines.entries

    def _keys(self) -> str:
        """Name the keys that are not here."""
        named = sorted(self._without)
        more = f" and {len(named) - KEYS_TOLD} more" if len(named) > KEYS_TOLD else ""
        return f"SEAL_KEYS has no key {', '.join(named[:KEYS_TOLD])}{more}"


def _seals(count: int) -> str:
    return "1 seal" if count == 1 else f"{count} seals"
