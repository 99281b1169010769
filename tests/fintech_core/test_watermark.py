"""The watermark: what it calls complete is complete, and it says so when it cannot."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction

from fintech_core import clock
from fintech_core.watermark import WatermarkInTransaction, WatermarkStalled, watermark
from notifications.models import Event


class Writer:
    """Somebody else who writes events in a transaction of their own, step by step."""

    def __init__(self) -> None:
        given = connection.get_connection_params()
        names = ("dbname", "user", "password", "host", "port")
        self.session = psycopg.connect(**{name: given[name] for name in names if given.get(name)})

    def begin(self) -> int:
        """Open the transaction and draw its xid; returns it."""
        row = self.session.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
        assert row is not None
        return int(row[0])

    def write(self, created_at: Any = None) -> int:
        """Insert an event; returns its id."""
        now = created_at or clock.now()
        row = self.session.execute(
            "INSERT INTO notifications_event (public_id, type, payload, created_at, due_at, attempts, error)"
            " VALUES (gen_random_uuid(), 'pin.set', '{}', %s, %s, 0, '') RETURNING id",
            [now, now],
        ).fetchone()
        assert row is not None
        return int(row[0])

    def commit(self) -> None:
        """End the transaction."""
        self.session.commit()


@pytest.fixture
def writers(committed_db: None) -> Iterator[list[Writer]]:
    """Four writers with connections of their own."""
    with ExitStack() as stack:
        made = [Writer() for _ in range(4)]
        for writer in made:
            stack.callback(writer.session.close)
        yield made


class Reader(threading.Thread):
    """Asks for the watermark in a thread of its own, and notes what was visible when it came."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.cut: int | None = None
        self.visible: set[int] = set()

    def run(self) -> None:
        """Ask, then read."""
        try:
            self.cut = watermark(Event, wait_s=20)
            self.visible = set(Event.objects.filter(pk__lte=self.cut).values_list("pk", flat=True))
        finally:
            connection.close()

    def is_waiting(self) -> bool:
        """Say whether it has not come back after a while."""
        self.join(0.4)
        return self.is_alive()

    def finish(self) -> int:
        """Wait for the answer and return it."""
        self.join(20)
        assert self.cut is not None
        return self.cut


def committed(writer: Writer) -> int:
    """Write one event and commit it; returns its id."""
    row = writer.write()
    writer.commit()
    return row


def one_past_the_last_completed() -> int:
    """Return where a snapshot taken now would end."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
        return int(cursor.fetchone()[0])


class TestWatermark:
    def test_an_empty_table_is_complete_up_to_zero(self, committed_db: None) -> None:
        assert watermark(Event, wait_s=30) == 0

    def test_with_nobody_writing_it_is_the_highest_id_at_once(self, writers: list[Writer]) -> None:
        last = [committed(writers[0]) for _ in range(3)][-1]
        waits = []
        # Other processes write to other databases of the cluster, and are waited for, too.
        while not waits or (min(waits) >= 1 and len(waits) < 20):
            started = time.monotonic()
            assert watermark(Event, wait_s=30) == last
            waits.append(time.monotonic() - started)
        assert min(waits) < 1

    def test_waits_for_a_lower_id_that_is_still_open(self, writers: list[Writer]) -> None:
        slow, fast, *_ = writers
        slow.begin()
        lower = slow.write()
        higher = committed(fast)
        assert lower < higher
        reader = Reader()
        reader.start()
        assert reader.is_waiting()
        slow.commit()
        assert reader.finish() == higher
        assert reader.visible == {lower, higher}

    def test_waits_for_a_writer_who_will_draw_no_more_ids_but_might_have(self, writers: list[Writer]) -> None:
        slow, fast, *_ = writers
        slow.begin()
        higher = committed(fast)
        reader = Reader()
        reader.start()
        assert reader.is_waiting()
        slow.session.rollback()
        assert reader.finish() == higher

    def test_two_open_writers_above_the_last_completed_transaction_are_waited_for(
        self, writers: list[Writer]
    ) -> None:
        """A snapshot's xmax is one past the last completed xid: both writers lie above it."""
        early, first, second, _ = writers
        cuts = set()
        for _ in range(200):  # until no transaction of another database completes in between
            xid = early.begin()
            assert xid < first.begin() < second.begin()
            held = {first.write(), second.write()}
            cut = committed(early)
            assert cut > max(held)
            cuts.add(cut)
            if one_past_the_last_completed() == xid + 1:
                break
            first.session.rollback()
            second.session.rollback()
        else:
            pytest.fail("other databases of the cluster were never quiet")
        reader = Reader()
        reader.start()
        assert reader.is_waiting()
        first.commit()
        assert reader.is_waiting()
        second.commit()
        assert reader.finish() == cut
        assert reader.visible == {*held, *cuts}

    def test_one_that_says_an_earlier_time_but_begins_after_the_cut_stays_above_it(
        self, writers: list[Writer]
    ) -> None:
        first, late, *_ = writers
        before_the_cut = clock.now() - timedelta(minutes=1)
        committed(first)
        cut = watermark(Event, wait_s=30)
        complete = set(Event.objects.filter(pk__lte=cut).values_list("pk", flat=True))
        late.begin()
        late_id = late.write(created_at=before_the_cut)
        late.commit()
        assert late_id > cut
        assert set(Event.objects.filter(pk__lte=cut).values_list("pk", flat=True)) == complete
        assert Event.objects.filter(created_at__lte=before_the_cut).exists(), (
            "a cut by time would have lost it"
        )

    def test_a_writer_that_begins_meanwhile_is_not_waited_for(self, writers: list[Writer]) -> None:
        slow, fast, later, _ = writers
        slow.begin()
        higher = committed(fast)
        reader = Reader()
        reader.start()
        assert reader.is_waiting()
        later.begin()
        later.write()
        slow.commit()
        assert reader.finish() == higher

    def test_readers_hold_nothing_back(self, writers: list[Writer]) -> None:
        reading, fast, *_ = writers
        reading.session.execute("SELECT count(*) FROM notifications_event")
        last = committed(fast)
        assert watermark(Event, wait_s=30) == last


class TestStalledWatermark:
    def test_a_transaction_that_stays_open_is_told_with_its_age(self, writers: list[Writer]) -> None:
        forgotten, fast, *_ = writers
        forgotten.begin()
        time.sleep(0.5)
        committed(fast)
        started = time.monotonic()
        with pytest.raises(WatermarkStalled, match="notifications_event") as stalled:
            watermark(Event, wait_s=0.3)
        assert 0.25 < time.monotonic() - started < 3
        assert 0.7 < stalled.value.age_s < 60  # another database may have an older one

    def test_it_comes_back_once_the_transaction_has_ended(self, writers: list[Writer]) -> None:
        forgotten, fast, *_ = writers
        forgotten.begin()
        last = committed(fast)
        with pytest.raises(WatermarkStalled):
            watermark(Event, wait_s=0.1)
        forgotten.session.rollback()
        assert watermark(Event, wait_s=30) == last

    def test_is_refused_inside_a_transaction(self, committed_db: None) -> None:
        with transaction.atomic(), pytest.raises(WatermarkInTransaction):
            watermark(Event)


@pytest.mark.concurrency
class TestWatermarkUnderLoad:
    def test_no_row_appears_below_a_cut_that_was_called_complete(self, committed_db: None) -> None:
        stop = threading.Event()
        busy = [threading.Thread(target=_write_until, args=(stop, n), daemon=True) for n in range(3)]
        for thread in busy:
            thread.start()
        seen: dict[int, set[int]] = {}
        started = time.monotonic()
        # Long enough to be worth it, and until there are enough cuts: other databases are waited for, too.
        while (lasted := time.monotonic() - started) < 4 or (len(seen) <= 5 and lasted < 60):
            cut = watermark(Event, wait_s=30)
            seen[cut] = set(Event.objects.filter(pk__lte=cut).values_list("pk", flat=True))
        stop.set()
        for thread in busy:
            thread.join(10)
        assert len(seen) > 5
        for cut, rows in seen.items():
            assert set(Event.objects.filter(pk__lte=cut).values_list("pk", flat=True)) == rows


def _write_until(stop: threading.Event, number: int) -> None:
    """Write in transactions that stay open for a moment, so that ids and commits cross."""
    writer = Writer()
    with writer.session:
        while not stop.is_set():
            writer.begin()
            writer.write()
            time.sleep(0.003 * (number + 1))
            writer.commit()
