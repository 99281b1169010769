"""Jobs: each makes one call and may run twice at once."""

from celery import shared_task

from notifications import services


@shared_task(name="notifications.relay_events")
def relay_events() -> None:
    """Tell people and jobs about events that are due."""
    services.relay_due()


@shared_task(name="notifications.deliver_messages")
def deliver_messages() -> None:
    """Send e-mails that are due."""
    services.deliver_due()
