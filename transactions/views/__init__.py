"""Routes of the ledger, by topic."""

from transactions.views.adjustments import StaffAdjustmentViewSet
from transactions.views.approvals import StaffApprovalViewSet
from transactions.views.bulk import BulkTransferViewSet
from transactions.views.conversions import ConversionViewSet
from transactions.views.limits import LimitsViewSet
from transactions.views.receipts import ReceiptCheckViewSet, ReceiptViewSet
from transactions.views.statements import PastViewSet, StatementViewSet
from transactions.views.transactions import StaffTransactionViewSet, TransactionViewSet
from transactions.views.transfers import TransferViewSet

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
