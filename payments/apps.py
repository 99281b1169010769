"""App configuration."""

from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    """Money in through gateways, and the inbox for every vendor's webhooks."""

    name = "payments"
    verbose_name = "Payments"

    def ready(self) -> None:
        """Say how a payment intent answers a repeated request and how a payment is described; register metrics."""
        from fintech_core.documents import register_describer
        from fintech_core.idempotency import register_document
        from payments import metrics
        from payments.describing import describe_payment
        from payments.rendering import answer

        register_document("payment_intent", answer)
        register_describer("payment", describe_payment)
        metrics.register()
