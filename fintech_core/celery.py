"""The Celery application: a doorbell over rows in PostgreSQL, never a store of facts.

Every task takes ids only, may run twice at once and may be lost; the row it works on decides.
"""

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fintech_core.settings")

app = Celery("fintech_core")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@beat_init.connect
def ring_the_heartbeat(**_kwargs: Any) -> None:
    """Let beat ring as soon as it starts, so that health is told at once and not after the first interval."""
    app.send_task("fintech_core.beat_heartbeat", retry=False, ignore_result=True)
