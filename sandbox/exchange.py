"""One request and one answer, as values."""

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

JSON_TYPE = "application/json; charset=utf-8"


class Unreadable(ValueError):
    """The request's body is not what it says it is."""


class Ending(enum.Enum):
    """How the connection ends once the answer is due."""

    SEND = "send"
    CUT = "cut"  # closed without a byte
    RESET = "reset"  # closed with a TCP reset, without a byte
    TRUNCATE = "truncate"  # announced in full, half of it sent, then closed


@dataclass(frozen=True)
class Answer:
    """What goes back. `hold_s` is how long the connection is held open before the ending."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)
    ending: Ending = Ending.SEND
    hold_s: float = 0.0


@dataclass(frozen=True)
class Request:
    """What came in. Header names are in lower case; `params` are the parts named in the route's path."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    client_ip: str
    params: Mapping[str, str] = field(default_factory=dict)

    def fields(self) -> dict[str, object]:
        """Read the body as JSON object or form; an empty body is an empty object. Raises `Unreadable`."""
        if not self.body.strip():
            return {}
        try:
            text = self.body.decode("utf-8")
            is_form = self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
            if is_form and not text.lstrip().startswith("{"):  # curl calls everything a form
                return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=200))
            parsed = json.loads(text, parse_constant=_no_constant)
            json.dumps(parsed, ensure_ascii=False).encode("utf-8")
        except (ValueError, RecursionError) as error:
            raise Unreadable("the body is no readable JSON") from error
        if not isinstance(parsed, dict):
            raise Unreadable("the body is no JSON object")
        return parsed

    def everything(self) -> dict[str, object]:
        """Merge path, query and body fields; an unreadable body adds nothing. Fault rules match on this."""
        try:
            body = self.fields()
        except Unreadable:
            body = {}
        return {**self.query, **self.params, **body}

    def bearer(self) -> str:
        """Give the token of `Authorization: Bearer …`, or an empty string."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


def json_answer(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with a JSON document."""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return Answer(status=status, body=body, headers=headers or {})


def html_answer(page: str, status: int = 200) -> Answer:
    """Answer with a page that loads nothing from anywhere."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
    return Answer(
        status=status,
        body=page.encode("utf-8"),
        content_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"},
    )


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")
