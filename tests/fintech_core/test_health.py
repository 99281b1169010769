"""Health, readiness, documentation and the pages of errors, as a client sees them."""

import json
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client, RequestFactory
from pytest_django.fixtures import Settings

from fintech_core import circuit, clock, health, lua, views
from fintech_core.exceptions import DomainError
from fintech_core.health import Report
from fintech_core.models import JobRun
from tests.fintech_core.peers import closed_port


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty registry for the time of a test."""
    monkeypatch.setattr(health, "_checks", {})


@pytest.fixture
def silent_postgresql(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A database server that accepts connections and never says a word."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    for name, value in {"HOST": "127.0.0.1", "PORT": str(port)}.items():
        monkeypatch.setitem(settings.DATABASES["default"], name, value)
    yield
    listener.close()


def broken() -> Report:
    """Fail as a check whose service is down does."""
    raise ConnectionError("no route to 10.0.0.7")


class TestRun:
    def test_all_well_is_ok(self, registry: None) -> None:
        health.register("one", lambda: Report(True, {"queue": 3}), critical=True)
        status, reports = health.run()
        assert status == "ok"
        assert (reports["one"]["ok"], reports["one"]["queue"], reports["one"]["critical"]) == (True, 3, True)

    def test_what_is_not_critical_only_degrades(self, registry: None) -> None:
        health.register("one", lambda: Report(True), critical=True)
        health.register("two", lambda: Report(False), critical=False)
        assert health.run()[0] == "degraded"
        health.register("one", lambda: Report(False), critical=True)
        assert health.run()[0] == "down"

    def test_an_error_is_a_finding_that_names_no_host(self, registry: None) -> None:
        health.register("one", broken, critical=True)
        status, reports = health.run()
        assert status == "down"
        assert "10.0.0.7" not in json.dumps(reports)
        assert reports["one"]["detail"] == "failed with ConnectionError"

    def test_checks_that_hang_are_not_waited_for(self, registry: None) -> None:
        release = threading.Event()
        for name in ("one", "two", "three"):
            health.register(name, lambda: Report(release.wait(5)), critical=True)
        health.register("four", lambda: Report(True), critical=True)
        started = time.monotonic()
        status, reports = health.run(limit_s=0.3)
        release.set()
        assert time.monotonic() - started < 1
        assert status == "down"
        assert reports["one"]["detail"] == "no answer in time"
        assert reports["four"]["ok"]

    def test_only_the_named_checks_run(self, registry: None) -> None:
        health.register("one", lambda: Report(True), critical=True)
        health.register("two", broken, critical=True)
        assert list(health.run(["one"])[1]) == ["one"]


class TestHeartbeat:
    def test_a_clock_that_is_ahead_makes_no_negative_age(self) -> None:
        now = datetime(2026, 1, 1, tzinfo=UTC)
        assert health.heartbeat_age_s(now + timedelta(seconds=5), now) == 0.0
        assert health.heartbeat_age_s(now - timedelta(seconds=5), now) == 5.0

    @pytest.mark.django_db
    @pytest.mark.parametrize(("age_s", "ok"), [(1, True), (59, True), (61, False)])
    def test_a_minute_without_one_is_too_long(self, age_s: int, ok: bool) -> None:
        at = clock.now() - timedelta(seconds=age_s)
        JobRun.objects.create(name=health.HEARTBEAT_JOB, started_at=at, finished_at=at, outcome="completed")
        assert health.check_heartbeat().ok is ok

    @pytest.mark.django_db
    def test_none_yet_is_told(self) -> None:
        assert health.check_heartbeat() == Report(False, {"detail": "no heartbeat yet"})


class TestBuiltin:
    @pytest.mark.django_db
    def test_the_database_says_whether_roles_are_separate(self) -> None:
        found = health.check_database()
        assert found.ok
        assert found.detail["roles"] in {"one", "separate"}

    def test_redis_answers(self) -> None:
        assert health.check_cache().ok

    def test_the_broker_answers(self) -> None:
        assert health.check_broker().ok

    def test_a_broker_that_is_down_is_told_in_a_second(self, settings: Settings) -> None:
        health.app.conf.broker_url, before = (
            f"redis://127.0.0.1:{closed_port()}/0",
            health.app.conf.broker_url,
        )
        started = time.monotonic()
        try:
            with pytest.raises(Exception, match=r"refused|connect"):
                health.check_broker()
        finally:
            health.app.conf.broker_url = before
        assert time.monotonic() - started < 1.5


class TestVendors:
    @pytest.fixture(autouse=True)
    def two_vendors(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Two vendors that nobody else calls."""
        self.one, self.two = (f"vendor-{secrets.token_hex(4)}" for _ in range(2))
        monkeypatch.setattr(circuit, "_vendors", {self.one, self.two})

    def test_every_vendor_is_told(self) -> None:
        told = {self.one: "operational", self.two: "operational"}
        assert health.check_vendors() == Report(True, {"vendors": told})
        for _ in range(circuit.SLOW_SAMPLE_CALLS):
            circuit.record(self.one, ok=True, took_s=circuit.SLOW_MEAN_S)
        assert health.check_vendors() == Report(True, {"vendors": {**told, self.one: "slow"}})

    @pytest.mark.parametrize("path", ["/health/detailed", "/api/health/"])
    def test_one_that_is_down_only_degrades(self, client: Client, registry: None, path: str) -> None:
        health.register("database", lambda: Report(True), critical=True)
        health.register("vendors", health.check_vendors, critical=False)
        for _ in range(circuit.WINDOW_CALLS):
            circuit.record(self.two, ok=False)
        answer = client.get(path)
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        found = answer.json()["checks"]["vendors"]
        assert (found["ok"], found["critical"], found["vendors"][self.two]) == (False, False, "down")

    def test_redis_that_is_down_is_told_and_not_taken_for_well(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def nobody_knows(_vendor: str) -> circuit.Status:
            raise lua.RedisDown

        monkeypatch.setattr(circuit, "look", nobody_knows)
        assert not health.run(["vendors"])[1]["vendors"]["ok"]


class TestEndpoints:
    def test_the_process_answers_without_a_database(self, client: Client) -> None:
        for path in ("/health", "/livez"):
            response = client.get(path)
            assert (response.status_code, response.json()) == (200, {"status": "ok"})

    def test_a_silent_database_is_a_503_within_three_seconds(
        self, client: Client, silent_postgresql: None
    ) -> None:
        for path in ("/readyz", "/health/detailed"):
            started = time.monotonic()
            response = client.get(path)
            assert time.monotonic() - started < 3
            assert response.status_code == 503
            assert response.json()["status"] == "down"
        reports = response.json()["checks"]
        assert not reports["database"]["ok"]
        assert reports["cache"]["ok"]
        assert set(reports) >= {"database", "cache", "broker", "worker", "beat", "vendors", "outbox"}

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    @pytest.mark.parametrize(
        "path",
        ["/health", "/health/detailed", "/api/health", "/livez", "/readyz", "/metrics", "/errors", "/errors/busy",
         "/docs", "/redoc", "/api/schema"],
    )  # fmt: skip
    def test_a_write_to_a_read_only_page_is_a_problem_and_asks_for_no_form(
        self, path: str, method: str
    ) -> None:
        for accept in ("*/*", "application/vnd.oai.openapi"):
            response = Client(enforce_csrf_checks=True).generic(method, path, headers={"Accept": accept})
            assert (response.status_code, response["Content-Type"]) == (405, "application/problem+json")
            assert response["Allow"] == "GET, HEAD"
            assert response.json()["code"] == "method_not_allowed"

    @pytest.mark.parametrize("header", ["", "Bearer wrong", "token", "Basic token", "Bearer tökén"])
    def test_details_ask_for_the_token(self, settings: Settings, registry: None, header: str) -> None:
        settings.METRICS_TOKEN = "token"
        request = RequestFactory().get("/health/detailed", headers={"Authorization": header})
        response = views.health_detailed(request)
        assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
        request = RequestFactory().get("/health/detailed", headers={"Authorization": "Bearer token"})
        assert views.health_detailed(request).status_code == 200

    def test_production_without_a_token_tells_nobody(self, settings: Settings, registry: None) -> None:
        settings.METRICS_TOKEN, settings.PRODUCTION = "", True
        for header in ("", "Bearer ", "Bearer x"):
            request = RequestFactory().get("/health/detailed", headers={"Authorization": header})
            assert views.health_detailed(request).status_code == 401


class TestDocumentation:
    @pytest.mark.parametrize("accept", ["text/html", "application/json", "*/*", "image/png", ""])
    @pytest.mark.parametrize("path", ["/docs", "/redoc", "/api/schema"])
    def test_any_accept_header_is_served(self, client: Client, path: str, accept: str) -> None:
        response = client.get(path, headers={"Accept": accept})
        assert response.status_code == 200

    @pytest.mark.parametrize("path", ["/docs", "/redoc"])
    def test_pages_load_nothing_from_elsewhere(self, client: Client, path: str) -> None:
        page = client.get(path).content.decode()
        assert "/api/schema" in page
        assert "https://" not in page
        assert "http://" not in page

    def test_the_schema_comes_as_json_or_yaml(self, client: Client) -> None:
        assert client.get("/api/schema").json()["openapi"].startswith("3.1")
        yaml = client.get("/api/schema", headers={"Accept": "application/vnd.oai.openapi"})
        assert yaml.content.startswith(b"openapi: 3.1")


class TestErrorPages:
    def test_a_code_is_explained_from_its_class(self, client: Client) -> None:
        class Refused(DomainError):
            """The thing was refused.

            This is for developers.
            """

            code, status, title = "thing_refused", 422, "The thing was refused"

        found = client.get("/errors/thing_refused", headers={"Accept": "application/json"}).json()
        assert found == {
            "code": "thing_refused", "status": 422, "title": "The thing was refused",
            "meaning": "The thing was refused.", "retryable": False,
        }  # fmt: skip
        page = client.get("/errors/thing_refused", headers={"Accept": "text/html"})
        assert b"<code>thing_refused</code>" in page.content
        del Refused

    @pytest.mark.parametrize(
        "code", ["rate_limited", "not_found", "payload_too_large", "busy", "validation_error"]
    )
    def test_codes_of_the_framework_have_a_page_too(self, client: Client, code: str) -> None:
        assert client.get(f"/errors/{code}").json()["code"] == code

    def test_an_unknown_code_is_not_found(self, client: Client) -> None:
        assert client.get("/errors/no_such_code").status_code == 404

    def test_a_program_gets_a_problem_and_a_browser_a_page(self, client: Client) -> None:
        problem = client.get("/api/v1/nowhere", headers={"Accept": "text/html"})
        assert (problem.status_code, problem.json()["code"]) == (404, "not_found")
        page = client.get("/nowhere", headers={"Accept": "text/html"})
        assert (page.status_code, page["Content-Type"]) == (404, "text/html; charset=utf-8")

    def test_the_page_of_our_own_errors_needs_nothing(self) -> None:
        request = RequestFactory().get("/x", headers={"Accept": "text/html"})
        request.request_id = "request-0001"  # type: ignore[attr-defined]
        response = views.server_error(request)
        assert response.status_code == 500
        assert b"request-0001" in response.content
