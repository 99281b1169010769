"""The ledger for staff: read-only but for what a dialog asks a reason for."""

from transactions.admin import adjustments, books, evidence, fees, limits, months, movements

__all__ = ["adjustments", "books", "evidence", "fees", "limits", "months", "movements"]
