"""App configuration."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Events, and what people are told about them."""

    name = "notifications"
    verbose_name = "Notifications"

    def ready(self) -> None:
        """Register the health check of the outbox, and metrics."""
        from fintech_core import health
        from notifications import metrics
        from notifications.health import check_outbox

        health.register("outbox", check_outbox, critical=False)
        metrics.register()
