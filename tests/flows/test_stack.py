"""The stack itself: it serves, it can be hurt and healed."""

import os

import httpx2
import pytest

from tests.clients import PIN, eventually
from tests.stack import Stack


class TestServing:
    @pytest.mark.parametrize(
        "path", ["/health", "/livez", "/readyz", "/docs", "/redoc", "/errors", "/admin/login/"]
    )
    def test_system_pages_answer(self, stack: Stack, path: str) -> None:
        answer = httpx2.get(f"{stack.address}{path}")
        assert answer.status_code == 200

    def test_the_root_leads_to_the_documentation(self, stack: Stack) -> None:
        answer = httpx2.get(stack.address)
        assert (answer.status_code, answer.headers["location"]) == (302, "/docs")

    def test_pages_of_the_documentation_have_their_scripts(self, stack: Stack) -> None:
        for file in ("swagger-ui-dist/swagger-ui-bundle.js", "redoc/bundles/redoc.standalone.js"):
            answer = httpx2.get(f"{stack.address}/static/drf_spectacular_sidecar/{file}")
            assert (answer.status_code, len(answer.content) > 100_000) == (200, True)

    def test_health_is_whole_once_beat_has_rung(self, stack: Stack) -> None:
        stack.sweep()
        eventually(
            lambda: httpx2.get(f"{stack.address}/health/detailed").status_code == 200, "every part is healthy"
        )
        reports = httpx2.get(f"{stack.address}/api/health/").json()["checks"]
        assert {"database", "cache", "broker", "worker", "beat", "vendors"} <= set(reports)
        assert reports["database"]["roles"] == "separate"

    def test_somebody_can_sign_up_and_be_verified(self, stack: Stack) -> None:
        ada = stack.person()
        me = ada.get("/users/me").json()
        assert (me["email"], me["kyc_tier"], me["has_pin"]) == (ada.email, 1, True)
        assert ada.balance() == "0.00"
        assert PIN not in ada.get("/users/me").text

    def test_a_password_is_hashed_at_its_full_cost(self, stack: Stack) -> None:
        ada = stack.person(tier=0)
        (row,) = stack.sql("SELECT password FROM users_user WHERE email = %s", ada.email)
        assert row["password"].startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")  # OWASP's first choice

    def test_a_worker_keeps_its_connections_from_task_to_task(self, stack: Stack) -> None:
        def connected() -> set[int]:
            rows = stack.sql(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s",
                "stack-worker",
            )
            return {row["pid"] for row in rows}

        stack.person()  # several tasks
        before = connected()
        assert before
        stack.person("Bola")
        assert before <= connected()


class TestHurting:
    def test_a_killed_part_is_gone_and_comes_back(self, stack: Stack) -> None:
        pids = stack.web.pids
        stack.web.kill()
        assert not set(pids) & set(stack.processes())
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"{stack.address}/health")
        stack.web.start()
        assert httpx2.get(f"{stack.address}/health").status_code == 200

    def test_a_frozen_worker_goes_on_where_it_was(self, stack: Stack) -> None:
        stack.worker.freeze()
        ada = stack.person(tier=0)
        stack.worker.thaw()
        ada.pass_kyc()
        assert ada.get("/users/me").json()["kyc_tier"] == 1

    def test_the_database_is_read_only_for_assertions(self, stack: Stack) -> None:
        with pytest.raises(Exception, match="read-only"):
            stack.sql("DELETE FROM fintech_core_jobrun RETURNING name")

    def test_processes_are_found_by_their_mark(self, stack: Stack) -> None:
        assert set(stack.web.pids) | set(stack.worker.pids) <= set(stack.processes())
        assert os.getpid() not in stack.processes()
