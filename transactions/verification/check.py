"""A check: one rule of the ledger as one set-based query that returns the rows which break it."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from transactions.verification.report import Finding

LISTED = 20
SIGNED = "CASE e.direction WHEN 'credit' THEN e.amount ELSE -e.amount END"
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
        return listing(self.sql)


Broken = tuple[Rule, str, str]


def finding_of(check: Check | Rule, key: str, detail: str) -> Finding:
    """Describe one row that breaks a rule."""
    row = f"{check.of} {key}"
    next_step = check.next_step.format(code=check.code, key=key, row=row)
    return Finding(check.code, check.meaning, row, detail, next_step)


def collect(broken: Iterable[Broken]) -> tuple[list[Finding], Counter[str]]:
    """Return the first ``LISTED`` findings of each rule, and how many there are by rule."""
    findings: list[Finding] = []
    counts: Counter[str] = Counter()
    for rule, key, detail in broken:
        counts[rule.code] += 1
        if counts[rule.code] <= LISTED:
            findings.append(finding_of(rule, key, detail))
    return findings, counts


def listing(sql: str, prefix: str = "") -> str:
    """Return the query for the first ``LISTED`` rows of a rule; ``prefix`` may put other tables in place of its own."""
    rows = sql.replace(":signed", SIGNED)
    return prefix + _LISTING.replace(":rows", rows).replace(":listed", str(LISTED))
