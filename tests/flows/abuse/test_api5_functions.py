"""API5, broken function level authorization: every route of the URL map by everybody who may not."""

import pytest

from fintech_core.ids import uuid7
from tests.flows.abuse.cast import Cast
from tests.flows.abuse.conftest import Refusals
from tests.flows.abuse.fingerprint import Fingerprint
from tests.flows.abuse.routes import Route, routes
from tests.flows.abuse.wire import Wire, check_manners, check_problem

# Everything else asks for a sign-in. Webhooks ask for their vendor's signature or token.
PUBLIC = {
    "POST /auth/register",
    "POST /auth/login",
    "POST /auth/refresh",
    "POST /auth/logout",
    "POST /payments/webhooks/paystack",
    "POST /payments/webhooks/vtpass/{token}",
    "GET /billers/status",
    "GET /receipts/{code}",
    "GET /sandbox/messages",
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PATHS = sorted({route.path for route in routes()})


def filled(path: str) -> str:
    """Put something into every parameter of a path."""
    return path.format(pk=uuid7(), token="x", code="ikeja-electric", biller="ikeja-electric")


class TestWhoMayCall:
    @pytest.mark.parametrize("route", [route for route in routes() if str(route) not in PUBLIC], ids=str)
    def test_5_01_nobody_is_asked_to_sign_in(self, refused: Refusals, route: Route) -> None:
        body: dict[str, str] | None = {} if route.method in {"POST", "PUT", "PATCH"} else None
        refused("nobody", route.method, filled(route.path), body, status=401, code="not_authenticated")

    @pytest.mark.parametrize("route", [r for r in routes() if r.path.startswith("/admin/")], ids=str)
    @pytest.mark.parametrize("who", ["ada", "nneka"])
    def test_5_01_a_customer_may_call_no_staff_route(self, refused: Refusals, route: Route, who: str) -> None:
        body = {"reason": "because I want to"} if route.method == "POST" else None
        refused(who, route.method, filled(route.path), body, status=403, code="permission_denied")

    def test_5_01_the_public_routes_are_these(self) -> None:
        assert PUBLIC - {str(route) for route in routes()} == set()

    def test_5_03_staff_do_not_decide_their_own_case(
        self, refused: Refusals, cast: Cast, watch: Fingerprint
    ) -> None:
        body = {
            "tier": 1,
            "document_type": "bvn",
            "document_number": "33333333333",
            "date_of_birth": "1990-05-01",
        }
        case = cast.staff.post("/users/me/kyc", body)
        assert case.status_code in {201, 409}, case.text
        case_id = cast.staff.get("/users/me/kyc").json()["id"]
        watch.settle()
        for decision in ("approve", "reject"):
            path = f"/admin/kyc/{case_id}/{decision}"
            refused("staff", "POST", path, {"reason": "I know myself"}, status=403, code="own_case")


class TestMethods:
    @pytest.mark.parametrize("path", PATHS)
    def test_5_07_a_route_has_its_methods_and_no_other(self, refused: Refusals, path: str) -> None:
        offered = {route.method for route in routes() if route.path == path}
        for method in sorted({*METHODS} - offered):
            if path.startswith("/admin/"):  # staff routes know their permission by what is done there
                refused("staff", method, filled(path), status=403, code="permission_denied")
                continue
            answer = refused("ada", method, filled(path), status=405, code="method_not_allowed")
            assert offered <= {*answer.headers["Allow"].split(", ")}

    @pytest.mark.parametrize("path", PATHS)
    def test_5_07_options_names_the_methods_and_does_nothing(
        self, cast: Cast, wire: Wire, watch: Fingerprint, path: str
    ) -> None:
        with watch.unchanged():
            answer = wire.send("OPTIONS", f"/api/v1{filled(path)}", token=cast.ada.access)
        if path.startswith("/admin/"):
            check_problem(answer, 403, "permission_denied")
            return
        check_manners(answer)
        assert (answer.status, answer.body) == (204, b"")
        offered = {route.method for route in routes() if route.path == path}
        assert {*answer.headers["Allow"].split(", ")} - {"HEAD"} == {*offered, "OPTIONS"}

    @pytest.mark.parametrize(
        "method", ["TRACE", "TRACK", "CONNECT", "PROPFIND", "MKCOL", "QUERY", "BREW", "DELETE2"]
    )
    @pytest.mark.parametrize(
        "path", ["/", "/api/v1/users/me", "/api/v1/nowhere", "/admin/login/", "/health", "/docs"]
    )
    def test_5_07_unknown_methods_are_refused_everywhere(self, wire: Wire, method: str, path: str) -> None:
        check_problem(wire.send(method, path, headers={"X-Secret": "s3cr3t"}), 405, "method_not_allowed")

    @pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
    def test_5_07_no_header_changes_the_method(
        self, cast: Cast, wire: Wire, watch: Fingerprint, name: str
    ) -> None:
        with watch.unchanged():
            answer = wire.send(
                "GET", "/api/v1/auth/sessions", token=cast.ada.access, headers={name: "DELETE"}
            )
        check_manners(answer)
        assert answer.status == 200

    def test_5_07_no_parameter_changes_the_method(self, refused: Refusals) -> None:
        refused("ada", "GET", "/auth/sessions?_method=DELETE", status=400, code="validation_error")
        refused(
            "ada", "POST", "/wallets", {"currency": "GHS", "_method": "DELETE"},
            status=400, code="validation_error", fields={"_method": "unknown_field"},
        )  # fmt: skip

    def test_5_07_heads_have_no_body_and_change_nothing(
        self, cast: Cast, wire: Wire, watch: Fingerprint
    ) -> None:
        for path in PATHS:
            with watch.unchanged():
                answer = wire.send("HEAD", f"/api/v1{filled(path)}", token=cast.ada.access)
            check_manners(answer)
            assert answer.body == b""


class TestSandboxCredentials:
    def test_5_13_a_vendors_key_opens_nothing_here(self, refused: Refusals) -> None:
        for token in ("sk_test_fintech_core_development", "test_api_key_fintech_core"):
            refused("nobody", "GET", "/users/me", token=token, status=401, code="token_invalid")
