"""A check: one rule of the ledger as one set-based query that returns the rows which break it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

LISTED = 20
_SIGNED = "CASE e.direction WHEN 'credit' THEN e.amount ELSE -e.amount END"
_LISTING = "SELECT key::text, detail, count(*) OVER () FROM (:rows) found LIMIT :listed"

STOP = "manage.py money_out stop --actor EMAIL --reason {code}, then compare {row} with the last backup"
FREEZE = "manage.py freeze_wallet {key} --actor EMAIL --reason {code}, then compare its entries with the last backup"
MIGRATE = "manage.py money_out stop --actor EMAIL --reason {code}, then find out who changed the schema and restore it"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule that code proves, not a query. ``of`` is what a key names."""

    code: str
    meaning: str
    of: str
    next_step: str = STOP


@dataclass(frozen=True, slots=True)
class Check:
    """One rule as a query: ``sql`` returns ``key`` and ``detail`` of every row that breaks it, or none.

    ``of`` is what a key names. The query may use ``%(name)s`` parameters that ``parameters`` returns, and
    ``:signed`` for the amount of entry ``e`` with a credit as plus.
    """

    code: str
    meaning: str
    of: str
    sql: str
    next_step: str = STOP
    parameters: Callable[[], dict[str, Any]] = dict

    @property
    def query(self) -> str:
        """The first ``LISTED`` rows that break the rule, each with how many there are."""
        rows = self.sql.replace(":signed", _SIGNED)
        return _LISTING.replace(":rows", rows).replace(":listed", str(LISTED))
