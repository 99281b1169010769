"""A request id on everything, and a guard before anything reads the request."""

import json
import uuid
from collections.abc import Callable

import pytest
import structlog
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from fintech_core.middleware import MAX_PATH, MAX_QUERY, RequestGuard, RequestId

Serve = Callable[[HttpRequest], HttpResponse]


def echo(request: HttpRequest) -> HttpResponse:
    """Answer with the path and the bound request id."""
    bound = structlog.contextvars.get_contextvars().get("request_id", "")
    return HttpResponse(json.dumps({"path": request.path, "info": request.path_info, "bound": bound}))


def request_id(**headers: str) -> tuple[str, str]:
    """Send a request and return the id on the answer and the one that was bound."""
    response = RequestId(echo)(RequestFactory().get("/", headers=headers))
    return response["X-Request-ID"], json.loads(response.content)["bound"]


class TestRequestId:
    def test_whoever_reads_the_header_later_finds_the_same(self) -> None:
        seen: list[str] = []

        def serve(request: HttpRequest) -> HttpResponse:
            seen.extend([request.headers["X-Request-ID"], request.request_id])  # type: ignore[attr-defined]
            return HttpResponse()

        response = RequestId(serve)(RequestFactory().get("/"))
        assert seen == [response["X-Request-ID"]] * 2

    def test_one_is_made_when_none_is_sent(self) -> None:
        sent, bound = request_id()
        assert uuid.UUID(sent).version == 7
        assert bound == sent

    def test_a_well_formed_one_is_taken(self) -> None:
        assert request_id(**{"X-Request-ID": "client-0001.a_B"}) == ("client-0001.a_B", "client-0001.a_B")

    @pytest.mark.parametrize(
        "given",
        [
            "",
            "short",
            "x" * 129,
            "-leading",
            "has space 123",
            "line\nbreak1",
            "<script>alert",
            "ünicode-12345",
        ],
    )
    def test_any_other_is_replaced(self, given: str) -> None:
        sent, _ = request_id(**{"X-Request-ID": given})
        assert sent != given
        assert uuid.UUID(sent)

    def test_the_id_of_the_request_before_is_gone(self) -> None:
        first, _ = request_id()
        second, bound = request_id()
        assert first != second == bound


class TestRequestGuard:
    @pytest.mark.parametrize(
        ("sent", "seen"),
        [
            ("/api/v1/wallet/", "/api/v1/wallet"),
            ("/api/v1/wallet", "/api/v1/wallet"),
            ("/api/v1/wallet//", "/api/v1/wallet//"),
            ("/api/", "/api/"),
            ("/admin/", "/admin/"),
        ],
    )
    def test_one_trailing_slash_is_stripped_below_api(self, sent: str, seen: str) -> None:
        found = json.loads(RequestGuard(echo)(RequestFactory().get(sent)).content)
        assert (found["path"], found["info"]) == (seen, seen)

    def refused(self, request: HttpRequest, serve: Serve = echo) -> tuple[int, str]:
        """Send a request that must be refused, and return status and code."""
        request.request_id = "request-0001"  # type: ignore[attr-defined]
        response = RequestGuard(serve)(request)
        assert response["Content-Type"] == "application/problem+json"
        body = json.loads(response.content)
        assert body["request_id"] == "request-0001"
        return response.status_code, body["code"]

    @pytest.mark.parametrize(
        ("path", "query"),
        [
            ("/api/\x00", ""),
            ("/api/x", "q=%00"),
            ("/api/x", "q=%ff"),
            ("/api/x", "q=%c3%28"),
            ("/" + "a" * MAX_PATH, ""),
            ("/api/x", "q=" + "a" * MAX_QUERY),
        ],
    )
    def test_what_no_route_reads_is_refused(self, path: str, query: str) -> None:
        request = RequestFactory().get("/api/x")
        request.path_info = path
        request.META["QUERY_STRING"] = query
        assert self.refused(request) == (400, "malformed_request")

    @pytest.mark.parametrize("value", ["a\x00b", "Bearer " + "a" * 9000])
    def test_headers_are_looked_at_too(self, value: str) -> None:
        request = RequestFactory().get("/api/x", headers={"Authorization": value})
        assert self.refused(request) == (400, "malformed_request")

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (RequestDataTooBig("big"), (413, "payload_too_large")),
            (SuspiciousOperation("odd"), (400, "malformed_request")),
        ],
    )
    def test_djangos_own_refusals_become_problems(self, error: Exception, expected: tuple[int, str]) -> None:
        def serve(request: HttpRequest) -> HttpResponse:
            raise error

        assert self.refused(RequestFactory().post("/api/x"), serve) == expected

    @pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "PROPFIND", "QUERY"])
    def test_a_method_that_no_page_has_is_refused_before_anybody_asks_who_sends_it(self, method: str) -> None:
        request = RequestFactory().generic(method, "/api/x")
        request.request_id = "request-0001"  # type: ignore[attr-defined]
        answer = RequestGuard(echo)(request)
        assert answer.status_code == 405
        assert "GET" in answer["Allow"]

    @pytest.mark.parametrize("path", ["/api/x", "/api/"])
    def test_a_body_that_announces_too_much_is_refused_before_it_is_read(self, path: str) -> None:
        request = RequestFactory().post(path)
        request.META["CONTENT_LENGTH"] = "1048577"
        assert self.refused(request) == (413, "payload_too_large")

    def test_answers_of_the_api_are_not_cached(self) -> None:
        guard = RequestGuard(echo)
        assert guard(RequestFactory().get("/api/x"))["Cache-Control"] == "no-store"
        assert "Cache-Control" not in guard(RequestFactory().get("/static/x"))
