"""Requests and answers of this app."""

from typing import Any

from rest_framework import serializers

from billers.enums import AmountType, BillStatus, Category, Subscription
from billers.models import Biller, Product, Quote
from billers.selectors import status_of
from fintech_core.money import format_amount
from fintech_core.serializers import (
    AmountField,
    AmountText,
    CurrencyField,
    InstantField,
    MoneyRequest,
    PinField,
    QueryParameters,
    Request,
    Text,
    Uuid,
)

STATUSES = ("operational", "slow", "down")


class CodeField(Text):
    """The code of a biller or product, as the catalogue shows it."""

    default_error_messages = {"invalid": "Send a code of the catalogue."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": 60, "trim_whitespace": False, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        """Read a code; raises ValidationError on characters that no code has."""
        code = super().to_internal_value(data)
        if not code.isascii() or not code.replace("-", "").replace("_", "").isalnum():
            self.fail("invalid")
        return code


class CustomerNumberField(Text):
    """A meter, smart card, account or phone number, or an account's e-mail address."""

    default_error_messages = {"invalid_customer_id": "Send 4 to 64 letters, digits or any of @ . _ + -"}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_length": 4, "max_length": 64, "trim_whitespace": False, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        """Read a number as it stands on the meter or card; raises ValidationError."""
        number = super().to_internal_value(data)
        plain = "".join(character for character in number if character not in "@._+-")
        if not plain.isascii() or not plain.isalnum():
            self.fail("invalid_customer_id")
        return number


class PhoneField(Text):
    """A phone number in digits, with or without a leading plus."""

    default_error_messages = {"invalid_phone": "Send 7 to 15 digits, with or without a leading plus."}

    def to_internal_value(self, data: Any) -> str:
        """Read a phone number; raises ValidationError."""
        phone = super().to_internal_value(data)
        digits = phone.removeprefix("+")
        if not digits.isascii() or not digits.isdigit() or not 7 <= len(digits) <= 15:
            self.fail("invalid_phone")
        return phone


class ValidateBillRequest(Request):
    """Who is to be paid for, before paying."""

    biller = CodeField()
    product = CodeField()
    customer_id = CustomerNumberField()
    amount = AmountField(required=False, default=None)


class PayBillRequest(MoneyRequest):
    """A bill to pay; ``amount`` is without the fee."""

    biller = CodeField()
    product = CodeField()
    customer_id = CustomerNumberField()
    quote_id = Uuid(required=False, default=None)
    phone = PhoneField(required=False, default=None)
    subscription = serializers.ChoiceField(choices=Subscription.choices, required=False, default=None)
    allow_duplicate = serializers.BooleanField(required=False, default=False)
    pin = PinField()

    def validate_allow_duplicate(self, value: bool) -> bool:
        """Take a JSON boolean and nothing that merely looks like one; raises ValidationError."""
        if not isinstance(self.initial_data.get("allow_duplicate", False), bool):
            raise serializers.ValidationError("Send true or false.", code="invalid")
        return value


class BillerQuery(QueryParameters):
    """Filters of the catalogue."""

    category = serializers.ChoiceField(choices=Category.choices, required=False)


class BillPaymentQuery(QueryParameters):
    """Filters of the payments."""

    status = serializers.ChoiceField(choices=BillStatus.choices, required=False)
    biller = CodeField(required=False)
    currency = CurrencyField(required=False)
    reference = Text(max_length=64, required=False)
    created_after = InstantField(required=False)
    created_before = InstantField(required=False)
    amount_min = AmountField(required=False, allow_zero=True)
    amount_max = AmountField(required=False, allow_zero=True)


class CategoryResponse(serializers.Serializer[Any]):
    """A category and its name."""

    code = serializers.ChoiceField(choices=Category.choices)
    name = serializers.CharField()


class ProductResponse(serializers.Serializer[Any]):
    """One product; a fixed one has an amount, one with a range its two ends."""

    code = serializers.CharField()
    name = serializers.CharField()
    amount_type = serializers.ChoiceField(choices=AmountType.choices)
    amount = AmountText(allow_null=True, help_text="The price.")
    min_amount = AmountText(allow_null=True, help_text="The least that can be paid.")
    max_amount = AmountText(allow_null=True, help_text="The most that can be paid.")
    currency = serializers.CharField()
    customer_id_label = serializers.CharField()
    fee = serializers.SerializerMethodField(
        help_text="What comes on top for you; of a range the least of it, a quote for an amount tells it exactly."
    )

    def get_fee(self, product: Product) -> str:
        """Write the fee."""
        return format_amount(self.context["fee_of"](product, product.amount), product.currency)


class BillerResponse(serializers.Serializer[Any]):
    """A biller with what it sells; ``statuses`` of the vendors and ``fee_of`` its customer come in the context."""

    code = serializers.CharField()
    name = serializers.CharField()
    category = serializers.ChoiceField(choices=Category.choices)
    status = serializers.SerializerMethodField()
    products = ProductResponse(many=True)

    def get_status(self, biller: Biller) -> str:
        """Write how the biller does at the moment."""
        return status_of(biller, self.context["statuses"])


class BillerStatusResponse(serializers.Serializer[Any]):
    """How one biller does."""

    code = serializers.CharField()
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=STATUSES)


class QuoteResponse(serializers.Serializer[Any]):
    """What the customer is told before paying."""

    quote_id = serializers.UUIDField()
    customer_name = serializers.CharField(allow_null=True)
    address = serializers.CharField(allow_null=True)
    amount = serializers.CharField(allow_null=True)
    min_amount = serializers.CharField(allow_null=True)
    max_amount = serializers.CharField(allow_null=True)
    fee = serializers.CharField()
    cashback = serializers.CharField()
    total = serializers.CharField(allow_null=True)
    currency = serializers.CharField()
    current_product = serializers.CharField(allow_null=True)
    renewal_amount = serializers.CharField(allow_null=True)
    due_on = serializers.DateField(allow_null=True)
    expires_at = serializers.DateTimeField()

    def to_representation(self, instance: Quote) -> dict[str, Any]:
        """Write a quote; what the vendor did not say is null."""
        currency = instance.currency
        total = None if instance.amount is None else instance.amount + instance.fee
        return {
            "quote_id": str(instance.pk),
            "customer_name": instance.customer_name or None,
            "address": instance.address or None,
            "amount": optional_amount(instance.amount, currency),
            "min_amount": optional_amount(instance.min_amount, currency),
            "max_amount": optional_amount(instance.max_amount, currency),
            "fee": format_amount(instance.fee, currency),
            "cashback": format_amount(instance.cashback, currency),
            "total": optional_amount(total, currency),
            "currency": currency,
            "current_product": instance.current_product or None,
            "renewal_amount": optional_amount(instance.renewal_amount, currency),
            "due_on": None if instance.due_on is None else instance.due_on.isoformat(),
            "expires_at": self.fields["expires_at"].to_representation(instance.expires_at),
        }


class CashbackOnBillResponse(serializers.Serializer[Any]):
    """Cashback of one payment."""

    amount = serializers.CharField()
    status = serializers.ChoiceField(choices=("pending", "earned", "cancelled", "none"))


class BillFailureResponse(serializers.Serializer[Any]):
    """Why a bill was not paid."""

    code = serializers.CharField()
    detail = serializers.CharField()


class BillPaymentResponse(serializers.Serializer[Any]):
    """A payment and how far it has come; ``token`` is raw digits."""

    id = serializers.UUIDField()
    reference = serializers.CharField()
    status = serializers.ChoiceField(choices=BillStatus.choices)
    biller = serializers.CharField()
    product = serializers.CharField()
    customer_id = serializers.CharField()
    customer_name = serializers.CharField(allow_null=True)
    amount = serializers.CharField()
    fee = serializers.CharField()
    total = serializers.CharField()
    currency = serializers.CharField()
    cashback = CashbackOnBillResponse()
    token = serializers.CharField(allow_null=True)
    units = serializers.CharField(allow_null=True)
    receipt_url = serializers.URLField(allow_null=True)
    transaction_id = serializers.UUIDField()
    failure = BillFailureResponse(allow_null=True)
    created_at = serializers.DateTimeField()
    completed_at = serializers.DateTimeField(allow_null=True)
    is_final = serializers.BooleanField()
    next_poll_at = serializers.DateTimeField(allow_null=True)
    resolve_by = serializers.DateTimeField(allow_null=True)


def optional_amount(amount: Any, currency: str) -> str | None:
    """Write an amount with its currency's decimals; None stays null."""
    return None if amount is None else format_amount(amount, currency)


PAYMENT_FILTERS = frozenset(BillPaymentQuery().fields)
