"""Shapes of the ledger's routes, by topic."""

from transactions.serializers.transactions import TransactionResponse

__all__ = ["TransactionResponse"]
