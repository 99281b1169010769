"""Strict JSON: UTF-8 only, no duplicate keys, no NaN, no surrogates, bounded size and depth."""

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import IO, Any, NoReturn

from rest_framework import exceptions
from rest_framework.parsers import BaseParser

from fintech_core.exceptions import DomainError

MAX_BODY_BYTES = 64 * 1024
MAX_DEPTH = 20
MAX_NUMBER_DIGITS = 40
# The closing quote is optional and the repeat possessive, so that an unterminated string costs one pass, not
# n².
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)


class PayloadTooLarge(DomainError):
    """The body is larger than this route reads."""

    code, status, title = "payload_too_large", 413, "The request body is too large"


def _refuse(detail: str, code: str = "malformed_json") -> NoReturn:
    raise exceptions.ParseError(detail, code=code)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            _refuse(f"The key {key[:50]!r} stands twice in one object.", code="duplicate_key")
        members[key] = value
    return members


def _bounded_int(digits: str) -> int:
    if len(digits) > MAX_NUMBER_DIGITS:
        _refuse("A number has too many digits.")
    return int(digits)


def _int_or_infinity(digits: str) -> int | float:
    """Read an integer; one of too many digits is not computed, and no field takes infinity."""
    return int(digits) if len(digits) <= MAX_NUMBER_DIGITS else math.inf


def _constant(name: str) -> NoReturn:
    _refuse(f"{name} is not JSON.")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        _refuse("A number is too large.")
    return value


def _depth(text: str) -> int:
    """Return how deeply arrays and objects nest, without recursion; brackets inside strings do not count."""
    deepest = depth = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        first = found[0][0]
        if first in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif first in "]}":
            depth -= 1
    return deepest


def loads(
    raw: bytes,
    *,
    parse_int: Callable[[str], Any] = _bounded_int,
    parse_float: Callable[[str], Any] = _finite,
) -> Any:
    """Read JSON as this API accepts it; raises ParseError (400) with a code that says what is wrong.

    ``parse_int`` reads integers, ``parse_float`` what is no integer; the defaults refuse what is too long or too large.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        _refuse("The body is not UTF-8.")
    if text.startswith("\ufeff"):
        _refuse("The body begins with a byte order mark.")
    if _depth(text) > MAX_DEPTH:
        _refuse(f"The body nests deeper than {MAX_DEPTH} levels.")
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_int=parse_int,
            parse_float=parse_float,
            parse_constant=_constant,
        )
    except ValueError:
        _refuse("The body is not valid JSON.")
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode("utf-8")
    except UnicodeEncodeError:
        _refuse("The body has a lone surrogate.")
    return value


class StrictJSONParser(BaseParser):
    """DRF parser for ``application/json``, UTF-8, one JSON object.

    A number that is too long or too large is infinity, so that its field says what it wants instead.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Read the body; raises ParseError, UnsupportedMediaType or PayloadTooLarge."""
        if (media_type or "").partition(";")[0].strip().lower() != self.media_type:
            raise exceptions.UnsupportedMediaType(media_type or "", detail="Name the type: application/json.")
        if not _charsets(media_type or "") <= {"", "utf-8", "utf8"}:
            raise exceptions.UnsupportedMediaType(media_type or "", detail="Only UTF-8 is read.")
        view = (parser_context or {}).get("view")
        limit = getattr(view, "max_body_bytes", MAX_BODY_BYTES)
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise PayloadTooLarge(f"This route reads at most {limit} bytes.")
        value = loads(raw, parse_int=_int_or_infinity, parse_float=float)
        if not isinstance(value, dict):
            _refuse("Send one JSON object.")
        return value


def _charsets(media_type: str) -> set[str]:
    parameters = (parameter.strip().partition("=") for parameter in media_type.split(";")[1:])
    return {
        value.strip().strip('"').lower() for name, _, value in parameters if name.strip().lower() == "charset"
    }
