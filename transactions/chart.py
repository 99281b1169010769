"""The chart of accounts, and every way money can move: one file an accountant can read.

``ACCOUNTS`` lists what there is, ``RULES`` says for each type of transaction which accounts may be debited and which
credited. A code that ends in ``:*`` stands for every account with that beginning. A reversal is the mirror of the
movement it undoes, so it may touch what that one touched. What is ``reserved`` has its place here and nothing that
writes it yet.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from transactions.enums import AccountType, Direction, TransactionType

CUSTOMER_WALLETS = "customer_wallets"
CASHBACK_WALLETS = "cashback_wallets"
SUSPENSE = "suspense"
RECEIVABLES = "receivables"
LATE_DELIVERY = "late_delivery"
CASHBACK_EXPENSE = "cashback_expense"
BILLER_COMMISSION = "biller_commission"
TRANSFER_FEES = "fees:transfer"
BILL_FEES = "fees:bill_payment"
CONVERSION_FEES = "fees:conversion"
FUNDING_FEES = "fees:funding"
WITHDRAWAL_FEES = "fees:withdrawal"
FX_POSITION = "fx_position"
ADJUSTMENTS = "adjustments"
PAYOUTS_IN_TRANSIT = "payouts_in_transit"
REFERRAL_EXPENSE = "referral_expense"
GATEWAY_COSTS = "gateway_costs"
# Beginnings of codes, of which there is one for each gateway, vendor or kind of fee.
GATEWAY_CLEARING = "gateway_clearing:"
BILLER_FLOAT = "biller_float:"
FEES = "fees:"

CONTROL_ACCOUNTS: dict[str, str] = {"main": CUSTOMER_WALLETS, "cashback": CASHBACK_WALLETS}


def gateway_clearing(gateway: str) -> str:
    """Name the account of money that a gateway has collected and not yet paid out to us."""
    return f"{GATEWAY_CLEARING}{gateway}"


def biller_float(vendor: str) -> str:
    """Name the account of money that we have prepaid to a vendor of bills."""
    return f"{BILLER_FLOAT}{vendor}"


@dataclass(frozen=True, slots=True)
class Account:
    """One account of the chart, in every currency.

    ``wallet_kind`` marks a control account, ``reserved`` one that nothing writes.
    """

    code: str
    name: str
    type: AccountType
    wallet_kind: str = ""
    reserved: bool = False


ACCOUNTS: tuple[Account, ...] = (
    Account("gateway_clearing:paystack", "Collected by Paystack, not yet settled", AccountType.ASSET),
    Account(
        "gateway_clearing:flutterwave",
        "Collected by Flutterwave, not yet settled",
        AccountType.ASSET,
        reserved=True,
    ),
    Account("biller_float:vtpass", "Prepaid to VTpass", AccountType.ASSET),
    Account(RECEIVABLES, "Owed to us by customers", AccountType.ASSET),
    Account(CUSTOMER_WALLETS, "Customer wallets (control account)", AccountType.LIABILITY, "main"),
    Account(CASHBACK_WALLETS, "Cashback wallets (control account)", AccountType.LIABILITY, "cashback"),
    Account(PAYOUTS_IN_TRANSIT, "Payouts on their way to a bank", AccountType.LIABILITY, reserved=True),
    Account(SUSPENSE, "Received, owner or wallet not ready", AccountType.LIABILITY),
    Account(FX_POSITION, "Bought and sold currency", AccountType.LIABILITY),
    Account(TRANSFER_FEES, "Fees on transfers", AccountType.INCOME),
    Account(BILL_FEES, "Fees on bill payments", AccountType.INCOME),
    Account(FUNDING_FEES, "Fees on funding", AccountType.INCOME),
    Account(WITHDRAWAL_FEES, "Fees on withdrawals", AccountType.INCOME, reserved=True),
    Account(CONVERSION_FEES, "Fees on conversions", AccountType.INCOME),
    Account(BILLER_COMMISSION, "Commission from billers", AccountType.INCOME),
    Account(CASHBACK_EXPENSE, "Cashback given", AccountType.EXPENSE),
    Account(REFERRAL_EXPENSE, "Referral bonuses given", AccountType.EXPENSE, reserved=True),
    Account(GATEWAY_COSTS, "Charges of gateways", AccountType.EXPENSE, reserved=True),
    Account(LATE_DELIVERY, "Delivered after we gave the money back", AccountType.EXPENSE),
    Account(ADJUSTMENTS, "Corrections booked by staff", AccountType.EXPENSE),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """Which accounts a type of transaction may debit and credit; ``reserved`` is a type that nothing posts."""

    debit: tuple[str, ...]
    credit: tuple[str, ...]
    reserved: bool = False

    def allows(self, code: str, direction: str) -> bool:
        """Say whether the account may stand on this side."""
        return any(
            _matches(pattern, code)
            for pattern in (self.debit if direction == Direction.DEBIT else self.credit)
        )


ANY = ("*",)
RULES: dict[str, Rule] = {
    TransactionType.FUNDING: Rule(
        debit=("gateway_clearing:*", SUSPENSE), credit=(CUSTOMER_WALLETS, SUSPENSE, FUNDING_FEES)
    ),
    TransactionType.TRANSFER: Rule(debit=(CUSTOMER_WALLETS,), credit=(CUSTOMER_WALLETS, TRANSFER_FEES)),
    TransactionType.BILL_PAYMENT: Rule(
        debit=(CUSTOMER_WALLETS, LATE_DELIVERY), credit=("biller_float:*", BILLER_COMMISSION, BILL_FEES)
    ),
    TransactionType.CASHBACK: Rule(debit=(CASHBACK_EXPENSE, SUSPENSE), credit=(CASHBACK_WALLETS, SUSPENSE)),
    TransactionType.CASHBACK_REDEMPTION: Rule(debit=(CASHBACK_WALLETS,), credit=(CUSTOMER_WALLETS,)),
    TransactionType.REFERRAL_BONUS: Rule(
        debit=(REFERRAL_EXPENSE, SUSPENSE),
        credit=(CASHBACK_WALLETS, CUSTOMER_WALLETS, SUSPENSE),
        reserved=True,
    ),
    TransactionType.WITHDRAWAL: Rule(
        debit=(CUSTOMER_WALLETS, PAYOUTS_IN_TRANSIT),
        credit=(PAYOUTS_IN_TRANSIT, "gateway_clearing:*", WITHDRAWAL_FEES),
        reserved=True,
    ),
    TransactionType.REFUND: Rule(
        debit=(CUSTOMER_WALLETS, "biller_float:*", BILLER_COMMISSION, "fees:*", RECEIVABLES, SUSPENSE),
        credit=(CUSTOMER_WALLETS, "gateway_clearing:*", CASHBACK_EXPENSE, SUSPENSE),
    ),
    TransactionType.CONVERSION: Rule(
        debit=(CUSTOMER_WALLETS, FX_POSITION), credit=(CUSTOMER_WALLETS, FX_POSITION, CONVERSION_FEES)
    ),
    TransactionType.ADJUSTMENT: Rule(
        debit=(CUSTOMER_WALLETS, CASHBACK_WALLETS, ADJUSTMENTS, SUSPENSE, RECEIVABLES),
        credit=(CUSTOMER_WALLETS, CASHBACK_WALLETS, ADJUSTMENTS, SUSPENSE, RECEIVABLES),
    ),
    TransactionType.FEE: Rule(debit=(CUSTOMER_WALLETS,), credit=("fees:*",), reserved=True),
    TransactionType.REVERSAL: Rule(debit=ANY, credit=ANY),
}


@lru_cache(maxsize=1024)
def allows(transaction_type: str, code: str, direction: str) -> bool:
    """Say whether a transaction of this type may put the account on this side."""
    rule = RULES.get(transaction_type)
    return rule is not None and rule.allows(code, direction)


def rows(currencies: tuple[str, ...]) -> Iterator[tuple[Account, str]]:
    """Yield every account in every currency: what the table of accounts must hold."""
    for currency in currencies:
        for account in ACCOUNTS:
            yield account, currency


def _matches(pattern: str, code: str) -> bool:
    return code == pattern or (pattern.endswith("*") and code.startswith(pattern[:-1]))
