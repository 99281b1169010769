"""The benchmark: its baselines do the whole work, and its figures are made of the right things."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections
from pytest_django.plugin import DjangoDbBlocker

from bench import plan, report
from bench.ground import SQL
from bench.people import make_people, wallet_id
from bench.report import Outcome
from bench.worker import repeat
from tests.databases import Databases
from transactions.models import LedgerEntry
from transactions.verification import verify
from wallet.models import Wallet

PEOPLE = 6
# As they are named where they were asked for.
KEYS = {
    "transfer_vs_sql", "transfer_vs_hordak", "transfer_vs_naive", "hot_vs_uniform", "one_receiver_vs_uniform",
    "bulk_vs_single", "http_transfer_vs_noop", "growth_10m", "queries_transfer",
}  # fmt: skip


@pytest.fixture(scope="module")
def grounds(
    databases: Databases, django_db_blocker: DjangoDbBlocker, django_db_setup: None
) -> Iterator[None]:
    """A database with six people and the baselines' functions and copies."""
    with django_db_blocker.unblock(), databases.another("bench"):
        make_people(PEOPLE)
        with connections["owner"].cursor() as cursor:
            cursor.execute((SQL / "tables.sql").read_text())
        yield


@pytest.mark.usefixtures("grounds")
class TestBaselines:
    def test_history_that_is_made_up_is_a_ledger_like_any_other(self) -> None:
        before = LedgerEntry.objects.count()
        for step in (1, 2, 5):
            with connections["owner"].cursor() as cursor:
                cursor.execute((SQL / "history.sql").read_text(), {"step": step, "people": PEOPLE})
        assert LedgerEntry.objects.count() == before + 3 * 2 * PEOPLE
        assert verify().findings == ()

    def test_the_function_does_the_whole_work(self) -> None:
        before = {number: Wallet.objects.get(pk=wallet_id(number)) for number in (1, 2)}
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT bench.transfer(1, 2)")
        payer, payee = (Wallet.objects.get(pk=wallet_id(number)) for number in (1, 2))
        assert (payer.balance, payee.balance) == (before[1].balance - 1, before[2].balance + 1)
        assert payer.spent_today == before[1].spent_today + 1
        assert verify().findings == ()


class TestFigures:
    def test_every_key_that_was_asked_for_is_a_line(self) -> None:
        assert {figure.key for figure in plan.FIGURES} >= KEYS

    def test_the_worse_of_two_sessions_counts(self) -> None:
        rates = {
            "transfer": [100.0], "sql x4": [150.0], "sql x1": [50.0], "sql x2": [90.0], "sql x8": [200.0],
            "sql x16": [190.0], "fn": [300.0], "bare": [120.0], "naive": [25.0], "hordak": [50.0],
            "hordak, posting alone": [80.0],
            "one fee account": [90.0], "own fee accounts": [100.0], "one receiver": [60.0],
            "sql, one receiver": [75.0], "fn, one receiver": [200.0], "single, new sessions": [40.0],
            "single after batches": [50.0], "batches": [500.0], "batches, new sessions": [480.0],
        }  # fmt: skip
        found = plan.figures_of_the_ledger(rates)
        assert found["transfer_vs_sql"] == pytest.approx(100 / 150)
        assert found["transfer_vs_sql_at_its_best"] == pytest.approx(0.5)
        assert (found["transfer_vs_naive"], found["transfer_vs_hordak"]) == (4.0, 2.0)
        assert (found["bulk_vs_single"], found["hot_vs_uniform"]) == (10.0, 0.9)
        assert (found["one_receiver_vs_uniform"], found["one_receiver_vs_uniform_by_sql"]) == (0.6, 0.5)

    def test_what_ran_in_the_same_round_is_compared(self) -> None:
        """The machine was twice as fast in the second round, and disturbed one of the two in the third."""
        rates = {"one": [100.0, 200.0, 30.0], "other": [50.0, 100.0, 60.0]}
        assert plan.ratio(rates, "one", "other") == 2.0
        with pytest.raises(ValueError, match="zip"):
            plan.ratio({**rates, "other": [50.0]}, "one", "other")

    def test_only_ten_million_entries_are_called_so(self) -> None:
        rates = {f"{name}, {size}": [90.0] for name, *_ in plan.GROWING for size in ("small", "large")}
        rates["first page, large"] = [45.0]
        assert plan.figures_of_growth(rates, 10_000_000)["growth_10m"] == 0.5
        assert "growth_10m" not in plan.figures_of_growth(rates, 100_000)

    def test_what_was_not_measured_is_not_called_met(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("RESULTS", "PAGE", "PLOT"):
            monkeypatch.setattr(report, name, tmp_path / name.lower())
        monkeypatch.setattr(report, "_plot", lambda _outcome, _path: None)
        report.PAGE.write_text("<!-- results -->\nold\n<!-- end of results -->\nrest\n")
        table = report.write(Outcome(1, 1.0, figures={"queries_transfer": 2.0, "transfer_vs_sql": 0.4}))
        lines = {
            line.split("`")[1]: line.rsplit("|", 2)[1].strip() for line in table.splitlines() if "`" in line
        }
        assert (lines["queries_transfer"], lines["transfer_vs_sql"]) == ("yes", "no")
        assert lines["growth_10m"] == "not measured"
        assert json.loads(report.RESULTS.read_text())["transfer_vs_sql"] == 0.4
        assert "old" not in report.PAGE.read_text()
        assert report.PAGE.read_text().endswith("rest\n")


class TestWorker:
    def test_begins_when_it_is_told_and_counts_what_is_done(self) -> None:
        begun: list[float] = []

        def step() -> int:
            begun.append(time.monotonic())
            return 3

        start = time.monotonic() + 0.05
        told = repeat(step, start, 0.02)
        assert begun[0] >= start
        assert told["done"] == 3 * len(begun)
        assert told["elapsed_s"] >= 0.02
