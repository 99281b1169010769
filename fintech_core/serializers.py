"""Serializer bases: requests that refuse what they do not know, answers that always say everything."""

import re
import threading
import uuid
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from fintech_core import money
from fintech_core.ids import parse_uuid

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_of_this_thread = threading.local()


class Request(serializers.Serializer[Any]):
    """Base of every request body and query: unknown fields are refused, strings must be JSON strings.

    Null for an optional field is the same as leaving it out, and takes its default; for a required one it is refused
    with the code ``null``.
    """

    unknown_code = "unknown_field"

    @classmethod
    def read(cls, data: Any, context: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a body or query; raises ValidationError.

        Each thread has one reader of a kind: to build its fields anew for every request costs several times as much as
        the reading, and leaves much for the search for garbage, which stops whatever is under way.
        """
        readers: dict[type, Request] = vars(_of_this_thread).setdefault("readers", {})
        reader = readers.get(cls) or readers.setdefault(cls, cls())
        reader.initial_data, reader._context = data, context
        try:
            reader.is_valid(raise_exception=True)
            values: dict[str, Any] = reader.validated_data
            return values
        finally:
            reader._forget()

    def _forget(self) -> None:
        """Let nothing stay of what was read."""
        for name in ("initial_data", "_context", "_validated_data", "_errors"):
            vars(self).pop(name, None)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Let every optional field be null, for OpenAPI."""
        fields: dict[str, serializers.Field[Any, Any, Any, Any]] = super().get_fields()
        for field in fields.values():
            field.allow_null = field.allow_null or not field.required
        return fields

    def to_internal_value(self, data: Any) -> Any:
        """Read the declared fields; raises ValidationError that also names every unknown one."""
        if not isinstance(data, Mapping):
            raise serializers.ValidationError({"non_field_errors": ["Send one JSON object."]}, code="invalid")
        unknown = {
            str(name)[:100]: [
                serializers.ErrorDetail("This field is not known here.", code=self.unknown_code)
            ]
            for name in data
            if name not in self.fields or self.fields[name].read_only
        }
        try:
            values = super().to_internal_value(self._without_nulls(data))
        except serializers.ValidationError as error:
            if isinstance(error.detail, dict):
                raise serializers.ValidationError({**error.detail, **unknown}) from None
            raise
        if unknown:
            raise serializers.ValidationError(unknown)
        return values

    def _without_nulls(self, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Leave out what is optional and null."""
        if all(value is not None for value in data.values()):
            return data
        return {
            name: value
            for name, value in data.items()
            if value is not None or (name in self.fields and self.fields[name].required)
        }


class QueryParameters(Request):
    """Base of query strings: an unknown parameter is refused by its own code. None can be null."""

    unknown_code = "unknown_parameter"

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Return the fields as they are declared."""
        return serializers.Serializer.get_fields(self)


class Text(serializers.CharField):
    """A JSON string; numbers and booleans are not turned into one."""

    def to_internal_value(self, data: Any) -> str:
        """Read a string; raises ValidationError on anything else."""
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Uuid(serializers.Field[uuid.UUID, Any, str, Any]):
    """A UUID in its one canonical form: lower-case hexadecimal with hyphens."""

    default_error_messages = {"invalid": "Send a UUID in its canonical form."}

    def to_internal_value(self, data: Any) -> uuid.UUID:
        """Read a canonical UUID; raises ValidationError on every other spelling."""
        value = parse_uuid(data)
        if value is None:
            self.fail("invalid")
        return value

    def to_representation(self, value: uuid.UUID) -> str:
        """Write the canonical form."""
        return str(value)


extend_schema_field(OpenApiTypes.UUID)(Uuid)


@extend_schema_field({"type": "string", "minLength": 3, "maxLength": 3, "example": "NGN"})
class CurrencyField(serializers.Field[str, Any, str, Any]):
    """An ISO 4217 code of an enabled currency, in capitals."""

    default_error_messages = {"invalid_currency": "Send the ISO 4217 code of an enabled currency, like NGN."}

    def to_internal_value(self, data: Any) -> str:
        """Read an enabled currency's code; raises ValidationError otherwise."""
        if not isinstance(data, str) or not money.is_enabled(data):
            self.fail("invalid_currency")
        return data

    def to_representation(self, value: str) -> str:
        """Write the code."""
        return value


@extend_schema_field(
    {"type": "string", "pattern": r"^(0|[1-9][0-9]{0,14})(\.[0-9]+)?$", "example": "1500.00"},
)
class AmountField(serializers.Field[Decimal, Any, str, Any]):
    """An amount in major units, as a decimal string with no more decimals than its currency has.

    It is positive; ``allow_zero`` is for the bounds of a list.
    The currency is the field ``currency_field`` of the body where it holds an enabled code, else the one of the
    context, else the default currency.
    """

    def __init__(self, *, currency_field: str = "currency", allow_zero: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.currency_field = currency_field
        self.allow_zero = allow_zero

    def to_internal_value(self, data: Any) -> Decimal:
        """Read an amount; raises ValidationError with code ``invalid_amount``."""
        body = getattr(self.root, "initial_data", None)
        currency = body.get(self.currency_field) if isinstance(body, Mapping) else None
        if not isinstance(currency, str) or not money.is_enabled(currency):
            currency = self.context.get("currency", settings.DEFAULT_CURRENCY)
        try:
            return money.parse_amount(data, currency, allow_zero=self.allow_zero)
        except money.InvalidAmount as error:
            raise serializers.ValidationError(str(error), code="invalid_amount") from None

    def to_representation(self, value: Decimal) -> str:
        """Write the amount plainly; answers use ``money.format_amount`` to give it its currency's decimals."""
        return f"{value:f}"


class InstantField(serializers.DateTimeField):
    """An instant as RFC 3339 has it: ASCII digits, and with its offset, since a time without one is nobody's."""

    default_error_messages = {"invalid": "Send an RFC 3339 time with its offset, like 2026-05-01T09:30:00Z."}

    def to_internal_value(self, value: Any) -> datetime:
        """Read an instant; raises ValidationError on every other spelling."""
        if not isinstance(value, str) or _INSTANT.fullmatch(value) is None:
            self.fail("invalid")
        return super().to_internal_value(value)


@extend_schema_field(OpenApiTypes.DATE)
class DayField(serializers.Field[date, Any, str, Any]):
    """A business date as ``YYYY-MM-DD``."""

    default_error_messages = {"invalid": "Send a date as YYYY-MM-DD."}

    def to_internal_value(self, data: Any) -> date:
        """Read a date; raises ValidationError on every other spelling."""
        if not isinstance(data, str) or _DAY.fullmatch(data) is None:
            self.fail("invalid")
        try:
            return date.fromisoformat(data)
        except ValueError:
            self.fail("invalid")

    def to_representation(self, value: date) -> str:
        """Write the date."""
        return value.isoformat()


class MoneyRequest(Request):
    """Base of requests that carry an amount: ``amount`` and an optional ``currency``."""

    amount = AmountField()
    currency = CurrencyField(default=lambda: settings.DEFAULT_CURRENCY)


class PinField(Text):
    """The transaction PIN. Looked at after validation; never stored, logged or part of a fingerprint."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            **{"required": False, "write_only": True, "max_length": 32, "trim_whitespace": False, **kwargs}
        )


@extend_schema_field(OpenApiTypes.STR)
class AmountText(serializers.Field[Any, Any, str, Any]):
    """An amount of an answer, with the decimals of the currency that stands beside it in ``currency``."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(read_only=True, **kwargs)

    def get_attribute(self, instance: Any) -> str | None:
        """Return the amount as text; None stays null."""
        amount = super().get_attribute(instance)
        return None if amount is None else money.format_amount(amount, instance.currency)

    def to_representation(self, value: str) -> str:
        """Write the text."""
        return value
