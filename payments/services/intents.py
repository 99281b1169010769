"""Intents: made by the customer, cancelled by the customer, expired by our clock.

T1 commits the intent and its first attempt with our reference; nobody outside has heard of it. If the process dies

* before that COMMIT: nothing exists, and the customer's key is free;
* after it, before the job is rung: the row is due, and the sweep rings.
"""

from datetime import datetime
from decimal import Decimal
from functools import partial
from uuid import UUID

from django.db import transaction

from fintech_core import audit, crashpoints, jobs, state
from fintech_core.database.atomic import require_transaction
from fintech_core.exceptions import FieldError
from fintech_core.ids import new_reference
from fintech_core.money import MAX_INTEGER_DIGITS
from payments import ladders
from payments.enums import INTENT_SOURCES, OPEN_INTENTS, AttemptStatus, IntentStatus
from payments.errors import IntentAlreadyPaid, IntentNotOpen
from payments.models import CheckoutAttempt, PaymentIntent
from payments.selectors import get_intent_for
from payments.services import checking
from transactions import fees
from transactions.enums import TransactionType
from users.models import User
from wallet.selectors import get_main_wallet

SWEEP_LIMIT = 200
TOO_MUCH = Decimal(10) ** MAX_INTEGER_DIGITS


@transaction.atomic
def create_payment_intent(
    *, user: User, amount: Decimal, currency: str, gateway: str, callback_url: str = "", now: datetime
) -> PaymentIntent:
    """Store a funding of ``amount`` (major units) and ring for its checkout after commit.

    The fee of the rules, for the user's tier at this moment, is asked for on top and stays as it is told here.
    Raises NotFound when the user has no wallet in this currency, FieldError when amount and fee cannot be kept.
    """
    wallet = get_main_wallet(user_id=user.pk, currency=currency)
    fee = fees.fee_for(
        kind=TransactionType.FUNDING, amount=amount, currency=currency, tier=user.kyc_tier, at=now
    )
    if amount + fee >= TOO_MUCH:
        raise FieldError("amount", "invalid_amount", "Amount and fee together have too many digits.")
    intent = PaymentIntent.objects.create(
        user=user,
        wallet=wallet,
        reference=new_reference("FND"),
        gateway=gateway,
        amount=amount,
        fee=fee,
        currency=currency,
        callback_url=callback_url,
        created_at=now,
        expires_at=now + ladders.INTENT_LIFETIME,
        next_check_at=now,
    )
    add_attempt(intent, number=1, now=now)
    transaction.on_commit(partial(_ring, str(intent.pk)), robust=True)
    return intent


def _ring(intent_id: str) -> None:
    crashpoints.reach("payments.intent_stored")
    jobs.ring("payments.start_checkout", intent_id)


def add_attempt(intent: PaymentIntent, *, number: int, now: datetime) -> CheckoutAttempt:
    """Store an attempt under a reference of its own, in the caller's transaction, before a gateway hears of it."""
    require_transaction("payments.add_attempt")
    return CheckoutAttempt.objects.create(
        intent=intent,
        number=number,
        gateway=intent.gateway,
        reference=f"{intent.reference}.{number}",
        status=AttemptStatus.CREATED,
        created_at=now,
    )


def cancel_intent(*, user: User, intent_id: UUID, deadline_s: float, now: datetime) -> PaymentIntent:
    """Cancel an open intent after asking the gateway; money that turns out to be there is credited instead.

    Its checkouts stay watched: whoever pays one later is credited. Raises NotFound, IntentAlreadyPaid,
    IntentNotOpen, and GatewayUnavailable when the gateway cannot be asked.
    """
    intent = get_intent_for(user=user, intent_id=intent_id)
    if intent.status == IntentStatus.CANCELLED:
        return intent
    checking.ask_now(intent=intent, deadline_s=deadline_s, now=now)
    with transaction.atomic():
        moved = state.move(PaymentIntent, intent.pk, to=IntentStatus.CANCELLED, sources=INTENT_SOURCES)
        if moved:
            changes = {"status": [intent.status, IntentStatus.CANCELLED]}
            audit.record(actor=user, action="payment_intent.cancelled", target=intent, changes=changes)
    intent.refresh_from_db()
    if moved or intent.status == IntentStatus.CANCELLED:
        return intent
    if intent.status == IntentStatus.SUCCEEDED:
        raise IntentAlreadyPaid("The payment arrived before it could be cancelled; it is in your wallet.")
    raise IntentNotOpen(f"This payment intent is {intent.status}.")


def expire_due(*, now: datetime) -> int:
    """Expire open intents whose time is over; returns how many. Late money is still credited."""
    due = PaymentIntent.objects.filter(status__in=sorted(OPEN_INTENTS), expires_at__lte=now)
    expired = 0
    for intent_id in list(due.order_by("expires_at").values_list("pk", flat=True)[:SWEEP_LIMIT]):
        expired += state.move(PaymentIntent, intent_id, to=IntentStatus.EXPIRED, sources=INTENT_SOURCES)
    return expired
