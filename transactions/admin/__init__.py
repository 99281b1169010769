"""The ledger for staff: read-only but for what a dialog asks a reason for."""

from transactions.admin import (
    adjustments,
    books,
    bulk,
    evidence,
    exchange,
    fees,
    floats,
    limits,
    months,
    transactions,
    undoing,
)

__all__ = [
    "adjustments",
    "books",
    "bulk",
    "evidence",
    "exchange",
    "fees",
    "floats",
    "limits",
    "months",
    "transactions",
    "undoing",
]
