"""Dated rules in memory: read from the database now and then, asked on the hot path without a statement.

A rule takes effect a minute after it is saved or later. So a process may remember a table for ``REMEMBERED_S`` and
still know every rule before it holds.
"""

import threading
import time
from typing import Generic, TypeVar

from django.db.models import Model

REMEMBERED_S = 30.0
Rule = TypeVar("Rule", bound=Model)


class RuleTable(Generic[Rule]):
    """All rules of one model in the order in which they take effect, remembered for a short while by this process."""

    def __init__(self, model: type[Rule]) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._rules: tuple[Rule, ...] = ()
        self._read_at = float("-inf")

    def rules(self) -> tuple[Rule, ...]:
        """Return every rule, the one that takes effect last at the end."""
        with self._lock:
            if time.monotonic() - self._read_at > REMEMBERED_S:
                self._rules = tuple(self._model._default_manager.order_by("effective_from", "pk"))
                self._read_at = time.monotonic()
            return self._rules

    def forget(self) -> None:
        """Read the table anew at the next question."""
        with self._lock:
            self._read_at = float("-inf")
