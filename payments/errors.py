"""Refusals of funding and of the webhook inbox."""

from fintech_core.exceptions import DomainError


class CheckoutDeclined(DomainError):
    """The gateway refused to start a checkout for this amount or currency; nothing can be paid."""

    code, status, title = "checkout_declined", 422, "The gateway does not take this payment"


class IntentAlreadyPaid(DomainError):
    """A paid intent cannot be cancelled; the money is in the wallet."""

    code, status, title = "intent_already_paid", 409, "The payment has arrived already"


class IntentNotOpen(DomainError):
    """An intent that failed or expired cannot be cancelled."""

    code, status, title = "intent_not_open", 409, "The payment intent is closed"


class CheckoutNotReady(DomainError):
    """The gateway has not given its checkout page yet."""

    code, status, title, retryable = "checkout_not_ready", 409, "The checkout is not ready yet", True


class GatewayUnavailable(DomainError):
    """The gateway gave no answer that can be read; nothing was concluded from that."""

    code, status, title = "gateway_unavailable", 503, "The gateway does not answer"


class InvalidSignature(DomainError):
    """A webhook whose signature is missing or wrong; it was not stored."""

    code, status, title = "invalid_signature", 401, "The webhook's signature is not valid"


class WebhookNotDead(DomainError):
    """Only an event that was given up is looked at again by hand; the others are taken care of."""

    code, status, title = "webhook_not_dead", 409, "The event was not given up"
