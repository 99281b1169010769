"""App configuration."""

from django.apps import AppConfig


class BillersConfig(AppConfig):
    """What can be paid, and the payments themselves."""

    name = "billers"
    verbose_name = "Bills"

    def ready(self) -> None:
        """Say how a bill payment answers a repeated request, how it is described, and when its hold may not end;
        register metrics.
        """
        from billers import describing, metrics, rendering, selectors
        from fintech_core import documents, idempotency

        documents.register_live_check(rendering.SOURCE_KIND, selectors.is_open)
        idempotency.register_document(rendering.SOURCE_KIND, rendering.answer)
        documents.register_describer(rendering.SOURCE_KIND, describing.describe_payment)
        documents.register_describer("late_delivery", describing.describe_late_delivery)
        metrics.register()
