"""Refusals of this app, each with the facts an app can show."""

from fintech_core.exceptions import DomainError


class BillerUnavailable(DomainError):
    """The biller cannot be reached at the moment; nothing was debited."""

    code, status, title = "biller_unavailable", 503, "This biller is not available at the moment"
    retryable = True


class CustomerNotFound(DomainError):
    """The biller knows no such customer, or does not serve this one."""

    code, status, title = "customer_not_found", 422, "The biller does not know this customer number"


class AmountNotAllowed(DomainError):
    """The product has another price, or the amount is outside its range."""

    code, status, title = "amount_not_allowed", 422, "This product cannot be bought for this amount"


class CurrencyNotSupported(DomainError):
    """The product is sold in another currency."""

    code, status, title = "currency_not_supported", 422, "This product is paid in another currency"


class QuoteExpired(DomainError):
    """The quote is too old; validate again."""

    code, status, title = "quote_expired", 422, "The quote has expired"


class QuoteMismatch(DomainError):
    """The quote was given for another product, customer or amount."""

    code, status, title = "quote_mismatch", 422, "The quote belongs to another payment"


class PossibleDuplicate(DomainError):
    """The same customer, product and amount were paid less than 30 seconds ago."""

    code, status, title = "possible_duplicate", 409, "This looks like a payment that was just made"


class BillDeclined(DomainError):
    """The bill was not paid and nothing was debited; ``payment_id`` names the payment."""

    code, status, title = "bill_declined", 422, "The bill was not paid"


class ReviewNotOpen(DomainError):
    """The payment does not wait for a person, or waits for more than a look."""

    code, status, title = "review_not_open", 409, "There is no review to close"


# What a customer is told about a payment that failed. What is not listed is our own trouble with the vendor (an empty
# float, a refused key): staff read its code, customers read that the biller is not available.
UNAVAILABLE = BillerUnavailable.code
FAILURES: dict[str, str] = {
    "refused": "The biller refused this payment.",
    "reversed": "The biller took the payment back.",
    "amount_too_small": "The amount is below what the biller accepts.",
    "amount_too_large": "The amount is above what the biller accepts.",
    "invalid_request": "The biller did not accept these details.",
    "product_unknown": "The biller does not sell this product any more.",
    "not_attempted": "The biller never received the payment.",
    UNAVAILABLE: "The biller is not available at the moment. Try again later.",
}


def public_failure(code: str) -> str:
    """Return the code that a customer reads for a failure."""
    return code if code in FAILURES else UNAVAILABLE


def failure_detail(code: str) -> str:
    """Return the sentence that a customer reads for a failure's code."""
    return FAILURES[public_failure(code)]
