"""Health of the evidence: a transaction that somebody leaves open holds back what proves the ledger, and shows."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from fintech_core import clock, jobs
from tests.factories import UserFactory
from tests.transactions.attacks import conninfo
from tests.transactions.money import fund
from transactions.services.snapshots import take_snapshots
from transactions.tasks import seal_ledger, take_balance_snapshots, verify_ledger
from transactions.verification import freshness

SNAPSHOTS = "transactions.take_balance_snapshots"

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def forgotten() -> Iterator[psycopg.Connection]:
    """A session whose transaction has an id and does not end."""
    with psycopg.connect(conninfo("default")) as session:
        session.execute("SELECT pg_current_xact_id()")
        yield session


def run_all() -> None:
    for job in (take_balance_snapshots, seal_ledger, verify_ledger):
        job()


class TestEvidence:
    def test_before_the_first_run_nothing_is_late(self) -> None:
        report = freshness.check_evidence()
        assert report.ok
        assert set(report.detail["age_s"].values()) == {None}

    def test_all_is_well_after_each_has_run_and_late_when_none_does(self, time_machine: Any) -> None:
        run_all()
        report = freshness.check_evidence()
        assert report.ok
        assert all(age is not None and age < 60 for age in report.detail["age_s"].values())
        time_machine.move_to(clock.now() + timedelta(minutes=11))
        report = freshness.check_evidence()
        assert (report.ok, report.detail["failed_or_late"]) == (
            False,
            ["transactions.seal_ledger", SNAPSHOTS],
        )

    def test_a_transaction_that_is_left_open_shows_until_it_ends(self, forgotten: psycopg.Connection) -> None:
        fund(UserFactory(), "5.00")
        with pytest.raises(Exception, match="held back by a transaction"), jobs.run_record(SNAPSHOTS):
            take_snapshots(due_after=1, wait_s=0)
        report = freshness.check_evidence()
        assert (report.ok, report.detail["failed_or_late"]) == (False, [SNAPSHOTS])
        forgotten.rollback()
        take_balance_snapshots()
        assert freshness.check_evidence().ok
