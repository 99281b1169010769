"""The health of the outbox."""

from datetime import timedelta

from fintech_core import clock, health
from notifications.health import check_outbox
from notifications.models import Event
from notifications.services import relay_due
from tests.notifications.samples import make_user, published


class TestOutboxHealth:
    def test_an_empty_outbox_is_well(self, db: None) -> None:
        assert check_outbox() == health.Report(True, {"oldest_unrelayed_s": 0.0, "parked": 0})

    def test_an_event_that_waits_for_too_long_is_told(self, db: None) -> None:
        user = make_user()
        waiting = published("pin.set", user.pk)
        Event.objects.filter(pk=waiting.pk).update(created_at=clock.now() - timedelta(seconds=119))
        published("pin.set", user.pk)
        assert check_outbox().ok
        Event.objects.filter(pk=waiting.pk).update(created_at=clock.now() - timedelta(seconds=121))
        report = check_outbox()
        assert not report.ok
        assert 121 <= report.detail["oldest_unrelayed_s"] < 130
        relay_due()
        assert check_outbox().ok

    def test_parked_events_are_counted_and_hold_nothing_back(self, db: None) -> None:
        old = clock.now() - timedelta(hours=1)
        Event.objects.create(type="pin.set", payload={}, created_at=old, due_at=old, parked_at=old)
        assert check_outbox() == health.Report(True, {"oldest_unrelayed_s": 0.0, "parked": 1})

    def test_is_part_of_the_detailed_health(self, committed_db: None) -> None:
        _, reports = health.run(["outbox"], limit_s=10)
        assert reports["outbox"]["ok"]
        assert not reports["outbox"]["critical"]
