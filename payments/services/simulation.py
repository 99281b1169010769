"""Paying in the sandbox as a customer would, so that anybody can try funding without a card or a key."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings

from fintech_core import http
from fintech_core.exceptions import NotFound
from fintech_core.outcomes import ProviderError
from payments.enums import AttemptStatus
from payments.errors import CheckoutNotReady, GatewayUnavailable
from payments.models import PaymentIntent
from payments.selectors import get_intent_for
from payments.services import checking
from users.models import User

OUTCOMES: Final = {"success": "success", "failed": "declined", "abandoned": "abandoned"}
_ALREADY_PAID: Final = 409


def require_sandbox() -> None:
    """Raise NotFound unless the gateway is the sandbox, which it never is in production."""
    if settings.PRODUCTION or not settings.PAYSTACK_BASE_URL.startswith(f"{settings.SANDBOX_URL}/"):
        raise NotFound


def simulate_payment(
    *, user: User, intent_id: UUID, outcome: str, deadline_s: float, now: datetime
) -> PaymentIntent:
    """Let the sandbox's customer act on the newest checkout, then ask the gateway as ever.

    Raises NotFound where the gateway is no sandbox, CheckoutNotReady, GatewayUnavailable.
    """
    require_sandbox()
    intent = get_intent_for(user=user, intent_id=intent_id)
    attempt = intent.attempts.exclude(status=AttemptStatus.CREATED).order_by("-number").first()
    if attempt is None or not intent.checkout_url:
        raise CheckoutNotReady("Wait until the intent has its checkout_url.", retry_after_s=1)
    try:
        answer = http.send(
            vendor="sandbox",
            method="POST",
            url=f"{settings.SANDBOX_URL}/_control/paystack/pay",
            json={"reference": attempt.reference, "outcome": OUTCOMES[outcome]},
            deadline_s=deadline_s,
        )
    except ProviderError as error:
        raise GatewayUnavailable("The sandbox does not answer.", retry_after_s=1) from error
    if answer.status not in {200, _ALREADY_PAID}:
        raise GatewayUnavailable(f"The sandbox answered HTTP {answer.status}.", retry_after_s=1)
    checking.ask_now(intent=intent, deadline_s=deadline_s, now=now)
    intent.refresh_from_db()
    return intent


def simulate_payment_success(
    *, user: User, intent_id: UUID, deadline_s: float, now: datetime
) -> PaymentIntent:
    """Pay the newest checkout in the sandbox; see ``simulate_payment``."""
    return simulate_payment(user=user, intent_id=intent_id, outcome="success", deadline_s=deadline_s, now=now)
