"""Answers held to the OpenAPI document that is committed."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from openapi_schema_validator import OAS31Validator, oas31_format_checker
from rest_framework.test import APIClient

DOCUMENT = Path(__file__).parent.parent / "openapi.yaml"


class DescribedClient(APIClient):
    """Sends requests to the API and holds every answer to its description."""

    def request(self, **request: Any) -> Any:
        """Send one request; fails where the answer is not as the document has it."""
        answer = super().request(**request)
        check_described(answer)
        return answer


def described(user: object | None = None) -> DescribedClient:
    """Return a client, signed in as the user."""
    client = DescribedClient(raise_request_exception=False)
    if user is not None:
        client.force_authenticate(user=user)  # type: ignore[arg-type]
    return client


def check_described(answer: Any) -> None:
    """Hold status, content type and body of an answer to the document; a good one has no member that is not there."""
    request = answer.wsgi_request
    operation = _path_item(request.path)[request.method.lower()]
    status = str(answer.status_code)
    where = f"{request.method} {request.path} {status}"
    assert status in operation["responses"] or answer.status_code >= 400, where
    response = _resolved(operation["responses"].get(status) or operation["responses"]["default"])
    if "content" not in response:
        assert answer.content == b"", where
        return
    kind = answer["Content-Type"].partition(";")[0]
    assert kind in response["content"], (where, kind)
    if kind.endswith("json"):
        is_closed = {"unevaluatedProperties": False} if answer.status_code < 400 else {}
        faults = _faults(answer.json(), {"allOf": [response["content"][kind]["schema"]], **is_closed})
        assert faults == [], (where, faults, answer.json())


@cache
def document() -> dict[str, Any]:
    """Return the document."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    read: dict[str, Any] = yaml.load(DOCUMENT.read_text(), Loader=loader)  # noqa: S506  safe, either of them
    return read


def _faults(body: Any, schema: dict[str, Any]) -> list[str]:
    whole = {**schema, "components": document()["components"]}
    validator = OAS31Validator(whole, format_checker=oas31_format_checker)
    return [f"{fault.json_path}: {fault.message}"[:400] for fault in validator.iter_errors(body)]


def _path_item(path: str) -> dict[str, Any]:
    """Return what is said of a path: the template with the fewest parameters that it fits."""
    fitting = [name for name in document()["paths"] if _pattern(name).fullmatch(path)]
    assert fitting, f"{path} is not described"
    item: dict[str, Any] = document()["paths"][min(fitting, key=lambda name: name.count("{"))]
    return item


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)))


def _resolved(response: dict[str, Any]) -> dict[str, Any]:
    found: Any = response
    while "$ref" in found:
        name = found["$ref"]
        found = document()
        for part in name.removeprefix("#/").split("/"):
            found = found[part]
    resolved: dict[str, Any] = found
    return resolved
