"""API1, broken object level authorization: what is not yours does not exist."""

from typing import Any
from uuid import uuid4

import pytest

from fintech_core.ids import uuid7
from tests.flows.abuse.cast import Cast
from tests.flows.abuse.conftest import Refusals
from tests.flows.abuse.routes import Route, routes
from tests.flows.abuse.wire import Answer, Wire

# Whose ids stand in a path, by the path's beginning: the cast's fact is its last word.
KINDS = {
    "/auth/sessions/": "session",
    "/wallets/": "wallet",
    "/transactions/transfer/bulk/": "bulk",
    "/transactions/": "transaction",
    "/payments/intents/": "intent",
    "/bills/payments/": "payment",
    "/notifications/": "notification",
}
BODIES: dict[str, dict[str, Any]] = {"/payments/intents/{pk}/simulate": {"outcome": "success"}}
WITH_ID = [route for route in routes() if route.has_id and not route.path.startswith("/admin/")]
READ = [route for route in routes() if route.method == "GET" and "{" not in route.path]
STAFF_WITH_ID = [route for route in routes() if route.has_id and route.path.startswith("/admin/")]


def kind_of(route: Route) -> str:
    """Return what the id of this route names; a new kind of object is named in ``KINDS`` first."""
    return next(kind for start, kind in KINDS.items() if route.path.startswith(start))


def body_of(route: Route) -> Any:
    """Return a body that the route would take."""
    return BODIES.get(route.path, {}) if route.method in {"POST", "PUT", "PATCH"} else None


def told(answer: Answer) -> Any:
    """Return a problem without the id of its request."""
    return {name: value for name, value in answer.json().items() if name != "request_id"}


class TestForeignObjects:
    @pytest.mark.parametrize("route", WITH_ID, ids=str)
    def test_1_01_somebody_elses_is_told_like_one_that_is_not(
        self, refused: Refusals, cast: Cast, route: Route
    ) -> None:
        foreign = cast.facts[f"bola_{kind_of(route)}"]
        answers = [
            refused(
                "ada", route.method, route.path.format(pk=pk), body_of(route), status=404, code="not_found"
            )
            for pk in (foreign, str(uuid7()), str(uuid4()), "00000000-0000-0000-0000-000000000000")
        ]
        assert all(told(answer) == told(answers[0]) for answer in answers)

    @pytest.mark.parametrize("route", WITH_ID, ids=str)
    @pytest.mark.parametrize("kind", sorted({kind_of(route) for route in WITH_ID}))
    def test_1_01_an_id_of_another_kind_names_nothing(
        self, refused: Refusals, cast: Cast, route: Route, kind: str
    ) -> None:
        if kind == kind_of(route):
            kind = "wallet" if kind != "wallet" else "session"
        own = cast.facts[f"ada_{kind}"]
        refused("ada", route.method, route.path.format(pk=own), body_of(route), status=404, code="not_found")

    @pytest.mark.parametrize("route", STAFF_WITH_ID, ids=str)
    def test_1_01_staff_find_nothing_under_a_random_id(self, refused: Refusals, route: Route) -> None:
        path = route.path.format(pk=uuid7())
        refused("staff", route.method, path, {"reason": "a good reason"}, status=404, code="not_found")

    def test_1_01_the_own_object_is_found(self, cast: Cast, wire: Wire) -> None:
        for route in WITH_ID:
            if route.method == "GET":
                own = cast.facts[f"ada_{kind_of(route)}"]
                answer = wire.send("GET", f"/api/v1{route.path.format(pk=own)}", token=cast.ada.access)
                assert answer.status == 200, answer


class TestSpellingsOfAnId:
    @pytest.mark.parametrize("route", WITH_ID, ids=str)
    @pytest.mark.parametrize(
        "spelling",
        ["urn:uuid:{}", "{{{}}}", "{:upper}", "{:bare}", "5", "-1", "0", "{}%20", "%20{}", "{}.json", "{}%0a", "{},{}",
         "null", "me", "*", "%2e%2e", "' OR 1=1--", "１"],
    )  # fmt: skip
    def test_1_13_only_the_canonical_one_names_the_object(
        self, refused: Refusals, cast: Cast, route: Route, spelling: str
    ) -> None:
        own = cast.facts[f"ada_{kind_of(route)}"]
        text = spelling.replace("{:upper}", own.upper()).replace("{:bare}", own.replace("-", ""))
        text = (
            text.replace("{{{}}}", f"%7B{own}%7D")
            .replace("{}", own)
            .replace(" ", "%20")
            .replace("１", "%EF%BC%91")
        )
        refused(
            "ada",
            route.method,
            route.path.replace("{pk}", text),
            body_of(route),
            status=404,
            code="not_found",
        )


class TestSourcesAndFilters:
    @pytest.mark.parametrize("name", ["from_wallet", "wallet", "wallet_id", "source", "sender", "owner"])
    def test_1_03_a_transfer_has_no_source_but_the_senders(self, refused: Refusals, name: str) -> None:
        body = {"to": "{ada_email}", "amount": "1.00", "pin": "{pin}", name: "{bola_wallet}"}
        refused(
            "ada", "POST", "/transactions/transfer", body,
            status=400, code="validation_error", fields={name: "unknown_field"},
        )  # fmt: skip

    @pytest.mark.parametrize("route", READ, ids=str)
    @pytest.mark.parametrize(
        "query", ["wallet={bola_wallet}", "user_id=2", "user={bola_email}", "owner__id=1", "id=5"]
    )
    def test_1_07_a_filter_that_is_not_offered_is_refused(
        self, refused: Refusals, route: Route, query: str
    ) -> None:
        who = "staff" if route.path.startswith("/admin/") else "ada"
        name = query.partition("=")[0]
        refused(
            who, "GET", f"{route.path}?{query}",
            status=400, code="validation_error", fields={name: "unknown_parameter"},
        )  # fmt: skip
