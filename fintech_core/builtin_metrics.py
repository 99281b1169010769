"""Metrics of the ground floor: recurring jobs, writers that are left open, vendors, requests for a second person."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db.models import QuerySet

from fintech_core import circuit
from fintech_core.metrics import Metric, Sample, register, register_waiting
from fintech_core.models import ApprovalRequest, ApprovalStatus, JobRun
from fintech_core.watermark import open_writers

MOST_JOBS: Final = 200

VENDOR_DOWN: Final = Metric("vendor_down", "1 while the vendor's circuit is open", ("vendor",))
VENDOR_SLOW: Final = Metric("vendor_slow", "1 while calls to the vendor often fail or take long", ("vendor",))
OLDEST_WRITER: Final = Metric(
    "watermark_oldest_writer_seconds",
    "Age of the oldest open transaction that writes, which holds the watermark back; 0 when none is open",
)
UNSEEN_WRITER: Final = Metric(
    "watermark_unseen_writer_xid",
    "Transaction id of the oldest whose age PostgreSQL hides, since it is another role's; 0 when there is none",
)
JOB_FINISHED: Final = Metric(
    "job_finished_timestamp_seconds", "When the recurring job last finished", ("task",)
)
JOB_SUCCEEDED: Final = Metric("job_succeeded", "1 if that run did its work, 0 if it failed", ("task",))
JOB_INTERVAL: Final = Metric("job_interval_seconds", "How often beat rings for the job", ("task",))


def register_builtin() -> None:
    """Register the parts of the ground floor; Redis first, so that a silent database does not use up its time."""
    register("circuits", read_circuits, VENDOR_DOWN, VENDOR_SLOW, in_database=False)
    register("watermark", read_watermark, OLDEST_WRITER, UNSEEN_WRITER)
    register("jobs", read_jobs, JOB_FINISHED, JOB_SUCCEEDED, JOB_INTERVAL)
    register_waiting(
        "approval",
        "pending",
        "what staff asked for that needs a second person",
        _open_requests,
        since="requested_at",
    )


def read_circuits() -> Iterable[Sample]:
    """Tell how each vendor does. Raises lua.RedisDown: then nobody knows."""
    for vendor, status in circuit.look_at_all().items():
        yield VENDOR_DOWN.sample(status == "down", vendor)
        yield VENDOR_SLOW.sample(status == "slow", vendor)


def read_watermark() -> Iterable[Sample]:
    """Tell who could still write below the watermark."""
    writers = open_writers()
    return OLDEST_WRITER.sample(writers.oldest_s), UNSEEN_WRITER.sample(writers.unseen_xid)


def read_jobs() -> Iterable[Sample]:
    """Tell of each recurring job that has run when and how it ended, and how often it should."""
    intervals = {
        entry["task"]: entry["schedule"]
        for entry in settings.CELERY_BEAT_SCHEDULE.values()
        if isinstance(entry["schedule"], timedelta)
    }
    for run in JobRun.objects.order_by("name")[:MOST_JOBS]:
        if run.name not in intervals or run.finished_at is None:
            continue
        yield JOB_INTERVAL.sample(intervals[run.name], run.name)
        yield JOB_FINISHED.sample(run.finished_at, run.name)
        yield JOB_SUCCEEDED.sample(run.outcome == "completed", run.name)


def _open_requests(now: datetime) -> QuerySet[ApprovalRequest]:
    return ApprovalRequest.objects.filter(status=ApprovalStatus.PENDING).order_by("requested_at")
