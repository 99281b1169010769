"""Requests: each has fields of its own, made without building them anew."""

from typing import Any

import pytest
from rest_framework import serializers

from fintech_core.serializers import MoneyRequest, Request, Text


class LineRequest(Request):
    """A nested part."""

    note = Text(max_length=5)


class OrderRequest(MoneyRequest):
    """A body with a field of every kind."""

    tags = serializers.ListField(child=Text(max_length=5), required=False)
    facts = serializers.DictField(child=Text(max_length=5), required=False)
    line = LineRequest(required=False)
    lines = serializers.ListField(child=LineRequest(), required=False)


def fields_of(request: Request) -> "list[serializers.Field[Any, Any, Any, Any]]":
    """Return all fields of a request, those within others, too."""
    found: list[serializers.Field[Any, Any, Any, Any]] = []
    waiting: list[Any] = list(request.fields.values())
    while waiting:
        field = waiting.pop()
        found.append(field)
        waiting += [field.child] if hasattr(field, "child") else getattr(field, "fields", {}).values()
    return found


class TestFieldsOfARequest:
    def test_all_of_them_lead_to_the_request_that_they_belong_to(self) -> None:
        one, other = OrderRequest(context={"of": 1}), OrderRequest(context={"of": 2})
        mine, theirs = fields_of(one), fields_of(other)
        assert len(mine) == 11
        assert all(field.root is one and field.context["of"] == 1 for field in mine)
        assert all(field.root is other and field.context["of"] == 2 for field in theirs)
        assert not {id(field) for field in mine} & {id(field) for field in theirs}

    def test_what_is_changed_on_one_request_is_changed_there_alone(self) -> None:
        changed = OrderRequest()
        changed.fields["amount"].required = False
        changed.fields["tags"].child.allow_blank = True  # type: ignore[attr-defined]
        kept = OrderRequest()
        assert kept.fields["amount"].required
        assert not kept.fields["tags"].child.allow_blank  # type: ignore[attr-defined]

    def test_the_messages_that_they_share_are_put_together_before(self) -> None:
        shared = [validator for field in fields_of(OrderRequest()) for validator in field.validators]
        messages = [validator.message for validator in shared if hasattr(validator, "limit_value")]
        assert messages == ["Ensure this field has no more than 5 characters."] * 4

    @pytest.mark.parametrize(
        ("part", "told"),
        [
            ({"tags": ["short", "too long"]}, {"tags"}),
            ({"facts": {"colour": "too long"}}, {"facts"}),
            ({"line": {"note": "too long"}}, {"line"}),
            ({"lines": [{"note": "short"}, {"note": 5}]}, {"lines"}),
            ({"tags": ["short"], "facts": {"a": "b"}, "line": {"note": "c"}, "lines": []}, set()),
        ],
    )
    def test_their_rules_hold(self, part: dict[str, Any], told: set[str]) -> None:
        request = OrderRequest(data={"amount": "1.00", "currency": "NGN", **part})
        assert request.is_valid() is not bool(told)
        assert set(request.errors) == told
