"""The page of metrics: who may see it, in which format, and what becomes of it when something is down."""

import threading
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_text
from pytest_django.fixtures import Settings

from fintech_core import builtin_metrics, lua, metrics
from fintech_core.metrics import Metric, Part, Sample
from fintech_core.models import JobRun
from tests.fintech_core.peers import closed_port

SEEN = Metric("seen", "A value of a test", ("what",))


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty registry for the time of a test."""
    monkeypatch.setattr(metrics, "_parts", {})


@pytest.fixture
def no_database(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database server that refuses connections."""
    for name, value in {"HOST": "127.0.0.1", "PORT": str(closed_port())}.items():
        monkeypatch.setitem(settings.DATABASES["default"], name, value)


@pytest.fixture
def no_redis(settings: Settings) -> Iterator[None]:
    """A Redis that refuses connections."""
    location = f"redis://127.0.0.1:{closed_port()}/0"
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": location}}
    yield
    time.sleep(lua.PAUSE_S)


def seen(value: metrics.Value, what: str = "it") -> Iterable[Sample]:
    """Read one value."""
    return (SEEN.sample(value, what),)


def told(client: Client) -> dict[tuple[str, ...], float]:
    """Return what the page tells: by the name and the labels' values."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        (family.name.removeprefix("fintech_core_"), *sample.labels.values()): sample.value
        for family in plain_text(answer.content.decode())
        for sample in family.samples
    }


class TestWhoMaySee:
    @pytest.mark.parametrize("header", ["", "Bearer wrong", "token", "Basic token", "Bearer tökén"])
    def test_it_asks_for_the_same_token_as_the_detailed_health(
        self, settings: Settings, registry: None, client: Client, header: str
    ) -> None:
        settings.METRICS_TOKEN = "token"
        refused = client.get("/metrics", headers={"Authorization": header})
        assert (refused.status_code, refused["WWW-Authenticate"]) == (401, "Bearer")
        assert b"fintech_core_" not in refused.content
        assert client.get("/metrics", headers={"Authorization": "Bearer token"}).status_code == 200

    def test_production_without_a_token_tells_nobody(
        self, settings: Settings, registry: None, client: Client
    ) -> None:
        settings.METRICS_TOKEN, settings.PRODUCTION = "", True
        for header in ("", "Bearer ", "Bearer x"):
            assert client.get("/metrics", headers={"Authorization": header}).status_code == 401

    def test_it_is_only_read_and_never_kept(self, registry: None, client: Client) -> None:
        assert client.get("/metrics")["Cache-Control"] == "no-store"
        assert client.post("/metrics").status_code == 405


class TestFormat:
    @pytest.mark.parametrize(
        "accept", ["", "*/*", "text/plain;version=0.0.4", "text/plain; version=1.0.0", "image/png", ";;,,"]
    )
    def test_it_is_the_text_format_unless_another_is_asked_for(
        self, registry: None, client: Client, accept: str
    ) -> None:
        metrics.register("one", lambda: seen(3), SEEN, in_database=False)
        answer = client.get("/metrics", headers={"Accept": accept})
        assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert b'fintech_core_seen{what="it"} 3.0\n' in answer.content

    @pytest.mark.parametrize("more", ["", ";version=1.0.0,text/plain;q=0.3", "; version=none", ";version=99"])
    def test_open_metrics_are_for_who_asks(self, registry: None, client: Client, more: str) -> None:
        metrics.register("one", lambda: seen(3), SEEN, in_database=False)
        answer = client.get("/metrics", headers={"Accept": f"application/openmetrics-text{more}"})
        assert answer["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        assert {family.name for family in open_metrics(answer.content.decode())} == {
            "fintech_core_seen", "fintech_core_metrics_errors",
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("value", "number"),
        [(True, 1), (7, 7), (Decimal("1500.25"), 1500.25), (timedelta(minutes=2), 120),
         (datetime(2026, 1, 1, tzinfo=UTC), 1767225600)],
    )  # fmt: skip
    def test_money_moments_and_durations_become_numbers_on_the_page(
        self, registry: None, client: Client, value: Any, number: float
    ) -> None:
        metrics.register("one", lambda: seen(value), SEEN, in_database=False)
        assert told(client)["seen", "it"] == number

    def test_what_a_label_holds_cannot_break_the_page(self, registry: None, client: Client) -> None:
        metrics.register("one", lambda: seen(1, 'a"b\\c\n{d}'), SEEN, in_database=False)
        assert told(client)["seen", 'a"b\\c\n{d}'] == 1

    def test_a_sample_has_as_many_labels_as_its_metric(self) -> None:
        with pytest.raises(ValueError, match="has the labels"):
            SEEN.sample(1)

    def test_parts_may_share_a_metric(self, registry: None, client: Client) -> None:
        for name in ("one", "two"):
            metrics.register(name, lambda name=name: seen(1, name), SEEN, in_database=False)  # type: ignore[misc]
        assert client.get("/metrics").content.count(b"# TYPE fintech_core_seen") == 1


@pytest.mark.usefixtures("committed_db")
class TestFailures:
    def test_a_broken_part_is_left_out_and_named_and_the_others_stay(
        self, registry: None, client: Client
    ) -> None:
        def broken() -> Iterable[Sample]:
            yield from seen(1, "half a part")
            raise ConnectionError("no route to 10.0.0.7")

        metrics.register("one", broken, SEEN)
        metrics.register("two", lambda: seen(2), SEEN)
        assert told(client) == {("metrics_errors", "one"): 1, ("metrics_errors", "two"): 0, ("seen", "it"): 2}

    def test_without_a_database_it_tells_what_redis_knows(self, client: Client, no_database: None) -> None:
        page = told(client)
        assert page["vendor_down", "paystack"] == 0
        assert [key[1] for key, value in page.items() if key[0] == "metrics_errors" and not value] == [
            "circuits"
        ]

    def test_without_redis_it_tells_what_the_database_knows(self, client: Client, no_redis: None) -> None:
        page = told(client)
        assert page["metrics_errors", "circuits"] == 1
        assert page["money_out_stopped",] == 0
        assert not [name for name, *_ in page if name.startswith("vendor_")]

    def test_a_statement_that_takes_long_is_ended(self, registry: None, client: Client) -> None:
        def slow() -> Iterable[Sample]:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(30)")
            return seen(1)

        metrics.register("slow", slow, SEEN)
        metrics.register("next", lambda: seen(2), SEEN)
        started = time.monotonic()
        assert told(client) == {
            ("metrics_errors", "slow"): 1, ("metrics_errors", "next"): 0, ("seen", "it"): 2,
        }  # fmt: skip
        assert 1 <= time.monotonic() - started < 4

    def test_a_part_can_change_nothing(self, registry: None, client: Client) -> None:
        def writes() -> Iterable[Sample]:
            JobRun.objects.create(name="x", started_at=datetime.now(UTC), outcome="completed")
            return seen(1)

        metrics.register("writes", writes, SEEN)
        assert told(client) == {("metrics_errors", "writes"): 1}
        assert not JobRun.objects.exists()


class TestHanging:
    def test_a_process_without_a_thread_to_spare_says_that_nothing_was_read_and_reads_again(
        self, registry: None, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        metrics.register("one", lambda: seen(1), SEEN, in_database=False)
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            assert told(client) == {("metrics_errors", "one"): 1}
        assert told(client) == {("metrics_errors", "one"): 0, ("seen", "it"): 1}

    def test_readings_that_hang_for_long_are_given_up_a_few_at_a_time(
        self, registry: None, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(metrics, "LIMIT_S", 0.1)
        monkeypatch.setattr(metrics, "GIVEN_UP_S", 0.2)
        release, entered = threading.Event(), []

        def hang() -> Iterable[Sample]:
            entered.append(True)
            release.wait(20)
            return seen(1)

        metrics.register("one", hang, SEEN, in_database=False)
        for _ in range(6):
            assert told(client) == {("metrics_errors", "one"): 1}
            time.sleep(0.25)
        assert len(entered) == 1 + metrics.MOST_HUNG
        release.set()
        deadline = time.monotonic() + 5
        while told(client) != {("metrics_errors", "one"): 0, ("seen", "it"): 1}:
            assert time.monotonic() < deadline

    def test_what_hangs_is_not_waited_for_and_its_old_values_are_never_told(
        self, registry: None, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(metrics, "LIMIT_S", 0.3)
        release, entered = threading.Event(), []

        def hangs() -> Iterable[Sample]:
            entered.append(True)
            release.wait(20)
            return seen(1)

        metrics.register("quick", lambda: seen(2, "quick"), SEEN, in_database=False)
        metrics.register("hangs", hangs, SEEN, in_database=False)
        metrics.register("after", lambda: seen(3, "after"), SEEN, in_database=False)
        started = time.monotonic()
        assert told(client) == {
            ("metrics_errors", "quick"): 0, ("metrics_errors", "hangs"): 1, ("metrics_errors", "after"): 1,
            ("seen", "quick"): 2,
        }  # fmt: skip
        assert set(told(client).values()) == {1.0}
        assert time.monotonic() - started < 2
        assert len(entered) == 1, "a second reading must not start while one hangs"
        release.set()
        deadline = time.monotonic() + 5
        while ("seen", "after") not in (page := told(client)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert page["metrics_errors", "hangs"] == 0


class TestJobs:
    def test_a_recurring_job_tells_when_and_how_it_ended_and_how_often_it_is_rung_for(self, db: None) -> None:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        for name, outcome in (("transactions.seal_ledger", "failed"), ("some.other_job", "completed")):
            JobRun.objects.create(name=name, started_at=at, finished_at=at, outcome=outcome)
        found = {(one.metric, one.labels): one.value for one in builtin_metrics.read_jobs()}
        assert found == {
            (builtin_metrics.JOB_FINISHED, ("transactions.seal_ledger",)): at,
            (builtin_metrics.JOB_SUCCEEDED, ("transactions.seal_ledger",)): False,
            (builtin_metrics.JOB_INTERVAL, ("transactions.seal_ledger",)): timedelta(minutes=1),
        }


class TestEveryPart:
    def test_gives_only_what_it_declares_and_no_label_names_a_person(self, committed_db: None) -> None:
        for name, part in metrics.parts().items():
            assert {sample.metric for sample in metrics.read_part(part)} <= set(part.metrics), name
        assert {label for metric in metrics.declared() for label in metric.labels} == {
            "part", "vendor", "task", "kind", "state", "check", "account", "currency",
        }  # fmt: skip

    def test_the_names_are_as_prometheus_wants_them(self) -> None:
        names = [metric.name for metric in metrics.declared()]
        assert len(set(names)) == len(names)
        for metric in metrics.declared():
            assert metric.name.startswith("fintech_core_")
            assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket", "_info")), "a gauge each"
            assert not {"job", "instance"} & set(metric.labels), "Prometheus sets these"

    def test_is_a_part_of_its_own(self, registry: None) -> None:
        metrics.register("one", lambda: seen(1), SEEN)
        metrics.register("one", lambda: seen(2), SEEN, in_database=False)
        assert [part.in_database for part in metrics.parts().values()] == [False]
        assert isinstance(metrics.parts()["one"], Part)
