"""The chart of accounts, and every way money can move: one file an accountant can read.

``ACCOUNTS`` lists what there is, ``RULES`` says for each type of transaction which accounts may be debited and which
credited. A code that ends in ``:*`` stands for every account with that beginning. A reversal is the mirror of the
movement it undoes, so it may touch what that one touched.
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
FX_POSITION = "fx_position"

CONTROL_ACCOUNTS: dict[str, str] = {"main": CUSTOMER_WALLETS, "cashback": CASHBACK_WALLETS}


def gateway_clearing(gateway: str) -> str:
    """Name the account of money that a gateway has collected and not yet paid out to us."""
    return f"gateway_clearing:{gateway}"


def biller_float(vendor: str) -> str:
    """Name the account of money that we have prepaid to a vendor of bills."""
    return f"biller_float:{vendor}"


@dataclass(frozen=True, slots=True)
class Account:
    """One account of the chart, in every currency. ``wallet_kind`` marks a control account."""

    code: str
    name: str
    type: AccountType
    wallet_kind: str = ""


ACCOUNTS: tuple[Account, ...] = (
    Account("gateway_clearing:paystack", "Collected by Paystack, not yet settled", AccountType.ASSET),
    Account("gateway_clearing:flutterwave", "Collected by Flutterwave, not yet settled", AccountType.ASSET),
    Account("biller_float:vtpass", "Prepaid to VTpass", AccountType.ASSET),
    Account(RECEIVABLES, "Owed to us by customers", AccountType.ASSET),
    Account(CUSTOMER_WALLETS, "Customer wallets (control account)", AccountType.LIABILITY, "main"),
    Account(CASHBACK_WALLETS, "Cashback wallets (control account)", AccountType.LIABILITY, "cashback"),
    Account("payouts_in_transit", "Payouts on their way to a bank", AccountType.LIABILITY),
    Account(SUSPENSE, "Received, owner or wallet not ready", AccountType.LIABILITY),
    Account(FX_POSITION, "Bought and sold currency", AccountType.LIABILITY),
    Account(TRANSFER_FEES, "Fees on transfers", AccountType.INCOME),
    Account(BILL_FEES, "Fees on bill payments", AccountType.INCOME),
    Account(FUNDING_FEES, "Fees on funding", AccountType.INCOME),
    Account("fees:withdrawal", "Fees on withdrawals", AccountType.INCOME),
    Account(CONVERSION_FEES, "Fees on conversions", AccountType.INCOME),
    Account(BILLER_COMMISSION, "Commission from billers", AccountType.INCOME),
    Account(CASHBACK_EXPENSE, "Cashback given", AccountType.EXPENSE),
    Account("referral_expense", "Referral bonuses given", AccountType.EXPENSE),
    Account("gateway_costs", "Charges of gateways", AccountType.EXPENSE),
    Account(LATE_DELIVERY, "Delivered after we gave the money back", AccountType.EXPENSE),
    Account("adjustments", "Corrections booked by staff", AccountType.EXPENSE),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """Which accounts a type of transaction may debit and credit."""

    debit: tuple[str, ...]
    credit: tuple[str, ...]

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
        debit=("referral_expense", SUSPENSE), credit=(CASHBACK_WALLETS, CUSTOMER_WALLETS, SUSPENSE)
    ),
    TransactionType.WITHDRAWAL: Rule(
        debit=(CUSTOMER_WALLETS, "payouts_in_transit"),
        credit=("payouts_in_transit", "gateway_clearing:*", "fees:withdrawal"),
    ),
    TransactionType.REFUND: Rule(
        debit=(CUSTOMER_WALLETS, "biller_float:*", BILLER_COMMISSION, "fees:*", RECEIVABLES, SUSPENSE),
        credit=(CUSTOMER_WALLETS, "gateway_clearing:*", CASHBACK_EXPENSE, SUSPENSE),
    ),
    TransactionType.CONVERSION: Rule(
        debit=(CUSTOMER_WALLETS, FX_POSITION), credit=(CUSTOMER_WALLETS, FX_POSITION, CONVERSION_FEES)
    ),
    TransactionType.ADJUSTMENT: Rule(
        debit=(CUSTOMER_WALLETS, CASHBACK_WALLETS, "adjustments", SUSPENSE, RECEIVABLES),
        credit=(CUSTOMER_WALLETS, CASHBACK_WALLETS, "adjustments", SUSPENSE, RECEIVABLES),
    ),
    TransactionType.FEE: Rule(debit=(CUSTOMER_WALLETS,), credit=("fees:*",)),
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
