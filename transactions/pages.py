"""Pages of this app for people without an account, below ``/receipts/``."""

from django.urls import path

from transactions.views import ReceiptCheckViewSet

urlpatterns = [path("<str:code>", ReceiptCheckViewSet.as_view({"get": "page"}), name="receipt")]
