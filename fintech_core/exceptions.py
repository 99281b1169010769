"""Errors as RFC 9457 problems: one base class, one handler, one shape for every refusal."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import structlog
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions as drf
from rest_framework.response import Response

from fintech_core.database.base import LOST_STATEMENT_SQLSTATES

log = structlog.get_logger(__name__)

PROBLEM_JSON = "application/problem+json"
LOCK_NOT_AVAILABLE = "55P03"
# A conflict with state stays one; the 409 that passes by itself (a busy key) says so on its class.
RETRYABLE_STATUSES = frozenset({429, 502, 503})
# Classes of PostgreSQL's codes: lost connections, broken transactions, no room, conflicts, a server that stops.
_UNAVAILABLE = frozenset({"08", "25", "53", "40", "57"})


def sqlstate_of(error: Exception) -> str:
    """Return PostgreSQL's code for an error that Django has raised for it; empty where there is none."""
    return getattr(error.__cause__, "sqlstate", None) or ""


def constraint_of(error: Exception) -> str:
    """Return the name of the constraint that refused a row, as PostgreSQL tells it; empty where there is none."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return getattr(diagnosis, "constraint_name", None) or ""


class DomainError(Exception):
    """A refusal that a client can understand.

    Subclasses set ``code`` (stable), ``status`` (HTTP) and ``title`` (what the code means in general). ``facts`` are
    extra members of the problem that an app can show: ``limit``, ``remaining``, ``how_to_fix`` …
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 422
    title: ClassVar[str] = "The request was refused"
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str = "", *, retry_after_s: float | None = None, **facts: Any) -> None:
        self.detail = detail or self.title
        self.retry_after_s = retry_after_s
        self.facts = facts
        super().__init__(f"{self.code}: {self.detail}")


class NotFound(DomainError):
    """The object does not exist, or is not yours: both answer alike."""

    code, status, title = "not_found", 404, "Not found"


class ServiceUnavailable(DomainError):
    """Something this request needs is down; nothing was changed."""

    code, status, title, retryable = "service_unavailable", 503, "Temporarily unavailable", True


class FieldError(DomainError):
    """A value that only the domain can refuse, told like a field of an invalid body."""

    code, status, title = "validation_error", 400, "The request is not valid"

    def __init__(self, field: str, field_code: str, detail: str) -> None:
        super().__init__("Correct the fields named in errors and send the request again.")
        self.errors = [{"field": field, "code": field_code, "detail": detail}]


def problem(
    code: str, status: int, title: str, detail: str, *, request_id: str | None, **members: Any
) -> dict[str, Any]:
    """Build the members of an RFC 9457 problem document."""
    return {
        "type": f"{settings.PUBLIC_URL}/errors/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
        "retryable": members.pop("retryable", status in RETRYABLE_STATUSES),
        **members,
    }


def request_id_of(request: Any) -> str | None:
    """Return the id that the middleware gave to this request, if it has one."""
    return getattr(getattr(request, "_request", request), "request_id", None)


def problem_response(request: HttpRequest, code: str, status: int, title: str, detail: str) -> JsonResponse:
    """Answer with a problem outside of a DRF view (middleware, unknown routes, forced errors)."""
    body = problem(code, status, title, detail, request_id=request_id_of(request))
    response = JsonResponse(body, status=status, content_type=PROBLEM_JSON)
    response["Cache-Control"] = "no-store"
    return response


def domain_problem(error: DomainError, request_id: str | None) -> dict[str, Any]:
    """Tell a domain error as a problem document."""
    members: dict[str, Any] = dict(error.facts)
    if isinstance(error, FieldError):
        members["errors"] = error.errors
    members["retryable"] = error.retryable or error.status in RETRYABLE_STATUSES
    return problem(error.code, error.status, error.title, error.detail, request_id=request_id, **members)


def problem_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler: every error this code base knows becomes a problem document."""
    request_id = request_id_of(context.get("request"))
    headers: dict[str, str] = {}
    if isinstance(error, DomainError):
        body = domain_problem(error, request_id)
        if error.retry_after_s is not None:
            headers["Retry-After"] = str(math.ceil(error.retry_after_s))
        if error.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
    elif isinstance(error, Http404):
        body = domain_problem(NotFound(), request_id)
    elif isinstance(error, PermissionDenied):
        body = problem("permission_denied", 403, "You may not do this", str(error) or "You may not do this.",
                       request_id=request_id)  # fmt: skip
    elif isinstance(error, drf.APIException):
        body, headers = _api_problem(error, request_id)
    elif isinstance(error, (DatabaseError, InterfaceError)):
        unavailable = _database_problem(error, request_id)
        if unavailable is None:
            return None
        body, headers = unavailable, {"Retry-After": "1"}
    else:
        return None
    return Response(body, status=body["status"], headers=headers, content_type=PROBLEM_JSON)


def _database_problem(error: Exception, request_id: str | None) -> dict[str, Any] | None:
    """Tell a database that is down, full, read-only, busy or being migrated as 503; leave programming errors a 500."""
    sqlstate = sqlstate_of(error)
    if sqlstate == LOCK_NOT_AVAILABLE:
        detail = "Another operation holds what this one needs. Try again in a moment."
        return problem("busy", 503, "Busy", detail, request_id=request_id, retryable=True)
    is_down = isinstance(error, (OperationalError, InterfaceError)) or sqlstate[:2] in _UNAVAILABLE
    if is_down or sqlstate in LOST_STATEMENT_SQLSTATES:
        log.error("database_unavailable", sqlstate=sqlstate, error=type(error).__name__)
        return domain_problem(
            ServiceUnavailable("The database does not answer. Try again shortly."), request_id
        )
    return None


API_CODES: dict[type[drf.APIException], tuple[str, str]] = {
    drf.ParseError: ("malformed_request", "The request cannot be read"),
    drf.NotAuthenticated: ("not_authenticated", "Authentication is required"),
    drf.PermissionDenied: ("permission_denied", "You may not do this"),
    drf.NotFound: ("not_found", "Not found"),
    drf.MethodNotAllowed: ("method_not_allowed", "This method is not allowed here"),
    drf.NotAcceptable: ("not_acceptable", "None of the accepted formats can be produced"),
    drf.UnsupportedMediaType: ("unsupported_media_type", "Send application/json"),
    drf.Throttled: ("rate_limited", "Too many requests"),
}


def _api_problem(error: drf.APIException, request_id: str | None) -> tuple[dict[str, Any], dict[str, str]]:
    """Tell a DRF exception as a problem document, with the headers it asks for."""
    headers: dict[str, str] = {}
    if isinstance(error, drf.ValidationError):
        # Imports rest_framework.views, which imports this module through its default classes.
        from drf_standardized_errors.formatter import flatten_errors

        errors = [
            {"field": found.attr, "code": found.code, "detail": found.detail}
            for found in flatten_errors(error.detail)
        ]
        detail = "Correct the fields named in errors and send the request again."
        body = problem(
            "validation_error", 400, "The request is not valid", detail, request_id=request_id, errors=errors
        )
        return body, headers
    code, title = API_CODES.get(type(error), ("error", "The request was refused"))
    if isinstance(error, drf.AuthenticationFailed):
        code, title = str(getattr(error.detail, "code", "token_invalid")), "The credentials were not accepted"
    if isinstance(error, drf.ParseError) and getattr(error.detail, "code", "parse_error") != "parse_error":
        code = str(getattr(error.detail, "code", code))
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    wait = getattr(error, "wait", None)
    if wait is not None:
        headers["Retry-After"] = str(math.ceil(wait))
    body = problem(code, error.status_code, title, str(error.detail), request_id=request_id)
    return body, headers
