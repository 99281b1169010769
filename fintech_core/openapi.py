"""How the OpenAPI document is written, where drf-spectacular's own way would say less."""

import copy
import re
from typing import Any

from drf_spectacular.openapi import AutoSchema

from fintech_core.api import DRY_RUN, ApiViewSet

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


def _add_rehearsed(answers: dict[str, Any]) -> None:
    """Add the answer of a dry run, beside the real one where that has status 200, too."""
    made = answers.get("201") or answers.get("202")
    if made is not None:
        answers["200"] = _rehearsed(made)
        return
    tried = _rehearsed(answers["200"])["content"]
    for kind, content in answers["200"]["content"].items():
        content["schema"] = {"anyOf": [content["schema"], tried[kind]["schema"]]}


def _rehearsed(made: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of a dry run, made of the answer of the real one."""
    answer = copy.deepcopy(made)
    for content in answer["content"].values():
        content["schema"] = {"allOf": [content["schema"], _REHEARSED]}
    return {**answer, "description": "A dry run: nothing was kept."}
