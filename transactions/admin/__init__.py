"""The ledger for staff: read-only but for what a dialog asks a reason for."""

from transactions.admin import books, evidence, fees, limits, movements

__all__ = ["books", "evidence", "fees", "limits", "movements"]
