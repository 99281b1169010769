"""A bill payment as postings: pure functions, nothing here touches the database."""

from decimal import Decimal
from uuid import UUID

from billers.models import BillAttempt, BillPayment
from fintech_core.money import ZERO
from transactions import chart
from transactions.drafts import (
    Capture,
    Leg,
    Source,
    TransactionDraft,
    credit_account,
    debit_account,
    debit_wallet,
)


def hold_draft(payment: BillPayment, *, wallet_id: UUID, description: str) -> TransactionDraft:
    """Hold amount and fee on the payer's wallet; the payment names the hold by its id beforehand."""
    return TransactionDraft(
        id=payment.transaction_id,
        type="bill_payment",
        currency=payment.currency,
        amount=payment.amount,
        fee=payment.fee,
        from_wallet_id=wallet_id,
        from_user_id=payment.user_id,
        initiated_by_id=payment.user_id,
        description=description[:200],
        source=Source("bill_payment", payment.pk),
        counts_toward_limits=True,
    )


def capture(payment: BillPayment, *, wallet_id: UUID, cost: Decimal) -> Capture:
    """Take what was held: the cost to the vendor's float, our commission, our fee. They sum to the whole."""
    currency = payment.currency
    legs: list[Leg] = [
        debit_wallet(wallet_id, payment.amount + payment.fee, currency),
        credit_account(chart.biller_float(payment.vendor), cost, currency),
    ]
    if payment.amount > cost:
        legs.append(credit_account(chart.BILLER_COMMISSION, payment.amount - cost, currency))
    if payment.fee > ZERO:
        legs.append(credit_account(chart.BILL_FEES, payment.fee, currency))
    return Capture(payment.transaction_id, tuple(legs), payment.amount, payment.fee)


def late_delivery_draft(payment: BillPayment, attempt: BillAttempt, *, cost: Decimal) -> TransactionDraft:
    """Book what a vendor delivered after the money was given back: our loss, nobody's second debit."""
    return TransactionDraft(
        type="bill_payment",
        currency=payment.currency,
        amount=cost,
        legs=(
            debit_account(chart.LATE_DELIVERY, cost, payment.currency),
            credit_account(chart.biller_float(attempt.vendor), cost, payment.currency),
        ),
        description=f"Delivered late: {payment.reference}",
        source=Source("late_delivery", attempt.pk),
    )


def believable_cost(cost: Decimal | None, amount: Decimal) -> Decimal:
    """Return the vendor's cost when it is one: more than nothing and at most the amount; else the amount."""
    return cost if cost is not None and ZERO < cost <= amount else amount
