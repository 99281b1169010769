"""The jobs of the ground floor."""

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from fintech_core import clock, health, idempotency, tasks
from fintech_core.idempotency import records
from fintech_core.models import IdempotencyRecord, JobRun

pytestmark = pytest.mark.django_db


def remember(at: datetime) -> IdempotencyRecord:
    """Store the record of a key."""
    return IdempotencyRecord.objects.create(
        user_id=uuid4(), operation="transfer", key="key", fingerprint="f", response_status=201, created_at=at
    )


class TestHeartbeat:
    def test_it_is_what_health_looks_for(self) -> None:
        tasks.beat_heartbeat()
        assert health.check_heartbeat().ok

    def test_each_beat_writes_the_same_row(self) -> None:
        tasks.beat_heartbeat()
        first = JobRun.objects.get(name=health.HEARTBEAT_JOB).finished_at
        tasks.beat_heartbeat()
        again = JobRun.objects.get(name=health.HEARTBEAT_JOB).finished_at
        assert first is not None
        assert again is not None
        assert again > first


class TestForgettingKeys:
    def test_only_what_nobody_may_repeat_goes(self) -> None:
        now = clock.now()
        kept = remember(now - idempotency.KEPT_FOR + timedelta(seconds=30))
        remember(now - idempotency.KEPT_FOR - timedelta(seconds=30))
        assert idempotency.forget_expired(now=now) == 1
        assert list(IdempotencyRecord.objects.all()) == [kept]

    def test_more_than_a_batch_goes_in_one_call(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(records, "FORGET_BATCH", 2)
        now = clock.now()
        for days in range(5):
            remember(now - timedelta(days=31 + days))
        assert idempotency.forget_expired(now=now) == 5
        assert IdempotencyRecord.objects.count() == 0

    def test_a_call_ends_after_its_batches_and_the_oldest_go_first(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(records, "FORGET_BATCH", 2)
        monkeypatch.setattr(records, "FORGET_BATCHES", 2)
        now = clock.now()
        made = [remember(now - timedelta(days=31 + days)) for days in range(5)]
        assert idempotency.forget_expired(now=now) == 4
        assert list(IdempotencyRecord.objects.all()) == made[:1]
        assert idempotency.forget_expired(now=now) == 1

    def test_the_job_keeps_a_record_of_its_run(self) -> None:
        remember(clock.now() - timedelta(days=40))
        tasks.cleanup_idempotency_records()
        run = JobRun.objects.get(name="fintech_core.cleanup_idempotency_records")
        assert (run.outcome, run.detail) == ("completed", {"forgotten": 1})
