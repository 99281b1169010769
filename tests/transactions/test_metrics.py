"""The metrics of the ledger, and of what waits in every app, over a real database."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import connection, connections, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from fintech_core import clock, jobs, metrics
from fintech_core.watermark import WatermarkStalled
from notifications.models import Event
from notifications.services import publish
from tests.factories import StaffFactory, UserFactory
from tests.transactions.attacks import conninfo
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import bill_draft, happened
from tests.waiting import until
from transactions import chart, switches
from transactions.drafts import Authorize
from transactions.models import LedgerAccount
from transactions.services.floats import check_floats, set_monitor
from transactions.services.snapshots import take_snapshots
from transactions.tasks import seal_ledger, take_balance_snapshots, verify_ledger

CLEARING = chart.gateway_clearing("paystack")
# A few dozen rows for good, or one row a job or switch: reading the whole of them is the cheapest way.
SMALL = {"transactions_ledgeraccount", "transactions_floatmonitor", "fintech_core_jobrun", "waffle_switch"}

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def forgotten() -> Iterator[psycopg.Connection]:
    """A session of the application's role whose transaction has an id and does not end."""
    with psycopg.connect(conninfo("default")) as session:
        session.execute("SELECT pg_current_xact_id()")
        yield session


def told(client: Client) -> dict[tuple[str, ...], float]:
    """Return what the page tells, nothing of which failed: by the name and the labels' values in their order."""
    families = text_string_to_metric_families(client.get("/metrics").content.decode())
    page = {
        (family.name.removeprefix("fintech_core_"), *(sample.labels[name] for name in sorted(sample.labels))):
            sample.value
        for family in families for sample in family.samples
    }  # fmt: skip
    assert not [key for key, value in page.items() if key[0] == "metrics_errors" and value]
    return page


def hold(*, days_old: int = 0) -> None:
    """Hold money of somebody, until so many days ago."""
    user = UserFactory()
    fund(user, "100.00")
    until = clock.now() - timedelta(days=days_old) if days_old else None
    happened(Authorize(replace(bill_draft(main_wallet(user), "40.00"), expires_at=until)))


def watch_float(floor: str | None, ceiling: str | None) -> None:
    """Watch what Paystack has collected."""
    set_monitor(
        account=LedgerAccount.objects.get(code=CLEARING, currency="NGN"),
        floor=None if floor is None else Decimal(floor),
        ceiling=None if ceiling is None else Decimal(ceiling),
        is_active=True,
        note="We have to know.",
        actor=StaffFactory(),
    )


def statements() -> list[str]:
    """Read every part that asks the database, here, and return what it was asked."""
    with CaptureQueriesContext(connection) as asked:
        for part in metrics.parts().values():
            if part.in_database:
                metrics.read_part(part)
    return [query["sql"] for query in asked.captured_queries]


class TestWatermark:
    def test_a_transaction_that_is_left_open_shows_its_age_until_it_ends(
        self, client: Client, forgotten: psycopg.Connection
    ) -> None:
        first = told(client)["watermark_oldest_writer_seconds",]
        second = told(client)["watermark_oldest_writer_seconds",]
        assert 0 < first < second
        forgotten.rollback()
        others = told(client)["watermark_oldest_writer_seconds",]
        assert others < first + 60, "another test of this server may write just now"

    def test_one_of_another_role_is_named_though_its_age_is_hidden(self, client: Client) -> None:
        if conninfo("default") == conninfo("owner"):
            pytest.skip("one role owns and uses the tables")
        with psycopg.connect(conninfo("owner")) as session:
            (xid,) = session.execute("SELECT pg_current_xact_id()::text::bigint").fetchone() or (0,)
            assert 0 < told(client)["watermark_unseen_writer_xid",] <= xid, (
                "another test may have an older one"
            )
            assert told(client)["watermark_unseen_writer_xid",] > 0
        assert told(client)["watermark_unseen_writer_xid",] != xid

    def test_what_it_holds_back_grows_old(self, client: Client, forgotten: psycopg.Connection) -> None:
        fund(UserFactory(), "5.00")
        with pytest.raises(WatermarkStalled):
            take_snapshots(due_after=1, wait_s=0)
        held_back = (
            "ledger_snapshot_lag_seconds",
            "ledger_seal_lag_seconds",
            "ledger_verification_lag_seconds",
        )
        page = told(client)
        assert all(page[name,] > 0 for name in held_back)
        forgotten.rollback()
        for job in (take_balance_snapshots, seal_ledger, verify_ledger):
            job()
        page = told(client)
        assert [page[name,] for name in held_back] == [0, 0, 0]


class TestLedger:
    def test_an_empty_ledger_is_behind_with_nothing_and_proven_never(self, client: Client) -> None:
        page = told(client)
        assert page["ledger_seal_lag_seconds",] == page["ledger_verification_lag_seconds",] == 0
        assert ("ledger_verified_timestamp_seconds",) not in page
        assert ("ledger_findings",) not in page

    def test_a_verification_tells_when_it_was_and_what_it_found(self, client: Client) -> None:
        verify_ledger()
        page = told(client)
        assert abs(page["ledger_verified_timestamp_seconds",] - clock.now().timestamp()) < 60
        assert page["ledger_findings",] == 0
        assert page["job_succeeded", "transactions.verify_ledger"] == 1
        with jobs.run_record("transactions.verify_ledger") as detail:
            detail["broken"] = {"wallet_balance": 2, "hold_sum": 1}
        page = told(client)
        assert (page["ledger_findings",], page["ledger_findings_by_check", "wallet_balance"]) == (3, 2)

    def test_the_switch_shows_at_once(self, client: Client) -> None:
        assert told(client)["money_out_stopped",] == 0
        switches.stop_money_out(actor=None, reason="a test")
        assert told(client)["money_out_stopped",] == 1

    def test_a_float_stands_beside_its_bounds(self, client: Client) -> None:
        watch_float("100.50", None)
        fund(UserFactory(), "40.25")
        check_floats(now=clock.now())
        page = told(client)
        assert page["float_balance", CLEARING, "NGN"] == 40.25
        assert page["float_floor", CLEARING, "NGN"] == 100.5
        assert ("float_ceiling", CLEARING, "NGN") not in page
        states = [page["float_state", CLEARING, "NGN", state] for state in ("below", "within", "above")]
        assert states == [1, 0, 0]


class TestWaiting:
    def test_nothing_waits_in_an_empty_house(self, client: Client) -> None:
        page = told(client)
        assert {value for key, value in page.items() if key[0].startswith("waiting")} == {0}

    def test_holds_are_counted_and_those_past_their_day_again(self, client: Client) -> None:
        for days_old in (0, 0, 2):
            hold(days_old=days_old)
        page = told(client)
        assert page["waiting", "hold", "open"] == 3
        assert page["waiting", "hold", "overdue"] == 1
        assert 0 < page["waiting_oldest_seconds", "hold", "open"] < 60

    def test_the_oldest_event_is_as_old_as_it_is(self, client: Client) -> None:
        with transaction.atomic():
            publish(type="pin.set", user_id=None, payload={})
        Event.objects.update(created_at=clock.now() - timedelta(minutes=5))
        page = told(client)
        assert page["waiting", "event", "unrelayed"] == 1
        assert 300 <= page["waiting_oldest_seconds", "event", "unrelayed"] < 330

    def test_it_counts_no_further_than_it_must(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(metrics, "MOST_COUNTED", 2)
        for _ in range(3):
            hold()
        assert told(client)["waiting", "hold", "open"] == 2


class TestCost:
    def test_the_number_of_queries_does_not_depend_on_what_there_is(self) -> None:
        before = len(statements())
        for _ in range(4):
            hold()
        seal_ledger()
        verify_ledger()
        watch_float("1.00", None)
        assert len(statements()) <= before + 2, (
            "one more for each float that is watched, one for the new mark"
        )
        in_database = sum(part.in_database for part in metrics.parts().values())
        assert before <= 4 * in_database + 5, (
            "begin, limits, one question, commit; verification asks more than one"
        )

    def test_no_statement_reads_a_large_table_from_end_to_end(self) -> None:
        hold()
        watch_float("1.00", None)
        verify_ledger()
        read = [sql for sql in statements() if re.match(r"\s*SELECT", sql) and "set_config" not in sql]
        assert len(read) > 20
        for sql in read:
            assert _read_whole(sql) <= SMALL, sql

    def test_that_rule_sees_a_whole_table(self) -> None:
        sql = "SELECT count(*) FROM payments_webhookevent WHERE status = 'dead'"
        assert _read_whole(sql) == {"payments_webhookevent"}

    def test_reading_leaves_no_connection_behind(self, client: Client) -> None:
        told(client)
        before = _sessions()
        for _ in range(5):
            told(client)
        until(lambda: _sessions() <= before)


def _read_whole(sql: str) -> set[str]:
    """Return the tables that a statement reads from end to end, as a part would run it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('enable_seqscan', 'off', true)")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}".replace("%", "%%"), [])
        plans = cursor.fetchone()[0]
    return {table for plan in plans for table in _tables(plan["Plan"])}


def _tables(node: dict[str, Any]) -> Iterator[str]:
    if node["Node Type"] == "Seq Scan":
        yield node["Relation Name"]
    for below in node.get("Plans", ()):
        yield from _tables(below)


def _sessions() -> int:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])
