"""What a product may be bought for: the rules that quote and payment share."""

from datetime import datetime
from decimal import Decimal

from billers.enums import AmountType
from billers.errors import AmountNotAllowed, CurrencyNotSupported
from billers.models import Product
from cashback import services as cashback
from fintech_core.money import ZERO, format_amount
from transactions import fees
from transactions.enums import TransactionType


def require_currency(product: Product, currency: str) -> None:
    """Raise CurrencyNotSupported unless the product is sold in this currency."""
    if product.currency != currency:
        raise CurrencyNotSupported(f"This product is paid in {product.currency}.", currency=product.currency)


def require_amount(
    product: Product,
    amount: Decimal,
    *,
    lowest: Decimal | None = None,
    highest: Decimal | None = None,
    renewal: Decimal | None = None,
) -> None:
    """Raise AmountNotAllowed unless the product can be bought for this amount.

    ``lowest`` and ``highest`` narrow a range for one customer; ``renewal`` is the price at which a customer of a
    fixed product may go on.
    """
    currency = product.currency
    if product.amount_type == AmountType.FIXED:
        price = format_amount(product.amount or ZERO, currency)
        if amount not in {product.amount, renewal}:
            raise AmountNotAllowed(f"This product costs {price}.", amount=price)
        return
    least = max(product.min_amount or ZERO, lowest or ZERO)
    most = min(bound for bound in (product.max_amount, highest) if bound is not None)
    if not least <= amount <= most:
        low, high = format_amount(least, currency), format_amount(most, currency)
        raise AmountNotAllowed(f"Pay between {low} and {high}.", min_amount=low, max_amount=high)


def fee_of(product: Product, amount: Decimal | None, *, tier: int, now: datetime) -> Decimal:
    """Return what paying this amount costs on top: what the product costs besides, and the fee of the rules.

    Without an amount it is the least that it can be, since a percentage is not known yet.
    """
    by_rule = fees.fee_for(
        kind=TransactionType.BILL_PAYMENT,
        amount=ZERO if amount is None else amount,
        currency=product.currency,
        tier=tier,
        at=now,
    )
    return product.fee + by_rule


def expected_cashback(product: Product, amount: Decimal, *, now: datetime) -> Decimal:
    """Return what paying this amount for the product would earn at this moment, in major units."""
    return cashback.preview(
        amount=amount,
        currency=product.currency,
        category=product.biller.category,
        biller=product.biller.code,
        product=product.code,
        now=now,
    )
