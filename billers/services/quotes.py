"""Quoting: who the customer is and what paying will cost, asked before any money moves.

The vendor is asked in the web process, with a deadline and no transaction open; then one row is written. A process
that dies in between has lost a question, nothing else.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import structlog
from django.conf import settings

from billers import selectors
from billers.enums import AmountType
from billers.errors import BillerUnavailable, CustomerNotFound
from billers.models import Product, Quote
from billers.providers import registry
from billers.providers.base import Customer, CustomerQuestion
from billers.services.pricing import expected_cashback, fee_of, require_amount
from fintech_core import circuit
from fintech_core.money import ZERO
from fintech_core.outcomes import Outcome, ProviderError
from users.models import User

log = structlog.get_logger(__name__)

QUOTE_LIVES = timedelta(minutes=15)
RETRY_AFTER_S = 30.0
UNKNOWN_NUMBER = "The biller does not know this customer number."
REFUSALS = {"cannot_vend": "The biller does not sell to this customer at the moment."}


def validate_customer(
    *, user: User, biller: str, product: str, customer_id: str, amount: Decimal | None, now: datetime
) -> Quote:
    """Ask the vendor who the customer is and return a quote, good for 15 minutes.

    ``amount`` is in major units, None while the customer has not chosen one; a fixed product brings its own. Raises
    NotFound, CustomerNotFound, AmountNotAllowed, BillerUnavailable.
    """
    chosen = selectors.get_product(biller=biller, product=product)
    customer = _ask(chosen, customer_id) if chosen.verifies_customer else Customer(name="")
    price = chosen.amount if amount is None and chosen.amount_type == AmountType.FIXED else amount
    if price is not None:
        require_amount(
            chosen,
            price,
            lowest=customer.min_amount,
            highest=customer.max_amount,
            renewal=customer.renewal_amount,
        )
    return Quote.objects.create(
        user=user,
        product=chosen,
        customer_id=customer_id,
        customer_name=customer.name,
        address=customer.address,
        amount=price,
        min_amount=_bound(max, chosen.min_amount or chosen.amount, customer.min_amount),
        max_amount=_bound(min, chosen.max_amount or chosen.amount, customer.max_amount),
        fee=fee_of(chosen, price, tier=user.kyc_tier, now=now),
        cashback=ZERO if price is None else expected_cashback(chosen, price, now=now),
        currency=chosen.currency,
        current_product=customer.current_product,
        renewal_amount=customer.renewal_amount,
        due_on=customer.due_on,
        created_at=now,
        expires_at=now + QUOTE_LIVES,
    )


def _ask(product: Product, customer_id: str) -> Customer:
    """Ask the vendor of the product who this is; raises CustomerNotFound, BillerUnavailable."""
    route = selectors.route_of(product)
    # A question moves no money, so it may well be the probe that closes an open circuit.
    if not circuit.allows(route.vendor):
        raise BillerUnavailable(retry_after_s=RETRY_AFTER_S)
    question = CustomerQuestion(
        route.service_id, route.variation_code, customer_id, category=product.biller.category
    )
    try:
        return registry.provider(route.vendor).validate(question, deadline_s=settings.WEB_WAIT_LIMIT_S)
    except ProviderError as error:
        if error.outcome == Outcome.DECLINED:
            raise CustomerNotFound(REFUSALS.get(error.code, UNKNOWN_NUMBER)) from error
        report = log.error if error.alarm else log.warning
        report("customer_not_validated", vendor=route.vendor, outcome=str(error.outcome), fault=error.code)
        raise BillerUnavailable(retry_after_s=RETRY_AFTER_S) from error


def _bound(choose: Callable[..., Decimal], *bounds: Decimal | None) -> Decimal | None:
    """Return the tighter of two bounds, of which either may be missing."""
    known = [bound for bound in bounds if bound is not None]
    return choose(known) if known else None
