"""Identifiers ordered by time, and the business day."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from fintech_core import clock, ids
from fintech_core.ids import new_reference, uuid7


class TestUuid7:
    def test_it_is_a_version_7_of_now(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # Keys never go back: after a test that travelled ahead in time they would follow that time.
        monkeypatch.setattr(ids, "_last_stamp", 0)
        before = time.time_ns() // 1_000_000
        found = uuid7()
        after = time.time_ns() // 1_000_000
        assert (found.version, found.variant) == (7, uuid.RFC_4122)
        assert before - 1 <= found.int >> 80 <= after + 1

    def test_later_ones_are_greater_also_within_a_millisecond(self) -> None:
        found = [uuid7() for _ in range(20_000)]
        assert found == sorted(found)
        assert len(set(found)) == len(found)

    def test_threads_never_share_one(self) -> None:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: uuid7(), range(8_000)))
        assert len(set(found)) == 8_000


class TestReference:
    def test_it_is_readable_and_ordered(self) -> None:
        found = [new_reference("TRF") for _ in range(1_000)]
        assert found == sorted(found)
        assert len(set(found)) == 1_000
        for reference in found:
            prefix, _, digits = reference.partition("-")
            assert (prefix, len(digits)) == ("TRF", 26)
            assert set(digits) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ")


class TestBusinessDay:
    @pytest.mark.parametrize(
        ("at", "day"),
        [
            (datetime(2026, 3, 1, 22, 59, 59, tzinfo=UTC), date(2026, 3, 1)),
            (datetime(2026, 3, 1, 23, 0, 0, tzinfo=UTC), date(2026, 3, 2)),
            (datetime(2025, 12, 31, 23, 30, tzinfo=UTC), date(2026, 1, 1)),
        ],
    )
    def test_it_turns_at_midnight_in_lagos(self, at: datetime, day: date) -> None:
        assert clock.business_day(at) == day

    def test_it_begins_an_hour_before_midnight_utc(self) -> None:
        assert clock.start_of_day(date(2026, 3, 2)) == datetime(2026, 3, 1, 23, 0, tzinfo=UTC)

    def test_limits_reset_at_the_next_day_and_month(self) -> None:
        at = datetime(2025, 12, 15, 12, 0, tzinfo=UTC)
        assert clock.next_day(at) == datetime(2025, 12, 15, 23, 0, tzinfo=UTC)
        assert clock.next_month(at) == datetime(2025, 12, 31, 23, 0, tzinfo=UTC)
        assert clock.next_month(datetime(2026, 1, 31, 12, 0, tzinfo=UTC)) == datetime(
            2026, 1, 31, 23, 0, tzinfo=UTC
        )

    @pytest.mark.parametrize("month", range(1, 13))
    def test_a_month_always_leads_to_the_next(self, month: int) -> None:
        found = clock.business_day(clock.next_month(datetime(2026, month, 5, tzinfo=UTC)))
        assert found == date(2026 + month // 12, month % 12 + 1, 1)

    def test_now_is_aware(self) -> None:
        assert clock.now().utcoffset() is not None


class TestInstants:
    @pytest.mark.parametrize(
        ("value", "told"),
        [
            (datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC), "2026-03-04T05:06:07.000008Z"),
            (datetime(2026, 3, 4, 1, 0, tzinfo=timezone(timedelta(hours=1))), "2026-03-04T00:00:00.000000Z"),
            (datetime(1, 1, 1, tzinfo=UTC), "0001-01-01T00:00:00.000000Z"),
        ],
    )
    def test_are_written_as_the_rfc_has_them(self, value: datetime, told: str) -> None:
        assert clock.rfc3339(value) == told
