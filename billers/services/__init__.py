"""Writes of this app: quoting, paying, and bringing every payment to its end."""

from billers.services.hints import process_vendor_hint
from billers.services.payments import Order, pay_bill
from billers.services.processing import check_now, process_payment, sweep
from billers.services.quotes import validate_customer
from billers.services.reversals import follow_ledger_for, sweep_given_back
from billers.services.reviews import close_review

__all__ = [
    "Order",
    "check_now",
    "close_review",
    "follow_ledger_for",
    "pay_bill",
    "process_payment",
    "process_vendor_hint",
    "sweep",
    "sweep_given_back",
    "validate_customer",
]
