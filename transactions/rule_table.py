"""Dated rules in memory: read from the database now and then, asked on the hot path without a statement.

A rule takes effect a minute after it is saved or later. So a process may remember a table for ``REMEMBERED_S`` and
still know every rule before it holds.
"""

import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

from django.db.models import Model

REMEMBERED_S = 30.0
# So old a table still holds every rule that has taken effect; the rest of the minute is left to reading it.
EXACT_FOR_S = 50.0
Rule = TypeVar("Rule", bound=Model)


class RuleTable(Generic[Rule]):
    """All rules of one model, remembered for a short while by this process.

    ``about`` says what a rule is about: those about the same are found together. While one thread reads the table anew
    the others go on with what is known, as long as that is exact: a table that cannot be read holds up one movement.
    """

    def __init__(
        self, model: type[Rule], *, about: Callable[[Rule], Hashable], remembered_s: float = REMEMBERED_S
    ) -> None:
        self._model = model
        self._about = about
        self._remembered_s = remembered_s
        self._reading = threading.Lock()
        self._rules: Mapping[Hashable, list[Rule]] = {}
        self._read_at = float("-inf")

    def about(self, what: Hashable) -> Sequence[Rule]:
        """Return every rule about something, the one that takes effect last at the end."""
        age_s = self._age_s()
        if age_s > self._remembered_s and self._reading.acquire(blocking=age_s > EXACT_FOR_S):
            try:
                if self._age_s() > self._remembered_s:
                    began = time.monotonic()
                    self._rules = self._read()
                    self._read_at = began
            finally:
                self._reading.release()
        return self._rules.get(what, ())

    def _age_s(self) -> float:
        return time.monotonic() - self._read_at

    def _read(self) -> Mapping[Hashable, list[Rule]]:
        rules: dict[Hashable, list[Rule]] = {}
        for rule in self._model._default_manager.order_by("effective_from", "pk"):
            rules.setdefault(self._about(rule), []).append(rule)
        return rules

    def forget(self) -> None:
        """Read the table anew at the next question."""
        with self._reading:
            self._read_at = float("-inf")
