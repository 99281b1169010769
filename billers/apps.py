"""App configuration."""

from django.apps import AppConfig


class BillersConfig(AppConfig):
    """What can be paid, and the payments themselves."""

    name = "billers"
    verbose_name = "Bills"

    def ready(self) -> None:
        """Say how a bill payment answers a repeated request."""
        from billers import rendering
        from fintech_core import idempotency

        idempotency.register_document(rendering.SOURCE_KIND, rendering.answer)
