"""Routes of this app, below ``/api/v1/``."""

from django.urls import path

from transactions.views import (
    BulkTransferViewSet,
    ConversionViewSet,
    LimitsViewSet,
    PastViewSet,
    ReceiptCheckViewSet,
    ReceiptViewSet,
    StaffAdjustmentViewSet,
    StaffApprovalViewSet,
    StaffTransactionViewSet,
    StatementViewSet,
    TransactionViewSet,
    TransferViewSet,
)

urlpatterns = [
    path("transactions/transfer", TransferViewSet.as_view({"post": "create"})),
    path("transactions", TransactionViewSet.as_view({"get": "list"})),
    path("transactions/transfer/lookup", TransferViewSet.as_view({"post": "lookup"})),
    path("transactions/transfer/bulk", BulkTransferViewSet.as_view({"post": "create"})),
    path("transactions/transfer/bulk/<uuid:pk>", BulkTransferViewSet.as_view({"get": "retrieve"})),
    path("transactions/history", TransactionViewSet.as_view({"get": "history"})),
    path("transactions/<uuid:pk>", TransactionViewSet.as_view({"get": "retrieve"})),
    path("transactions/<uuid:pk>/receipt", ReceiptViewSet.as_view({"get": "retrieve"})),
    path("limits", LimitsViewSet.as_view({"get": "retrieve"})),
    path("wallet/balance/at", PastViewSet.as_view({"get": "balance"})),
    path("wallet/convert", ConversionViewSet.as_view({"post": "create"})),
    path("wallet/convert/quote", ConversionViewSet.as_view({"post": "quote"})),
    path("wallet/statement", StatementViewSet.as_view({"get": "retrieve"})),
    path("receipts/<str:code>", ReceiptCheckViewSet.as_view({"get": "retrieve"})),
    path("transactions/<uuid:pk>/entries", TransactionViewSet.as_view({"get": "entries"})),
    path("admin/approvals", StaffApprovalViewSet.as_view({"get": "list"})),
    path("admin/approvals/<uuid:pk>", StaffApprovalViewSet.as_view({"get": "retrieve"})),
    path("admin/approvals/<uuid:pk>/approve", StaffApprovalViewSet.as_view({"post": "approve"})),
    path("admin/approvals/<uuid:pk>/reject", StaffApprovalViewSet.as_view({"post": "reject"})),
    path("admin/transactions/<uuid:pk>/refund", StaffTransactionViewSet.as_view({"post": "refund"})),
    path("admin/adjustments", StaffAdjustmentViewSet.as_view({"post": "create"})),
    path("admin/transactions/<uuid:pk>/reverse", StaffTransactionViewSet.as_view({"post": "reverse"})),
]
