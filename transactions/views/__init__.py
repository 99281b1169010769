"""Routes of the ledger, by topic."""

from transactions.views.movements import (
    LimitsViewSet,
    StaffTransactionViewSet,
    TransactionViewSet,
    TransferViewSet,
)

__all__ = ["LimitsViewSet", "StaffTransactionViewSet", "TransactionViewSet", "TransferViewSet"]
