"""The relay: everybody is told, nobody twice, whatever dies in between."""

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery.signals import after_task_publish
from django.db import connection, transaction

from fintech_core import clock
from notifications.catalogue import CATALOGUE
from notifications.enums import Channel, DeliveryStatus
from notifications.models import Delivery, Event, Message
from notifications.relay import LEASE, MAX_ATTEMPTS
from notifications.services import EventDraft, publish_many, relay_due
from tests.notifications.processes import run_in_process
from tests.notifications.samples import TRANSFER, make_due, make_user, owner_connection, published
from tests.waiting import until

Capture = Callable[..., Any]


@pytest.fixture
def rung() -> Iterator[list[tuple[str, tuple[str, ...]]]]:
    """The jobs that were really published, with their arguments."""
    jobs: list[tuple[str, tuple[str, ...]]] = []

    def note(sender: str = "", body: Any = None, **_: Any) -> None:
        jobs.append((sender, tuple(body[0])))

    after_task_publish.connect(note, weak=False)
    yield jobs
    after_task_publish.disconnect(note)


def broken_event(user_id: Any) -> Event:
    """Write an event that no template can tell: its type is not in the catalogue of this deployment."""
    now = clock.now()
    return Event.objects.create(type="future.event", user_id=user_id, payload={}, created_at=now, due_at=now)


class TestRelay:
    def test_tells_the_user_in_the_app_and_by_email(self, db: None) -> None:
        user = make_user(email="ada@example.com", first_name="Ada")
        event = published("transfer.received", user.pk, amount="1500.00", counterparty="Bola Ade")
        assert relay_due() == 1
        message = Message.objects.get()
        assert (message.event_id, message.user_id, message.type) == (event.pk, user.pk, "transfer.received")
        assert (message.category, message.title) == ("money", "You received NGN 1,500.00")
        assert message.data == event.payload
        assert message.read_at is None
        delivery = Delivery.objects.get()
        assert (delivery.event_id, delivery.user_id, delivery.channel) == (event.pk, user.pk, Channel.EMAIL)
        assert (delivery.recipient, delivery.subject) == ("ada@example.com", message.title)
        assert delivery.body.startswith("Hello Ada,")
        assert (delivery.status, delivery.attempts) == (DeliveryStatus.PENDING, 0)
        event.refresh_from_db()
        assert event.relayed_at is not None

    def test_nothing_is_told_twice(self, db: None) -> None:
        published("transfer.received", make_user().pk)
        assert relay_due() == 1
        make_due()
        assert relay_due() == 0
        assert (Message.objects.count(), Delivery.objects.count()) == (1, 1)

    def test_a_type_told_in_the_app_only_sends_no_email(self, db: None) -> None:
        published("cashback.earned", make_user().pk)
        relay_due()
        assert (Message.objects.count(), Delivery.objects.count()) == (1, 0)

    def test_an_event_of_nobody_is_relayed_and_told_to_nobody(self, db: None) -> None:
        make_user()
        published("ledger.invariant_broken", None)
        assert relay_due() == 1
        assert not Message.objects.exists()
        assert Event.objects.filter(relayed_at=None).count() == 0

    def test_speaks_the_users_language_where_there_is_a_text(
        self, db: None, settings: Any, tmp_path: Path
    ) -> None:
        folder = tmp_path / "notifications"
        folder.mkdir()
        (folder / "pin.set.fr.subject").write_text("Votre code PIN a changé")
        settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
        published("pin.set", make_user(language="fr").pk)
        relay_due()
        message = Message.objects.get()
        assert message.title == "Votre code PIN a changé"
        assert message.body.startswith("Your transaction PIN")

    def test_goes_on_until_the_limit_and_rings_for_the_rest(
        self, db: None, rung: list[Any], django_capture_on_commit_callbacks: Capture
    ) -> None:
        user = make_user()
        with transaction.atomic():
            publish_many([EventDraft("cashback.earned", user.pk, {"amount": "1.00", "currency": "NGN"})] * 7)
        with django_capture_on_commit_callbacks(execute=True):
            assert relay_due(limit=5) == 5
        assert ("notifications.relay_events", ()) in rung
        relayed = Event.objects.exclude(relayed_at=None).values_list("id", flat=True)
        assert set(relayed) == set(Event.objects.order_by("id").values_list("id", flat=True)[:5])


class TestReactions:
    def test_each_job_is_rung_once_for_each_user(
        self, db: None, settings: Any, rung: list[Any], django_capture_on_commit_callbacks: Capture
    ) -> None:
        settings.EVENT_REACTIONS = {"kyc.approved": ["test.react"], "ledger.invariant_broken": ["test.alarm"]}
        ada, bola = make_user(), make_user()
        for user in (ada, ada, bola):
            published("kyc.approved", user.pk)
        published("kyc.rejected", bola.pk)
        published("ledger.invariant_broken", None)
        with django_capture_on_commit_callbacks(execute=True):
            relay_due()
        reactions = sorted(job for job in rung if job[0].startswith("test."))
        assert reactions == sorted(
            [("test.react", (str(ada.pk),)), ("test.react", (str(bola.pk),)), ("test.alarm", ())]
        )
        assert rung.count(("notifications.deliver_messages", ())) == 1


class TestBrokenEvent:
    def test_the_others_go_on(self, db: None) -> None:
        user = make_user()
        published("pin.set", user.pk)
        broken = broken_event(user.pk)
        published("pin.locked", user.pk)
        relay_due()
        assert set(Message.objects.values_list("type", flat=True)) == {"pin.set", "pin.locked"}
        broken.refresh_from_db()
        assert (broken.relayed_at, broken.parked_at, broken.attempts) == (None, None, 1)
        assert "future.event" in broken.error
        assert broken.due_at > clock.now()

    def test_is_parked_after_the_last_attempt_and_never_touched_again(self, db: None) -> None:
        broken = broken_event(make_user().pk)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            assert relay_due() == 1
            broken.refresh_from_db()
            assert broken.attempts == attempt
            assert (broken.parked_at is not None) is (attempt == MAX_ATTEMPTS)
            make_due()
        assert relay_due() == 0
        broken.refresh_from_db()
        assert (broken.attempts, broken.relayed_at) == (MAX_ATTEMPTS, None)
        assert not Message.objects.exists()

    def test_waits_longer_after_each_attempt(self, db: None) -> None:
        broken = broken_event(make_user().pk)
        waits: list[float] = []
        for _ in range(MAX_ATTEMPTS - 1):
            relay_due()
            broken.refresh_from_db()
            waits.append((broken.due_at - clock.now()).total_seconds())
            make_due()
        assert waits == sorted(waits)
        assert waits[0] > 3
        assert waits[-1] > 500

    def test_one_that_ended_every_process_is_parked(self, db: None) -> None:
        killer = broken_event(make_user().pk)
        Event.objects.update(attempts=MAX_ATTEMPTS, due_at=clock.now())
        relay_due()
        killer.refresh_from_db()
        assert killer.parked_at is not None
        assert "process ended" in killer.error

    def test_a_row_that_the_database_refuses_takes_nobody_with_it(self, committed_db: None) -> None:
        user = make_user()
        with owner_connection() as owner:
            owner.execute(
                "ALTER TABLE notifications_message ADD CONSTRAINT no_poison CHECK (body NOT LIKE '%poison%')"
            )
        published("transfer.received", user.pk, counterparty="Bola")
        poison = published("transfer.received", user.pk, counterparty="poison")
        published("transfer.received", user.pk, counterparty="Chidi")
        relay_due()
        assert Message.objects.count() == Delivery.objects.count() == 2
        poison.refresh_from_db()
        assert poison.relayed_at is None
        assert "no_poison" in poison.error


class TestKilledRelay:
    def killed_at(self, point: str, crash_points: Path) -> None:
        (crash_points / f"{point}.kill").touch()
        ended = run_in_process("services.relay_due()", crash_points=crash_points)
        assert ended.returncode == -signal.SIGKILL, ended.stderr

    @pytest.mark.parametrize("point", ["relay.after_claim", "relay.before_commit"])
    def test_before_its_commit_nothing_is_told_and_the_next_tells_all(
        self, committed_db: None, tmp_path: Path, point: str
    ) -> None:
        user = make_user()
        event = published("transfer.received", user.pk)
        self.killed_at(point, tmp_path)
        assert not Message.objects.exists()
        assert not Delivery.objects.exists()
        event.refresh_from_db()
        assert (event.attempts, event.relayed_at) == (1, None)
        assert relay_due() == 0, "the lease of the dead process still runs"
        assert event.due_at - clock.now() < LEASE
        make_due()
        assert relay_due() == 1
        assert (Message.objects.count(), Delivery.objects.count()) == (1, 1)

    def test_after_its_commit_nothing_is_told_twice(self, committed_db: None, tmp_path: Path) -> None:
        published("transfer.received", make_user().pk)
        self.killed_at("relay.after_commit", tmp_path)
        assert (Message.objects.count(), Delivery.objects.count()) == (1, 1)
        make_due()
        assert relay_due() == 0
        assert (Message.objects.count(), Delivery.objects.count()) == (1, 1)

    def test_a_frozen_relay_that_wakes_up_late_writes_nothing(
        self, committed_db: None, settings: Any, tmp_path: Path
    ) -> None:
        event = published("transfer.received", make_user().pk)
        settings.CRASH_POINTS_DIR = str(tmp_path)
        pause = tmp_path / "relay.after_claim.pause"
        pause.touch()
        frozen = threading.Thread(target=_relay_in_thread)
        frozen.start()
        until((tmp_path / "relay.after_claim.reached").exists)
        settings.CRASH_POINTS_DIR = ""
        make_due()
        assert relay_due() == 1
        relayed_at = Event.objects.get().relayed_at
        pause.unlink()
        frozen.join(10)
        assert not frozen.is_alive()
        event.refresh_from_db()
        assert (event.relayed_at, event.attempts) == (relayed_at, 2)
        assert (Message.objects.count(), Delivery.objects.count()) == (1, 1)


@pytest.mark.concurrency
class TestManyRelays:
    def test_each_event_is_told_once(self, committed_db: None) -> None:
        users = [make_user() for _ in range(5)]
        for user in users:
            with transaction.atomic():
                publish_many([EventDraft("transfer.received", user.pk, TRANSFER)] * 100)
        relays = [threading.Thread(target=_relay_in_thread) for _ in range(6)]
        for relay in relays:
            relay.start()
        for relay in relays:
            relay.join(60)
        assert not Event.objects.filter(relayed_at=None).exists()
        assert Event.objects.filter(attempts=1).count() == 500
        assert (Message.objects.count(), Delivery.objects.count()) == (500, 500)


def test_every_type_of_the_catalogue_goes_through(db: None) -> None:
    user = make_user()
    for name in CATALOGUE:
        published(name, user.pk)
    relay_due()
    assert not Event.objects.filter(relayed_at=None).exists()
    told = {name for name, event_type in CATALOGUE.items() if event_type.channels}
    assert set(Message.objects.values_list("type", flat=True)) == told


def _relay_in_thread() -> None:
    try:
        relay_due()
    finally:
        connection.close()
