"""JSON as this API reads it."""

import io
import math
import time
from typing import Any

import pytest
from rest_framework.exceptions import ParseError, UnsupportedMediaType

from fintech_core.parsing import MAX_BODY_BYTES, MAX_DEPTH, PayloadTooLarge, StrictJSONParser, loads


def parse(raw: bytes, media_type: str = "application/json", **context: Any) -> Any:
    """Read a body as the parser of a view would."""
    return StrictJSONParser().parse(io.BytesIO(raw), media_type, context)


class TestLoads:
    @pytest.mark.parametrize(
        ("raw", "value"),
        [
            (b'{"a": "1500.00"}', {"a": "1500.00"}),
            (b'{"a": [1, 2.5, true, null]}', {"a": [1, 2.5, True, None]}),
            ('{"a": "₦"}'.encode(), {"a": "₦"}),
            (rb'{"a": "\u20a6\ud83d\ude00"}', {"a": "₦😀"}),
            (b'{"a": "[[[{\\"[[["}', {"a": '[[[{"[[['}),
            (b" {} ", {}),
        ],
    )
    def test_what_is_json_is_read(self, raw: bytes, value: object) -> None:
        assert loads(raw) == value

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"{",
            b"{'a': 1}",
            b'{"a": 1,}',
            b'{"a": 01}',
            b"\xef\xbb\xbf{}",
            b'{"a": "\xff"}',
            b'{"a": "\xed\xa0\x80"}',
            rb'{"a": "\ud800"}',
            rb'{"\udfff": 1}',
            b'{"a": NaN}',
            b'{"a": -Infinity}',
            b'{"a": 1e999}',
            b'{"a": -1e999}',
            b'{"a": %s}' % (b"9" * 41),
            b'{"a": %s}' % (b"9" * 5000),
            b'{"a": "line\nbreak"}',
            "{}".encode("utf-16"),
        ],
    )
    def test_anything_else_is_a_parse_error(self, raw: bytes) -> None:
        with pytest.raises(ParseError):
            loads(raw)

    def test_a_key_that_stands_twice_is_told_as_such(self) -> None:
        with pytest.raises(ParseError) as caught:
            loads(b'{"amount": "1.00", "amount": "9.00"}')
        assert caught.value.detail.code == "duplicate_key"  # type: ignore[union-attr]

    @pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
    def test_depth_is_bounded_without_recursion(self, opening: bytes, closing: bytes) -> None:
        assert loads(opening * MAX_DEPTH + b"1" + closing * MAX_DEPTH)
        for depth in (MAX_DEPTH + 1, 1_000, 100_000):
            with pytest.raises(ParseError):
                loads(opening * depth + b"1" + closing * depth)

    def test_an_endless_string_of_escaped_quotes_costs_one_pass(self) -> None:
        started = time.monotonic()
        with pytest.raises(ParseError):
            loads(b'"' + b'\\"' * 200_000)
        assert time.monotonic() - started < 1


class TestStrictJSONParser:
    @pytest.mark.parametrize("number", [b"9" * 41, b"-" + b"9" * 5_000, b"9" * 60_000, b"1e999", b"-1e999"])
    def test_a_number_without_bounds_is_left_to_its_field(self, number: bytes) -> None:
        started = time.monotonic()
        assert abs(parse(b'{"a": %s}' % number)["a"]) == math.inf
        assert time.monotonic() - started < 1
        with pytest.raises(ParseError):
            parse(b'{"a": -Infinity}')

    @pytest.mark.parametrize("raw", [b"[]", b'"text"', b"1", b"null", b"true"])
    def test_a_body_is_one_object(self, raw: bytes) -> None:
        with pytest.raises(ParseError):
            parse(raw)

    @pytest.mark.parametrize("charset", ["utf-8", "UTF-8", '"utf-8"', "utf8"])
    def test_utf_8_may_be_said(self, charset: str) -> None:
        assert parse(b"{}", f"application/json; charset={charset}") == {}

    @pytest.mark.parametrize("charset", ["latin-1", "utf-16", "utf-7", "utf-8; charset=utf-7"])
    def test_no_other_charset_is_read(self, charset: str) -> None:
        with pytest.raises(UnsupportedMediaType):
            parse(b"{}", f"application/json; charset={charset}")

    @pytest.mark.parametrize("media_type", ["*/*", "application/*", "text/plain", ""])
    def test_the_type_is_named_exactly(self, media_type: str) -> None:
        with pytest.raises(UnsupportedMediaType):
            parse(b"{}", media_type)

    def test_a_body_over_the_limit_is_not_read(self) -> None:
        fits = b'{"a":"%s"}' % (b"x" * (MAX_BODY_BYTES - 8))
        assert len(fits) == MAX_BODY_BYTES
        assert parse(fits)
        with pytest.raises(PayloadTooLarge):
            parse(fits + b" ")

    def test_a_view_may_read_more(self) -> None:
        view = type("View", (), {"max_body_bytes": MAX_BODY_BYTES * 2})
        assert parse(b'{"a":"%s"}' % (b"x" * MAX_BODY_BYTES), view=view)
