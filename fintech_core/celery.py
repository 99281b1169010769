"""The Celery application: a doorbell over rows in PostgreSQL, never a store of facts.

Every task takes ids only, may run twice at once and may be lost; the row it works on decides.
"""

import os
import sys
from typing import Any, Final

from celery import Celery
from celery.signals import beat_init, task_prerun
from django.db import close_old_connections
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
# Celery would leave the database before and after each task, and connecting costs more than most tasks do. Kept as
# for requests instead: checked when a task first asks, and left when broken.
app.conf.CELERY_DB_REUSE_MAX = sys.maxsize


@task_prerun.connect
def look_at_connections(**_kwargs: Any) -> None:
    """Let go of connections that are broken or too old, and have the others checked before they are used."""
    close_old_connections()


@beat_init.connect
def ring_the_heartbeat(**_kwargs: Any) -> None:
    """Let beat ring as soon as it starts, so that health is told at once and not after the first interval."""
    app.send_task("fintech_core.beat_heartbeat", retry=False, ignore_result=True)
