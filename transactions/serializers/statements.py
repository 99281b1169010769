"""Shapes of the routes that tell a wallet's past."""

from datetime import date, datetime
from typing import Any, Final

from django.conf import settings
from rest_framework import serializers

from fintech_core import clock
from fintech_core.money import format_amount
from fintech_core.serializers import CurrencyField, DayField, InstantField, QueryParameters
from transactions.enums import BalanceClock
from transactions.serializers.transactions import WalletLineResponse, wallet_line
from transactions.statements.statement import Statement

MAX_DAYS: Final = 366
EARLIEST: Final = date(2000, 1, 1)


class BalanceAtQuery(QueryParameters):
    """Which wallet, which instant, and by which clock."""

    currency = CurrencyField(default=lambda: settings.DEFAULT_CURRENCY)
    at = InstantField()
    clock = serializers.ChoiceField(choices=BalanceClock.choices, default=BalanceClock.RECORDED)

    def validate_at(self, value: datetime) -> datetime:
        """Refuse an instant that is not over yet: what is told about the past must stay true."""
        if value > clock.now():
            raise serializers.ValidationError("Send an instant that has passed.", code="in_the_future")
        return value


class BalanceAtResponse(serializers.Serializer[Any]):
    """What a wallet had at an instant."""

    balance = serializers.CharField()
    currency = serializers.CharField()
    at = serializers.DateTimeField()


class StatementQuery(QueryParameters):
    """Which wallet and which Lagos days, both included."""

    currency = CurrencyField(default=lambda: settings.DEFAULT_CURRENCY)
    format = serializers.ChoiceField(choices=["json", "csv", "pdf"], required=False)

    def get_fields(self) -> dict[str, Any]:
        """Add the field whose name is a word of Python."""
        return {**super().get_fields(), "from": DayField(), "to": DayField()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a period that begins in the future, ends before it begins, or is longer than a year.

        It may end in the future: whoever asks for this month is told what there is of it.
        """
        first, last = attrs["from"], attrs["to"]
        if first > clock.business_day(clock.now()):
            raise _refused("from", "in_the_future", "Send a day that has begun.")
        if last < first:
            raise _refused("to", "before_from", "The last day comes before the first.")
        if first < EARLIEST:
            raise _refused("from", "too_early", f"Send a day from {EARLIEST} on.")
        if (last - first).days >= MAX_DAYS:
            raise _refused("from", "period_too_long", f"Ask for at most {MAX_DAYS} days.")
        return attrs


class StatementResponse(serializers.Serializer[Any]):
    """A statement: opening balance + lines = closing balance. A final one reads the same for ever."""

    wallet_id = serializers.UUIDField()
    currency = serializers.CharField()
    from_on = serializers.DateField()
    to_on = serializers.DateField()
    is_final = serializers.BooleanField(help_text="Whether the period was over when this was drawn up")
    until_at = serializers.DateTimeField(help_text="The recorded time up to which it reaches")
    opening_balance = serializers.CharField()
    money_in = serializers.CharField()
    money_out = serializers.CharField()
    closing_balance = serializers.CharField()
    count = serializers.IntegerField()
    lines = WalletLineResponse(many=True)

    def to_representation(self, instance: Statement) -> dict[str, Any]:
        """Write a statement as the wallet's owner sees it."""
        currency = instance.wallet.currency
        return {
            "wallet_id": str(instance.wallet.pk),
            "currency": currency,
            "from_on": instance.first.isoformat(),
            "to_on": instance.last.isoformat(),
            "is_final": instance.is_final,
            "until_at": clock.rfc3339(instance.until),
            "opening_balance": format_amount(instance.opening, currency),
            "money_in": format_amount(instance.money_in, currency),
            "money_out": format_amount(instance.money_out, currency),
            "closing_balance": format_amount(instance.closing, currency),
            "count": instance.count,
            "lines": [wallet_line(line.entry, line.counterparty) for line in instance.lines()],
        }


def _refused(field: str, code: str, detail: str) -> serializers.ValidationError:
    return serializers.ValidationError({field: [serializers.ErrorDetail(detail, code=code)]})
