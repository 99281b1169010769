"""Requests: each thread reads them with one reader of a kind, of which nothing stays for the next. And instants."""

import gc
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from drf_standardized_errors.formatter import flatten_errors
from rest_framework import serializers

from fintech_core.serializers import MoneyRequest, Request, Text

GOOD = {"amount": "1.00", "currency": "NGN"}


class LineRequest(Request):
    """A nested part."""

    note = Text(max_length=5)


class OrderRequest(MoneyRequest):
    """A body with a field of every kind."""

    tags = serializers.ListField(child=Text(max_length=5), required=False)
    facts = serializers.DictField(child=Text(max_length=5), default=dict)
    line = LineRequest(required=False)
    lines = serializers.ListField(child=LineRequest(), required=False)


class TestReadingABody:
    @pytest.mark.parametrize(
        ("part", "told"),
        [
            ({"amount": "1.005"}, {"amount"}),
            ({"tags": ["short", "too long"]}, {"tags"}),
            ({"facts": {"colour": "too long"}}, {"facts"}),
            ({"line": {"note": "too long"}}, {"line"}),
            ({"lines": [{"note": "short"}, {"note": 5}]}, {"lines"}),
            ({"colour": "red"}, {"colour"}),
        ],
    )
    def test_the_rules_of_its_fields_hold_and_the_next_is_read_as_if_nothing_had_been(
        self, part: dict[str, Any], told: set[str]
    ) -> None:
        with pytest.raises(serializers.ValidationError) as refused:
            OrderRequest.read({**GOOD, **part}, {})
        assert isinstance(refused.value.detail, dict)
        assert set(refused.value.detail) == told
        assert OrderRequest.read(GOOD, {}) == {"amount": Decimal("1.00"), "currency": "NGN", "facts": {}}

    def test_good_values_of_every_kind_are_returned(self) -> None:
        part = {"tags": ["short"], "facts": {"a": "b"}, "line": {"note": "c"}, "lines": []}
        assert OrderRequest.read({**GOOD, **part}, {}) == {**GOOD, "amount": Decimal("1.00"), **part}

    def test_null_for_an_optional_field_is_the_same_as_leaving_it_out(self) -> None:
        body = {"amount": "1.00", "currency": None, "tags": None, "facts": None, "line": None, "lines": None}
        assert OrderRequest.read(body, {}) == OrderRequest.read({"amount": "1.00"}, {})

    @pytest.mark.parametrize(
        ("part", "field", "code"),
        [
            ({"amount": None}, "amount", "null"),
            ({"line": {"note": None}}, "line.note", "null"),
            ({"lines": [None]}, "lines.0", "null"),
            ({"facts": {"colour": None}}, "facts.colour", "null"),
            ({"colour": None}, "colour", "unknown_field"),
        ],
    )
    def test_null_for_whatever_else_is_refused(self, part: dict[str, Any], field: str, code: str) -> None:
        with pytest.raises(serializers.ValidationError) as refused:
            OrderRequest.read({**GOOD, **part}, {})
        assert [(one.attr, one.code) for one in flatten_errors(refused.value.detail)] == [(field, code)]

    def test_what_is_no_object_is_refused(self) -> None:
        for body in (None, [], "text", 5):
            with pytest.raises(serializers.ValidationError) as refused:
                OrderRequest.read(body, {})
            assert isinstance(refused.value.detail, dict)
            assert set(refused.value.detail) == {"non_field_errors"}

    def test_a_missing_field_is_not_filled_from_the_last_body(self) -> None:
        OrderRequest.read({**GOOD, "tags": ["a"], "line": {"note": "b"}}, {})
        assert OrderRequest.read(GOOD, {}).keys() == {"amount", "currency", "facts"}
        with pytest.raises(serializers.ValidationError):
            OrderRequest.read({"currency": "NGN"}, {})

    def test_its_context_is_its_own(self) -> None:
        assert OrderRequest.read({"amount": "5"}, {"currency": "JPY"})["amount"] == Decimal(5)
        with pytest.raises(serializers.ValidationError):
            OrderRequest.read({"amount": "5.25"}, {"currency": "JPY"})
        assert OrderRequest.read({"amount": "5.25"}, {})["amount"] == Decimal("5.25")

    def test_what_is_done_with_its_values_concerns_nobody_else(self) -> None:
        values = OrderRequest.read(GOOD, {})
        values["facts"]["colour"] = "red"
        values.pop("amount")
        assert OrderRequest.read(GOOD, {}) == {"amount": Decimal("1.00"), "currency": "NGN", "facts": {}}

    def test_threads_that_read_at_once_do_not_meet(self) -> None:
        threads, all_there = 8, Barrier(8)

        def reads(number: int) -> set[tuple[Decimal, str]]:
            all_there.wait()
            body = {"amount": f"{number}.00", "line": {"note": str(number)}}
            values = [OrderRequest.read(body, {}) for _ in range(300)]
            return {(one["amount"], one["line"]["note"]) for one in values}

        with ThreadPoolExecutor(threads) as pool:
            read = list(pool.map(reads, range(1, threads + 1)))
        assert read == [{(Decimal(number), str(number))} for number in range(1, threads + 1)]

    def test_nothing_is_left_for_the_search_for_garbage(self) -> None:
        body = {**GOOD, "tags": ["a"], "facts": {"b": "c"}, "line": {"note": "d"}, "lines": [{"note": "e"}]}
        OrderRequest.read(body, {})
        gc.collect()
        gc.disable()
        try:
            for _ in range(10):
                OrderRequest.read(body, {})
            assert gc.collect() == 0
        finally:
            gc.enable()
