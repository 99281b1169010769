"""Dated rules in memory: who reads them anew holds up nobody else."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.databases import owner_session
from transactions.models import LimitRule
from transactions.rule_table import RuleTable

WAIT_LIMIT_S = 20.0

pytestmark = pytest.mark.usefixtures("committed_db")


def by_tier(rule: LimitRule) -> tuple[int, str]:
    return rule.tier, rule.currency


@contextmanager
def nobody_reads() -> Iterator[Callable[[], int]]:
    """Let another session hold the table of limits for itself; gives the count of those who wait for it."""
    waiting = (
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'transactions_limitrule'::regclass"
    )
    with owner_session() as other, other.transaction():
        other.execute("LOCK TABLE transactions_limitrule IN ACCESS EXCLUSIVE MODE")
        yield lambda: int((other.execute(waiting).fetchone() or (0,))[0])


@dataclass
class Asking:
    """A thread that asks a table once; ``found`` is empty until it has got its answer."""

    table: "RuleTable[LimitRule]"
    found: list[list[LimitRule]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        self.found.append(list(self.table.about((1, "NGN"))))
        connection.close()

    def answer(self) -> list[LimitRule]:
        self._thread.join(WAIT_LIMIT_S)
        return self.found[0]


class TestAbout:
    def test_the_table_is_read_once_and_then_remembered(self) -> None:
        table = RuleTable(LimitRule, about=by_tier)
        with CaptureQueriesContext(connection) as queries:
            found = [table.about((1, "NGN")), table.about((1, "NGN")), table.about((9, "XXX"))]
        assert len(queries) == 1
        assert found[0] == found[1] != []
        assert list(found[2]) == []

    def test_after_its_time_and_when_it_is_forgotten_it_is_read_anew(self) -> None:
        hasty, patient = (
            RuleTable(LimitRule, about=by_tier, remembered_s=0),
            RuleTable(LimitRule, about=by_tier),
        )
        with CaptureQueriesContext(connection) as queries:
            hasty.about((1, "NGN"))
            hasty.about((1, "NGN"))
            patient.about((1, "NGN"))
            patient.forget()
            patient.about((1, "NGN"))
        assert len(queries) == 4

    def test_the_others_go_on_while_one_waits_for_the_table(self) -> None:
        table = RuleTable(LimitRule, about=by_tier, remembered_s=0)
        known = list(table.about((1, "NGN")))
        with nobody_reads() as waiting:
            first = Asking(table)
            while not waiting():
                assert first.found == []
            assert list(table.about((1, "NGN"))) == known
            assert first.found == []
        assert first.answer() == known

    def test_who_knows_nothing_yet_waits(self) -> None:
        table = RuleTable(LimitRule, about=by_tier)
        with nobody_reads() as waiting:
            asking = [Asking(table) for _ in range(3)]
            while not waiting():
                assert [one.found for one in asking] == [[], [], []]
            assert waiting() == 1
            assert [one.found for one in asking] == [[], [], []]
        assert all(one.answer() for one in asking)
