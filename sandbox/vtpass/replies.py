"""VTpass's codes, its way of answering and its door. The HTTP status is 200 whatever the code says."""

from collections.abc import Callable, Mapping
from typing import Final

from sandbox.exchange import Answer, Request, json_answer
from sandbox.faults import FaultKind

DESCRIPTIONS: Final = {
    "000": "TRANSACTION SUCCESSFUL",
    "010": "VARIATION CODE DOES NOT EXIST",
    "011": "INVALID ARGUMENTS",
    "012": "PRODUCT DOES NOT EXIST",
    "013": "BELOW MINIMUM AMOUNT ALLOWED",
    "014": "REQUEST ID ALREADY EXIST",
    "015": "INVALID REQUEST ID",
    "016": "TRANSACTION FAILED",
    "017": "ABOVE MAXIMUM AMOUNT ALLOWED",
    "018": "LOW WALLET BALANCE",
    "019": "LIKELY DUPLICATE TRANSACTION",
    "040": "TRANSACTION REVERSAL TO WALLET",
    "083": "SYSTEM ERROR",
    "085": "IMPROPER REQUEST ID: DOES NOT CONTAIN DATE",
    "086": "IMPROPER REQUEST ID: NOT PROPERLY FORMATTED DATE OR NOT TODAY'S DATE",
    "087": "INVALID CREDENTIALS",
    "099": "TRANSACTION IS PROCESSING",
}


class Refused(Exception):
    """The call is refused with a VTpass code; nothing is stored."""

    def __init__(self, code: str, *problems: str) -> None:
        super().__init__(code)
        self.code = code
        self.problems = problems


def refusal(code: str, *problems: str, request_id: str | None = None, status: int = 200) -> Answer:
    """Answer with a code that is no transaction."""
    body: dict[str, object] = {"code": code, "response_description": DESCRIPTIONS[code]}
    body["content"] = {"errors": list(problems)} if problems else {}
    if request_id is not None:
        body["requestId"] = request_id
    return json_answer(body, status=status)


def authenticate(request: Request) -> Answer | None:
    """Ask for `api-key` and, by method, `public-key` or `secret-key`; live-looking values are refused."""
    second = request.headers.get("public-key" if request.method == "GET" else "secret-key", "")
    first = request.headers.get("api-key", "")
    return None if _is_test_key(first) and _is_test_key(second) else refusal("087")


def refusals() -> Mapping[FaultKind, Callable[[], Answer]]:
    """Word the faults that are answers."""
    return {
        FaultKind.ERROR_BEFORE: lambda: refusal("083", status=500),
        FaultKind.RATE_LIMITED: lambda: json_answer(
            {"message": "Too Many Attempts."}, status=429, headers={"Retry-After": "30"}
        ),
        FaultKind.UNAUTHORIZED: lambda: refusal("087"),
        FaultKind.FLOAT_EMPTY: lambda: refusal("018"),
    }


def not_found(request: Request) -> Answer:
    """Answer a path that VTpass does not have here."""
    return json_answer(
        {"code": "404", "response_description": f"NO SUCH ENDPOINT: {request.method} {request.path}"},
        status=404,
    )


def _is_test_key(value: str) -> bool:
    looks_known = "test" in value.lower() or value.startswith(("PK_", "SK_"))
    return looks_known and "live" not in value.lower()
