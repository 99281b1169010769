"""Tables of the ledger: the books, what proves them, the rules they are kept by, and what waits beside them."""

from transactions.models.adjustments import Adjustment
from transactions.models.books import LedgerAccount, LedgerEntry, Transaction
from transactions.models.bulk import BulkTransfer, BulkTransferItem
from transactions.models.evidence import BalanceSnapshot, LedgerSeal, VerificationMark
from transactions.models.exchange import ConversionQuote, ExchangeRate
from transactions.models.monitors import FloatMonitor
from transactions.models.months import ClosedMonth
from transactions.models.parking import PARKED_CREDIT, ParkedCredit, is_passage
from transactions.models.rules import FeeRule, LimitRule
from transactions.models.undoing import UNDOING, Undoing

__all__ = [
    "PARKED_CREDIT",
    "UNDOING",
    "Adjustment",
    "BalanceSnapshot",
    "BulkTransfer",
    "BulkTransferItem",
    "ClosedMonth",
    "ConversionQuote",
    "ExchangeRate",
    "FeeRule",
    "FloatMonitor",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerSeal",
    "LimitRule",
    "ParkedCredit",
    "Transaction",
    "Undoing",
    "VerificationMark",
    "is_passage",
]
