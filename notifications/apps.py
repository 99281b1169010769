"""App configuration."""

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    """Events, and what people are told about them."""

    name = "notifications"
    verbose_name = "Notifications"

    def ready(self) -> None:
        """Register the health check of the outbox."""
        from fintech_core import health
        from notifications.health import check_outbox

        health.register("outbox", check_outbox, critical=False)
