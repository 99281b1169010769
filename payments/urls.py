"""Routes of this app, below ``/api/v1/``. ``/wallet/fund`` and ``POST /payments/intents`` are one operation."""

from django.urls import path

from payments.providers.registry import gateway_names
from payments.views import PaymentIntentViewSet, WebhookViewSet

intent = "payments/intents/<uuid:pk>"

urlpatterns = [
    path("wallet/fund", PaymentIntentViewSet.as_view({"post": "create"})),
    path("payments/intents", PaymentIntentViewSet.as_view({"post": "create", "get": "list"})),
    path(intent, PaymentIntentViewSet.as_view({"get": "retrieve"})),
    path(f"{intent}/verify", PaymentIntentViewSet.as_view({"post": "verify"})),
    path(f"{intent}/cancel", PaymentIntentViewSet.as_view({"post": "cancel"})),
    path(f"{intent}/simulate", PaymentIntentViewSet.as_view({"post": "simulate"})),
    *(
        path(f"payments/webhooks/{name}", WebhookViewSet.as_view({"post": "gateway"}), {"vendor": name})
        for name in gateway_names()
    ),
    path("payments/webhooks/vtpass/<str:token>", WebhookViewSet.as_view({"post": "vtpass"})),
]
