"""Jobs of the ground floor: the heartbeat, and the cleaning up of what is kept for a time."""

from celery import shared_task

from fintech_core import clock, health, idempotency, jobs


@shared_task(name=health.HEARTBEAT_JOB)
def beat_heartbeat() -> None:
    """Leave a sign of life: beat rang and a worker ran, which is what ``/health/detailed`` looks for."""
    with jobs.run_record(health.HEARTBEAT_JOB):
        """The row itself is the sign."""


@shared_task(name="fintech_core.cleanup_idempotency_records")
def cleanup_idempotency_records() -> None:
    """Forget idempotency keys that nobody may repeat any more."""
    with jobs.run_record("fintech_core.cleanup_idempotency_records") as detail:
        detail["forgotten"] = idempotency.forget_expired(now=clock.now())
