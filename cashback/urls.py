"""Routes of this app, below ``/api/v1/``."""

from django.urls import path

from cashback.views import CashbackViewSet

urlpatterns = [
    path("cashback/history", CashbackViewSet.as_view({"get": "history"})),
    path("rewards/history", CashbackViewSet.as_view({"get": "history"})),
    path("cashback/summary", CashbackViewSet.as_view({"get": "summary"})),
    path("cashback/redeem", CashbackViewSet.as_view({"post": "redeem"})),
]
