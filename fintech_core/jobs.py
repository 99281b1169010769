"""Jobs by name, after commit: a doorbell for work whose row is already due.

A lost or doubled job is no loss: beat sweeps the same rows. So publishing never fails the request that rang.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import structlog
from django.db import transaction

from fintech_core import clock
from fintech_core.celery import app
from fintech_core.models import JobRun

log = structlog.get_logger(__name__)


def enqueue(name: str, *ids: str) -> None:
    """Ring for the job ``name`` with the given ids once the current transaction has committed."""
    transaction.on_commit(partial(ring, name, *ids), robust=True)


def ring(name: str, *ids: str) -> None:
    """Publish the task at once, touching no database; a broker that is down costs delay, never the caller."""
    try:
        app.send_task(name, args=list(ids), retry=False, ignore_result=True)
    except Exception as error:  # whatever the broker's client raises: the sweeper finds the row
        log.warning("job_not_published", job=name, error=type(error).__name__)


@contextmanager
def run_record(name: str) -> Iterator[dict[str, Any]]:
    """Keep the ``JobRun`` row of a recurring job; the caller may put figures into the yielded dict."""
    started = clock.now()
    detail: dict[str, Any] = {}
    outcome = "failed"
    try:
        yield detail
        outcome = "completed"
    finally:
        JobRun.objects.update_or_create(
            name=name,
            defaults={
                "started_at": started,
                "finished_at": clock.now(),
                "outcome": outcome,
                "detail": detail,
            },
        )


def last_detail(name: str) -> dict[str, Any]:
    """Return the figures of a recurring job's last run; empty when there was none."""
    return JobRun.objects.filter(name=name).values_list("detail", flat=True).first() or {}
