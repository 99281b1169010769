"""Converting between a customer's own wallets: a quote that holds for a minute, then one movement, once.

Each currency's side balances on its own through ``fx_position``: what the customer gives is owed to it, what the
customer gets is taken from it. Money stays the customer's own, so a conversion counts against no limit of sending; the
balance cap of the receiving wallet holds.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import transaction as db

from fintech_core.exceptions import FieldError, NotFound
from fintech_core.money import format_amount
from fintech_core.retention import delete_in_batches
from notifications.services import publish
from transactions import chart, fees, limits
from transactions.drafts import (
    Conversion,
    Source,
    TransactionDraft,
    credit_account,
    credit_wallet,
    debit_account,
    debit_wallet,
)
from transactions.enums import TransactionType
from transactions.errors import QuoteExpired, QuoteUsed
from transactions.events import facts_of
from transactions.exchange import rates
from transactions.exchange.pricing import price
from transactions.models import ConversionQuote, Transaction
from transactions.services.ledger import TransactionService
from users.models import User
from wallet.models import Wallet
from wallet.selectors import get_main_wallet

HOLDS_FOR: Final = timedelta(seconds=60)
KEPT_FOR: Final = timedelta(days=30)
FORGET_BATCH: Final = 1_000
FORGET_BATCHES: Final = 1_000


def quote_conversion(
    *, user: User, from_currency: str, to_currency: str, amount: Decimal, now: datetime
) -> ConversionQuote:
    """Promise what an amount (major units of ``from_currency``) makes, until the quote expires. No money moves.

    Raises FieldError, KycRequired, NotFound (a wallet is not open), PairNotOffered, NotConvertible.
    """
    if from_currency == to_currency:
        raise FieldError("to_currency", "same_currency", "Name two different currencies.")
    _own_wallets(user, from_currency, to_currency)
    made = price(amount, rates.provider().rate(from_currency=from_currency, to_currency=to_currency, at=now))
    fee = fees.fee_for(
        kind=TransactionType.CONVERSION, amount=amount, currency=from_currency, tier=user.kyc_tier, at=now
    )
    return ConversionQuote.objects.create(
        user=user,
        from_currency=from_currency,
        to_currency=to_currency,
        amount=amount,
        fee=fee,
        amount_to=made.amount_to,
        rate=made.rate,
        created_at=now,
        expires_at=now + HOLDS_FOR,
    )


@db.atomic
def convert(*, user: User, quote_id: UUID, now: datetime, if_match: str | None = None) -> Transaction:
    """Convert by a quote of the user's own, once, and tell them.

    Raises NotFound, QuoteExpired, QuoteUsed, KycRequired, InsufficientFunds, WalletFrozen, RecipientCannotReceive,
    PreconditionFailed (``if_match`` names another state of the wallet that gives).
    """
    quote = ConversionQuote.objects.select_for_update(no_key=True).filter(pk=quote_id, user=user).first()
    if quote is None:
        raise NotFound
    if quote.transaction_id is not None:
        raise QuoteUsed("This quote was converted before.", transaction_id=str(quote.transaction_id))
    if now >= quote.expires_at:
        raise QuoteExpired("Ask for a new quote.")
    given, taken = _own_wallets(user, quote.from_currency, quote.to_currency)
    done = TransactionService.post(replace(_draft(quote, given, taken), if_match=if_match), now=now)
    done.from_user = done.to_user = user
    quote.transaction = done
    quote.save(update_fields=["transaction"])
    publish(
        type="conversion.completed",
        user_id=user.pk,
        payload={
            **facts_of(done),
            "amount_to": format_amount(quote.amount_to, quote.to_currency),
            "currency_to": quote.to_currency,
        },
    )
    return done


def forget_quotes(*, now: datetime) -> int:
    """Delete quotes that nobody took and that expired long ago; return how many. In batches, each short."""
    stale = ConversionQuote.objects.filter(transaction=None, expires_at__lt=now - KEPT_FOR)
    return delete_in_batches(stale, batch=FORGET_BATCH, batches=FORGET_BATCHES)


def _own_wallets(user: User, from_currency: str, to_currency: str) -> tuple[Wallet, Wallet]:
    """Return both main wallets. Raises KycRequired, NotFound."""
    limits.require_verified(user.kyc_tier, to="convert money")
    given = get_main_wallet(user_id=user.pk, currency=from_currency)
    return given, get_main_wallet(user_id=user.pk, currency=to_currency)


def _draft(quote: ConversionQuote, given: Wallet, taken: Wallet) -> TransactionDraft:
    legs = [
        debit_wallet(given.pk, quote.amount + quote.fee, quote.from_currency),
        credit_account(chart.FX_POSITION, quote.amount, quote.from_currency),
        debit_account(chart.FX_POSITION, quote.amount_to, quote.to_currency),
        credit_wallet(taken.pk, quote.amount_to, quote.to_currency),
    ]
    if quote.fee:
        legs.append(credit_account(chart.CONVERSION_FEES, quote.fee, quote.from_currency))
    return TransactionDraft(
        type=TransactionType.CONVERSION,
        currency=quote.from_currency,
        amount=quote.amount,
        fee=quote.fee,
        legs=tuple(legs),
        from_wallet_id=given.pk,
        to_wallet_id=taken.pk,
        from_user_id=quote.user_id,
        to_user_id=quote.user_id,
        initiated_by_id=quote.user_id,
        source=Source("conversion_quote", quote.pk),
        conversion=Conversion(quote.amount_to, quote.to_currency, quote.rate),
    )
