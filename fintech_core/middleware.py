"""Middleware: a request id on everything, and a guard before anything reads the request."""

import re
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

import structlog
from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse

from fintech_core.addresses import client_address
from fintech_core.exceptions import problem_response
from fintech_core.ids import uuid7

Handler = Callable[[HttpRequest], HttpResponse]
REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,127}")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MAX_PATH = 1024
MAX_QUERY = 4096
MAX_AUTHORIZATION = 8192


class RequestId:
    """Take the client's ``X-Request-ID`` if it is well formed, else make one; put it on the response and the logs."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request under its id."""
        # Not request.headers: that view of META is made once, and must be made after the id is in it.
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if REQUEST_ID.fullmatch(given) else str(uuid7())
        request.request_id = request_id  # type: ignore[attr-defined]  # read by request_id_of()
        request.META["HTTP_X_REQUEST_ID"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id, ip=client_address(request))
        response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class RequestGuard:
    """Refuse what no route reads (NUL bytes, broken UTF-8, endless paths); strip one trailing slash under ``/api/``."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve the request if it can be read at all."""
        if fault := self._fault(request):
            return problem_response(request, "malformed_request", 400, "The request cannot be read", fault)
        if request.method not in METHODS:
            return self._unknown_method(request)
        path = request.path_info
        is_api = path.startswith("/api/")
        if is_api and _announced_bytes(request) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            return problem_response(request, "payload_too_large", 413, "Too large", "The body is too large.")
        if is_api and path.endswith("/") and not path.endswith("//") and len(path) > len("/api/"):
            request.path_info = path[:-1]
            request.path = request.path[:-1]
        try:
            response = self.get_response(request)
        except RequestDataTooBig:
            return problem_response(request, "payload_too_large", 413, "Too large", "The body is too large.")
        except SuspiciousOperation:
            return problem_response(
                request, "malformed_request", 400, "Malformed", "The request cannot be read."
            )
        if is_api:
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    @staticmethod
    def _unknown_method(request: HttpRequest) -> HttpResponse:
        """Refuse TRACE, PROPFIND and the like everywhere, before anything asks who sends them."""
        response = problem_response(
            request,
            "method_not_allowed",
            405,
            "This method is not allowed here",
            "No page here has this method.",
        )
        response["Allow"] = ", ".join(METHODS)
        return response

    @staticmethod
    def _fault(request: HttpRequest) -> str | None:
        """Say what makes this request unreadable, if anything does."""
        query = request.META.get("QUERY_STRING", "")
        if len(request.path_info) > MAX_PATH or len(query) > MAX_QUERY:
            return "The address is too long."
        if len(request.META.get("HTTP_AUTHORIZATION", "")) > MAX_AUTHORIZATION:
            return "The Authorization header is too long."
        raw_query = unquote_to_bytes(query)
        try:
            raw_query.decode("utf-8")
        except UnicodeDecodeError:
            return "The query is not UTF-8."
        headers = (value for name, value in request.META.items() if name.startswith("HTTP_"))
        if "\x00" in request.path_info or b"\x00" in raw_query or any("\x00" in value for value in headers):
            return "A NUL byte is not allowed."
        return None


def _announced_bytes(request: HttpRequest) -> int:
    """Return the body's length as its header says it: what is too long is refused before it is read."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isascii() and length.isdigit() else 0
