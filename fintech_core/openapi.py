"""How the OpenAPI document is written, where drf-spectacular's own way would say less."""

import re
from typing import Any

from drf_spectacular.openapi import AutoSchema

from fintech_core.api import DRY_RUN, ApiViewSet
from fintech_core.exceptions import PROBLEM_JSON

_END = re.compile(r"[.;:](\s|$)")
_DRY_RUN_PARAMETER = {
    "in": "query",
    "name": DRY_RUN,
    "schema": {"type": "boolean", "default": False},
    "description": "Run the request for real and roll it back: the same answer with `dry_run: true`. Idempotency-Key "
    "and PIN are not needed; it counts with the lookups of recipients.",
}
_AMOUNT = {"type": "string", "example": "1500.00"}
_BALANCE = {
    "type": "object",
    "properties": {
        "wallet_id": {"type": "string", "format": "uuid"},
        "kind": {"type": "string"},
        "currency": {"type": "string"},
        "balance": _AMOUNT,
        "held": _AMOUNT,
        "available": _AMOUNT,
    },
    "required": ["wallet_id", "kind", "currency", "balance", "held", "available"],
}
# What a dry run adds to the answer of the real run; the application "wallet" tells the balances.
_REHEARSED = {
    "type": "object",
    "properties": {
        DRY_RUN: {"type": "boolean", "const": True},
        "balances_after": {"type": "array", "items": _BALANCE},
    },
    "required": [DRY_RUN, "balances_after"],
}
_PROBLEM = {
    "type": "object",
    "description": "A refusal (RFC 9457). Some say more: a limit says what is left of it, for example.",
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": ["string", "null"]},
        "retryable": {"type": "boolean"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "field": {"type": ["string", "null"]},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
                "required": ["field", "code", "detail"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "code", "request_id", "retryable"],
}
_REFUSED = {
    "description": "A refusal, or a failure of ours: the problem says its status and its code.",
    "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


class Schema(AutoSchema):
    """Gives every operation a summary, so that a list of operations can be read without opening each.

    A money POST also gets its dry run: the parameter, and the answer of status 200.
    """

    def get_summary(self) -> str | None:
        """Return what the action does: its docstring up to the first stop."""
        described = self.get_description() or ""
        return _END.split(described, maxsplit=1)[0] or None

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        """Return the operation; of a money POST with its dry run."""
        operation = super().get_operation(*args, **kwargs)
        view = self.view
        if operation and isinstance(view, ApiViewSet) and view.action in view.money_actions:
            parameters = [*operation.get("parameters", []), _DRY_RUN_PARAMETER]
            operation["parameters"] = sorted(parameters, key=lambda one: (one["in"], one["name"]))
            _add_rehearsed(operation["responses"])
        return operation


def add_problems(result: dict[str, Any], **_others: Any) -> dict[str, Any]:
    """Let every operation answer with a problem, beside what it declares (``POSTPROCESSING_HOOKS``)."""
    components = result["components"]
    components["schemas"] = dict(sorted({**components["schemas"], "Problem": _PROBLEM}.items()))
    components["responses"] = {"Problem": _REFUSED}
    for path in result["paths"].values():
        for operation in path.values():
            operation["responses"]["default"] = {"$ref": "#/components/responses/Problem"}
    return result


def _add_rehearsed(answers: dict[str, Any]) -> None:
    """Add the answer of a dry run: one of the real ones, with status 200 and what was tried out."""
    real = [answers[status] for status in ("200", "201", "202") if status in answers]
    schemas: list[Any] = []
    for answer in real:
        [content] = answer["content"].values()
        if content["schema"] not in schemas:
            schemas.append(content["schema"])
    made = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    tried = {"allOf": [made, _REHEARSED]}
    if "200" in answers:
        [content] = answers["200"]["content"].values()
        content["schema"] = {"anyOf": [content["schema"], tried]}
        return
    described = "A dry run: nothing was kept."
    answers["200"] = {"content": {"application/json": {"schema": tried}}, "description": described}
