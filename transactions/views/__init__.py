"""Routes of the ledger, by topic."""

from transactions.views.approvals import StaffApprovalViewSet
from transactions.views.bulk import BulkTransferViewSet
from transactions.views.conversions import ConversionViewSet
from transactions.views.corrections import StaffAdjustmentViewSet
from transactions.views.movements import (
    LimitsViewSet,
    StaffTransactionViewSet,
    TransactionViewSet,
    TransferViewSet,
)
from transactions.views.receipts import ReceiptCheckViewSet, ReceiptViewSet
from transactions.views.statements import PastViewSet, StatementViewSet

__all__ = [
    "BulkTransferViewSet",
    "ConversionViewSet",
    "LimitsViewSet",
    "PastViewSet",
    "ReceiptCheckViewSet",
    "ReceiptViewSet",
    "StaffAdjustmentViewSet",
    "StaffApprovalViewSet",
    "StaffTransactionViewSet",
    "StatementViewSet",
    "TransactionViewSet",
    "TransferViewSet",
]
