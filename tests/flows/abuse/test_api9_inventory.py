"""API9, improper inventory management: what is not offered is not there, and this package covers what it names."""

import re
from pathlib import Path

import pytest

from tests.flows.abuse.cast import Cast
from tests.flows.abuse.conftest import Refusals
from tests.flows.abuse.inventory import ELSEWHERE, HERE
from tests.flows.abuse.routes import routes
from tests.flows.abuse.wire import Wire, check_manners, check_problem

FOLDER = Path(__file__).parent


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        ["/api", "/api/", "/api/v1", "/api/v1/", "/api/v0/wallet", "/api/v2/wallet", "/v1/wallet", "/wallet",
         "/api/wallet", "/api/v1/schema", "/api/v1/docs", "/api/v1/health", "/api/v1/transfers", "/api/v1/admin/",
         "/api/v1/webhooks/paystack", "/api/v1/admin", "/api/v1/staff/kyc", "/api/v1/users", "/api/v1/users/1",
         "/api/v1/metrics", "/graphql", "/actuator/env", "/debug", "/__debug__/", "/swagger.json", "/server-status",
         "/_control/state"],
    )  # fmt: skip
    def test_9_01_no_other_version_and_no_other_route(self, wire: Wire, cast: Cast, path: str) -> None:
        for token in ("", cast.ada.access):
            check_problem(wire.send("GET", path, token=token), 404, "not_found")

    @pytest.mark.parametrize(
        "path", ["/admin/", "/admin/users/user/", "/admin/wallet/wallet/", "/admin/jsi18n/", "/admin/x"]
    )
    def test_9_03_the_admin_asks_for_a_sign_in_of_its_own(self, wire: Wire, cast: Cast, path: str) -> None:
        for token in ("", cast.ada.access, cast.staff.access):
            answer = wire.send("GET", path, token=token)
            check_manners(answer)
            assert answer.status == 302, answer
            assert answer.headers["Location"].startswith("/admin/login/")

    @pytest.mark.parametrize(
        "path",
        ["/.git/HEAD", "/.git/config", "/.env", "/.env.example", "/backup.sql", "/db.sqlite3", "/manage.py", "/logs/",
         "/static/../settings.py", "/static/../fintech_core/settings.py", "/static/..%2fsettings.py", "/static/",
         "/static/%2e%2e/settings.py", "/static/..%5csettings.py", "/static//etc/passwd", "/static/....//settings.py",
         "/static/%252e%252e/settings.py", "/requirements.txt", "/media/", "/static/admin", "/robots.txt.bak",
         "/.well-known/../.env", "/fintech_core/settings.py", "/docker-compose.yml", "/wp-login.php", "/.DS_Store"],
    )  # fmt: skip
    def test_9_05_no_file_of_ours_is_served(self, wire: Wire, path: str) -> None:
        check_problem(wire.send("GET", path), 404, "not_found")


class TestInventory:
    def test_9_07_the_schema_describes_every_route(self, wire: Wire) -> None:
        answer = wire.send("GET", "/api/schema")
        described = {
            (method.upper(), re.sub(r"\{[^}]*\}", "{}", path.removeprefix("/api/v1")))
            for path, methods in answer.json()["paths"].items()
            for method in methods
        }
        served = {(route.method, re.sub(r"\{[^}]*\}", "{}", route.path)) for route in routes()}
        assert described == served

    def test_9_07_every_id_that_is_promised_here_has_its_test(self) -> None:
        source = "".join(file.read_text() for file in sorted(FOLDER.glob("test_*.py")))
        tested = {f"{area}.{number}" for area, number in re.findall(r"def test_(\d+)_(\d\d)_", source)}
        assert tested == HERE
        assert not HERE & ELSEWHERE.keys()


class TestRoutesOfLaterWork:
    @pytest.mark.parametrize(
        "path", ["/referrals", "/bills/recurring", "/payments/withdrawals", "/webhooks/endpoints"]
    )
    def test_9_01_a_route_that_is_not_built_is_not_there(self, refused: Refusals, path: str) -> None:
        if path not in {route.path for route in routes()}:
            refused("ada", "GET", path, status=404, code="not_found")
