"""Shapes of the ledger's routes, by topic."""

from transactions.serializers.movements import TransactionResponse

__all__ = ["TransactionResponse"]
