"""Paystack's envelope, its errors and its door.

`status` in the envelope says that the call worked, not that anybody paid.
"""

from collections.abc import Callable, Mapping
from typing import Final

from sandbox.exchange import Answer, Request, json_answer
from sandbox.faults import FaultKind

RATE_LIMIT_RESET_S: Final = "30"


def succeeded(message: str, data: object, meta: object = None) -> Answer:
    """Wrap data as Paystack does."""
    envelope: dict[str, object] = {"status": True, "message": message, "data": data}
    if meta is not None:
        envelope["meta"] = meta
    return json_answer(envelope)


def failed(
    status: int,
    message: str,
    code: str,
    *,
    kind: str = "validation_error",
    next_step: str = "Ensure that the value(s) you're passing are valid.",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Refuse as Paystack does; `code` is what a client should branch on."""
    return json_answer(
        {"status": False, "message": message, "meta": {"nextStep": next_step}, "type": kind, "code": code},
        status=status,
        headers=headers,
    )


def authenticate(request: Request) -> Answer | None:
    """Let any test key in. A key that looks live is refused before anything else is read."""
    key = request.bearer()
    if "live" in key.lower():
        return _unauthorized(
            "Invalid key: this is the sandbox, it takes only test keys (sk_test_…). Take the live key out of "
            "this environment."
        )
    if not key:
        return failed(
            401,
            "No Authorization Header was found",
            "missing_authorization_header",
            next_step="Send the header Authorization: Bearer <secret key>.",
        )
    return None if key.startswith("sk_test_") else _unauthorized("Invalid key")


def refusals() -> Mapping[FaultKind, Callable[[], Answer]]:
    """Word the faults that are answers."""
    return {
        FaultKind.ERROR_BEFORE: lambda: failed(
            500,
            "An error occurred, please try again",
            "unknown",
            kind="api_error",
            next_step="Please try again later.",
        ),
        FaultKind.RATE_LIMITED: lambda: failed(
            429,
            "Too many requests, please slow down",
            "rate_limited",
            kind="api_error",
            next_step="Wait before the next request.",
            headers={"x-ratelimit-reset": RATE_LIMIT_RESET_S, "Retry-After": RATE_LIMIT_RESET_S},
        ),
        FaultKind.UNAUTHORIZED: lambda: _unauthorized("Invalid key"),
        FaultKind.FLOAT_EMPTY: lambda: failed(
            400,
            "Your balance is not enough to fulfil this request",
            "insufficient_balance",
            kind="api_error",
            next_step="Top up the balance and try again.",
        ),
    }


def not_found(request: Request) -> Answer:
    """Answer a path that Paystack does not have here."""
    return failed(
        404,
        f"No such endpoint in the sandbox: {request.method} {request.path}",
        "not_found",
        next_step="See the sandbox's front page for what is there.",
    )


def _unauthorized(message: str) -> Answer:
    return failed(
        401,
        message,
        "invalid_Key",
        next_step="Ensure that you provide the correct authorization key for the request",
    )
