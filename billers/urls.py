"""Routes of this app, below ``/api/v1/``."""

from django.urls import path

from billers.views import BillerStatusViewSet, BillerViewSet, BillViewSet, CategoryViewSet

urlpatterns = [
    path("billers", BillerViewSet.as_view({"get": "list"})),
    path("billers/categories", CategoryViewSet.as_view({"get": "list"})),
    path("billers/status", BillerStatusViewSet.as_view({"get": "list"})),
    path("billers/<slug:code>", BillerViewSet.as_view({"get": "retrieve"})),
    path("bills/validate", BillViewSet.as_view({"post": "validate"})),
    path("bills/pay", BillViewSet.as_view({"post": "pay"})),
    path("payments/pay-bill", BillViewSet.as_view({"post": "pay_bill"})),
    path("bills/payments", BillViewSet.as_view({"get": "list"})),
    path("bills/payments/<uuid:pk>", BillViewSet.as_view({"get": "retrieve"})),
]
