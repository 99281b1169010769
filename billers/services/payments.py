"""T1 of a bill: everything that must be true before a vendor hears of it, in one transaction.

* killed before COMMIT: nothing happened, the key is free;
* killed after COMMIT, before the job is rung or the answer is sent: the row is due, beat finds it, and the same key
  answers from the payment's state.

The payment, its first attempt with our reference and the hold on the wallet exist together or not at all.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from uuid import UUID

from django.db import transaction

from billers import drafts, selectors
from billers.enums import BillStatus, Category, Subscription
from billers.errors import BillerUnavailable, PossibleDuplicate, QuoteExpired, QuoteMismatch
from billers.models import BillAttempt, BillPayment, Product, Quote
from billers.providers import registry
from billers.services.pricing import expected_cashback, fee_of, require_amount, require_currency
from fintech_core import circuit, crashpoints, ids, jobs
from fintech_core.exceptions import FieldError
from transactions.services import TransactionService
from users.models import User
from wallet.selectors import get_main_wallet

DUPLICATE_WINDOW = timedelta(seconds=30)
RETRY_AFTER_S = 30.0


@dataclass(frozen=True, slots=True, repr=False)
class Order:
    """What a customer wants to pay. ``amount`` is in major units, without the fee."""

    biller: str
    product: str
    customer_id: str
    amount: Decimal
    currency: str
    quote_id: UUID | None = None
    phone: str | None = None
    subscription: str | None = None
    allow_duplicate: bool = False


@transaction.atomic
def pay_bill(*, user: User, order: Order, now: datetime, if_match: str | None = None) -> BillPayment:
    """Hold the money for a bill and make it due at a worker.

    Raises NotFound, FieldError, CurrencyNotSupported, AmountNotAllowed, QuoteExpired, QuoteMismatch,
    BillerUnavailable, PossibleDuplicate, and what the ledger refuses (InsufficientFunds, LimitExceeded, KycRequired,
    WalletFrozen, MoneyOutPaused, PreconditionFailed where ``if_match`` names another state of the wallet).
    """
    product = selectors.get_product(biller=order.biller, product=order.product)
    quote = _check(user, product, order, now)
    vendor = selectors.route_of(product).vendor
    wallet = get_main_wallet(user_id=user.pk, currency=order.currency)
    _refuse_duplicate(user, product, order, now)
    payment = _write(user, product, order, quote, vendor, now)
    hold = drafts.hold_draft(
        payment, wallet_id=wallet.pk, description=f"{product.biller.name}, {product.name}"
    )
    TransactionService.authorize(replace(hold, if_match=if_match), now=now)
    # Once more under the wallet's lock: a twin that was not committed a moment ago shows now.
    _refuse_duplicate(user, product, order, now, besides=payment.pk)
    # Last: an open circuit lets one order in 30 s through, and one that is refused anyway must not use that up.
    if not circuit.allows(vendor):
        raise BillerUnavailable(
            "This biller is not available. Nothing was debited.", retry_after_s=RETRY_AFTER_S
        )
    transaction.on_commit(partial(crashpoints.reach, "billers.after_t1"))
    jobs.enqueue("billers.send", str(payment.pk))
    return payment


def _check(user: User, product: Product, order: Order, now: datetime) -> Quote | None:
    """Hold the order to the product and to the quote it names; returns the quote."""
    require_currency(product, order.currency)
    if order.subscription and product.biller.category != Category.TV:
        raise FieldError("subscription", "invalid", "Only TV packages are renewed or changed.")
    if order.quote_id is None:
        require_amount(product, order.amount)
        return None
    quote = selectors.get_quote_for(user=user, quote_id=order.quote_id)
    bound_to = (quote.product_id, quote.customer_id)
    if bound_to != (product.pk, order.customer_id) or quote.amount not in {None, order.amount}:
        raise QuoteMismatch("Validate this customer, product and amount again.")
    if quote.expires_at <= now:
        raise QuoteExpired("Validate again to see today's price.")
    renews = order.subscription == Subscription.RENEW
    require_amount(
        product,
        order.amount,
        lowest=quote.min_amount,
        highest=quote.max_amount,
        renewal=quote.renewal_amount if renews else None,
    )
    return quote


def _write(
    user: User, product: Product, order: Order, quote: Quote | None, vendor: str, now: datetime
) -> BillPayment:
    """Write the payment, due now, and its first attempt with our reference at the vendor."""
    payment = BillPayment.objects.create(
        reference=ids.new_reference("BILL"),
        user=user,
        product=product,
        quote=quote,
        customer_id=order.customer_id,
        customer_name=quote.customer_name if quote else "",
        phone=order.phone or user.phone or "",
        subscription=order.subscription or "",
        amount=order.amount,
        fee=_fee(user, product, order, quote, now),
        currency=order.currency,
        expected_cashback=expected_cashback(product, order.amount, now=now),
        transaction_id=ids.uuid7(),
        vendor=vendor,
        next_check_at=now,
        created_at=now,
    )
    BillAttempt.objects.create(
        payment=payment,
        number=1,
        vendor=vendor,
        vendor_reference=registry.provider(vendor).new_reference(now),
        created_at=now,
    )
    return payment


def _fee(user: User, product: Product, order: Order, quote: Quote | None, now: datetime) -> Decimal:
    """Return what was quoted for this amount, or else what holds now."""
    if quote is not None and quote.amount is not None:
        return quote.fee
    return fee_of(product, order.amount, tier=user.kyc_tier, now=now)


def _refuse_duplicate(
    user: User, product: Product, order: Order, now: datetime, besides: UUID | None = None
) -> None:
    if order.allow_duplicate:
        return
    twins = BillPayment.objects.filter(
        user=user,
        product=product,
        customer_id=order.customer_id,
        amount=order.amount,
        created_at__gt=now - DUPLICATE_WINDOW,
        status__in=[BillStatus.PROCESSING, BillStatus.COMPLETED],
    )
    twin = next((found for found in twins.order_by("-created_at")[:2] if found.pk != besides), None)
    if twin is not None:
        raise PossibleDuplicate(
            "The same bill was paid a moment ago.",
            payment_id=str(twin.pk),
            how_to_fix="Send allow_duplicate: true to pay it once more.",
        )
