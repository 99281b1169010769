"""Routes of this app, below ``/api/v1/``."""

from django.urls import path

from wallet.views import MainWalletViewSet, StaffWalletViewSet, WalletViewSet

urlpatterns = [
    path("wallet", MainWalletViewSet.as_view({"get": "retrieve"})),
    path("wallet/balance", MainWalletViewSet.as_view({"get": "retrieve"})),
    path("wallets", WalletViewSet.as_view({"get": "list", "post": "create"})),
    path("wallets/<uuid:pk>", WalletViewSet.as_view({"get": "retrieve"})),
    path("admin/wallets/<uuid:pk>/freeze", StaffWalletViewSet.as_view({"post": "freeze"})),
    path("admin/wallets/<uuid:pk>/unfreeze", StaffWalletViewSet.as_view({"post": "unfreeze"})),
]
