"""Writes of the ledger."""

from transactions.services.ledger import TransactionService

__all__ = ["TransactionService"]
