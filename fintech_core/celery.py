"""The Celery application: a doorbell over rows in PostgreSQL, never a store of facts.

Every task takes ids only, may run twice at once and may be lost; the row it works on decides.
"""

import os
from typing import Any, Final

from celery import Celery
from celery.signals import beat_init
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fintech_core.settings")

TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), "fintech_core.broker:Transport"))

# A request that rings waits a second at most, and not at all for a broker that refuses: the row is due anyway.
PUBLISH_OPTIONS: Final = {
    "socket_timeout": 1,
    "socket_connect_timeout": 1,
    "max_retries": 0,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}


class Doorbell(Celery):
    """Celery whose publishers give up quickly; its consumers wait for the broker as configured."""

    def connection_for_write(self, url: str | None = None, **kwargs: Any) -> Any:
        """Return a connection for publishing."""
        options = {**PUBLISH_OPTIONS, **(kwargs.pop("transport_options", None) or {})}
        return super().connection_for_write(url, transport_options=options, **kwargs)


app = Doorbell("fintech_core")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@beat_init.connect
def ring_the_heartbeat(**_kwargs: Any) -> None:
    """Let beat ring as soon as it starts, so that health is told at once and not after the first interval."""
    app.send_task("fintech_core.beat_heartbeat", retry=False, ignore_result=True)
