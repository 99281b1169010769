"""Publishing: one row, one statement, in the caller's transaction or not at all."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from fintech_core import clock
from fintech_core.database.atomic import NotInTransaction
from fintech_core.fields import SecretText
from fintech_core.ids import uuid7
from notifications.bell import Bell
from notifications.errors import PayloadRefused, UnknownEventType
from notifications.models import Event
from notifications.services import EventDraft, publish, publish_many
from tests.notifications.samples import TRANSFER, owner_connection
from tests.waiting import until

PUBLISH = {"type": "transfer.sent", "payload": TRANSFER}


class TestPublish:
    def test_writes_one_row_with_one_statement_and_nothing_else(self, db: None) -> None:
        user_id = uuid4()
        with CaptureQueriesContext(connection) as queries, transaction.atomic():
            publish(**PUBLISH, user_id=user_id)
        statements = [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]
        assert len(statements) == 1
        assert "INSERT INTO notifications_event" in statements[0]
        row = Event.objects.get()
        assert (row.type, row.user_id, row.payload) == ("transfer.sent", user_id, TRANSFER)
        assert (row.attempts, row.relayed_at, row.parked_at) == (0, None, None)
        assert row.due_at == row.created_at
        assert abs(clock.now() - row.created_at) < timedelta(seconds=30)

    def test_several_go_with_one_statement_in_their_order(self, db: None) -> None:
        drafts = [EventDraft("transfer.sent", uuid4(), {**TRANSFER, "reference": f"R{n}"}) for n in range(50)]
        with CaptureQueriesContext(connection) as queries, transaction.atomic():
            publish_many(drafts)
        assert len([query for query in queries if "SAVEPOINT" not in query["sql"]]) == 1
        rows = Event.objects.order_by("id")
        assert [row.payload["reference"] for row in rows] == [f"R{n}" for n in range(50)]

    def test_nothing_to_publish_asks_nothing(self, db: None) -> None:
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            publish_many([])
        assert len(queries) == 0

    def test_goes_with_its_transaction(self, committed_db: None) -> None:
        with transaction.atomic():
            publish(**PUBLISH, user_id=None)
            transaction.set_rollback(True)
        assert not Event.objects.exists()

    def test_is_refused_outside_a_transaction(self, committed_db: None) -> None:
        with pytest.raises(NotInTransaction):
            publish(**PUBLISH, user_id=None)
        assert not Event.objects.exists()

    def test_an_unknown_type_is_refused(self, db: None) -> None:
        with transaction.atomic(), pytest.raises(UnknownEventType):
            publish(type="transfer.imagined", user_id=None, payload={})
        assert not Event.objects.exists()

    @pytest.mark.parametrize(
        "payload",
        [
            {},
            {name: value for name, value in TRANSFER.items() if name != "reference"},
            {**TRANSFER, "recipient_phone": "+2348000000000"},
            {**TRANSFER, "amount": Decimal("1500.0000")},
            {**TRANSFER, "amount": 1500.0},
            {**TRANSFER, "counterparty": {"name": "Bola"}},
            {**TRANSFER, "reference": SecretText("s3cret")},
        ],
        ids=["empty", "field missing", "field unknown", "decimal", "float", "nested", "secret text"],
    )
    def test_a_payload_that_the_catalogue_does_not_allow_is_refused(
        self, db: None, payload: dict[str, Any]
    ) -> None:
        with transaction.atomic(), pytest.raises(PayloadRefused):
            publish(type="transfer.sent", user_id=None, payload=payload)
        assert not Event.objects.exists()

    def test_ids_are_written_as_text(self, db: None) -> None:
        identifier = uuid7()
        with transaction.atomic():
            publish(type="transfer.sent", user_id=None, payload={**TRANSFER, "transaction_id": identifier})
        assert Event.objects.get().payload["transaction_id"] == str(identifier)

    def test_has_its_transaction_id_before_it_draws_an_id(self, committed_db: None) -> None:
        """The watermark is built on it: a writer that is stopped at the sequence already has its xid."""
        owner = owner_connection()
        owner.execute("ALTER SEQUENCE notifications_event_id_seq CACHE 1")
        writer = threading.Thread(target=_publish_one)
        writer.start()
        try:
            [xid] = until(_writer_at_the_sequence)
        finally:
            owner.rollback()
            writer.join(10)
            owner.close()
        assert xid is not None
        assert Event.objects.count() == 1


def _publish_one() -> None:
    try:
        with transaction.atomic():
            publish(**PUBLISH, user_id=None)
    finally:
        connection.close()


def _writer_at_the_sequence() -> tuple[int | None] | None:
    """Return the xid of the session that waits for the sequence's lock, once there is one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT backend_xid::text::bigint FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database() AND query LIKE '%%INTO notifications_event%%'"
        )
        return cursor.fetchone()


class TestBell:
    def test_a_press_is_asked_for_after_commit(
        self, db: None, django_capture_on_commit_callbacks: Callable[..., Any]
    ) -> None:
        with django_capture_on_commit_callbacks() as callbacks, transaction.atomic():
            publish(**PUBLISH, user_id=None)
        assert len(callbacks) == 1

    def test_many_presses_ring_once_and_once_more_at_the_end(self) -> None:
        rings: list[str] = []
        bell = Bell("some.job", interval_s=0.3, ring=rings.append)
        for _ in range(1_000):
            bell.press()
        until(lambda: len(rings) == 1)
        for _ in range(1_000):
            bell.press()
        assert rings == ["some.job"]
        until(lambda: len(rings) == 2)
        time.sleep(0.4)
        assert len(rings) == 2

    def test_a_press_after_a_quiet_time_rings_at_once(self) -> None:
        rings: list[float] = []
        bell = Bell("some.job", interval_s=0.2, ring=lambda _job: rings.append(time.monotonic()))
        bell.press()
        until(lambda: len(rings) == 1)
        time.sleep(0.3)
        pressed = time.monotonic()
        bell.press()
        until(lambda: len(rings) == 2)
        assert rings[1] - pressed < 0.15

    def test_a_press_does_not_wait_for_a_broker_that_hangs(self) -> None:
        released = threading.Event()
        bell = Bell("some.job", interval_s=0.01, ring=lambda _job: released.wait(5))
        started = time.monotonic()
        for _ in range(100):
            bell.press()
        assert time.monotonic() - started < 1
        released.set()
