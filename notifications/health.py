"""The health of the outbox: how long the oldest event has been waiting."""

from fintech_core import clock
from fintech_core.health import Report
from notifications.models import Event

OLDEST_ALLOWED_S = 120.0


def check_outbox() -> Report:
    """Report the age of the oldest event that is not relayed, and how many were parked as undeliverable."""
    oldest = (
        Event.objects.filter(relayed_at=None, parked_at=None).order_by("id").values_list("created_at").first()
    )
    age_s = max(0.0, (clock.now() - oldest[0]).total_seconds()) if oldest else 0.0
    parked = Event.objects.filter(parked_at__isnull=False).count()
    return Report(age_s <= OLDEST_ALLOWED_S, {"oldest_unrelayed_s": round(age_s, 1), "parked": parked})
