"""Sending e-mail: outside any transaction, under a lease, up a ladder, at least once."""

import signal
import threading
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection, transaction

from fintech_core import clock
from notifications.delivery import BACK_OFF, MAX_ATTEMPTS
from notifications.enums import DeliveryStatus
from notifications.models import Delivery
from notifications.services import deliver_due, relay_due
from tests.notifications.processes import run_in_process
from tests.notifications.samples import make_due, make_user, published
from tests.waiting import until


class RefusingBackend(BaseEmailBackend):
    """A mail server that refuses whoever is called bounce, and takes the rest."""

    def send_messages(self, messages: Sequence[EmailMessage]) -> int:
        """Refuse or take."""
        for message in messages:
            if message.to[0].startswith("bounce"):
                raise ConnectionRefusedError("the mail server does not take this")
            mail.outbox.append(message)
        return len(messages)


@pytest.fixture
def refusing(settings: Any) -> None:
    """Send through a mail server that refuses some."""
    settings.EMAIL_BACKEND = f"{__name__}.RefusingBackend"


def pending(email: str = "ada@example.com") -> Delivery:
    """Make a delivery that is due."""
    published("pin.set", make_user(email=email).pk)
    relay_due()
    return Delivery.objects.get(recipient=email)


class TestDeliver:
    def test_sends_what_is_due_and_marks_it(self, db: None) -> None:
        delivery = pending()
        assert deliver_due() == 1
        [message] = mail.outbox
        assert (message.to, message.subject, message.body) == (
            ["ada@example.com"],
            "Your PIN was changed",
            delivery.body,
        )
        delivery.refresh_from_db()
        assert (delivery.status, delivery.attempts) == (DeliveryStatus.SENT, 1)
        assert delivery.sent_at is not None

    def test_a_sent_one_is_not_sent_again(self, db: None) -> None:
        pending()
        deliver_due()
        make_due()
        assert deliver_due() == 0
        assert len(mail.outbox) == 1

    def test_a_copy_would_carry_the_same_message_id(self, db: None) -> None:
        delivery = pending()
        deliver_due()
        assert mail.outbox[0].message()["Message-ID"] == f"<{delivery.pk}@localhost>"

    def test_what_is_not_due_waits(self, db: None) -> None:
        pending()
        Delivery.objects.update(due_at=clock.now() + timedelta(seconds=5))
        assert deliver_due() == 0
        assert mail.outbox == []

    def test_is_refused_inside_a_transaction(self, committed_db: None) -> None:
        pending()
        with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
            deliver_due()
        assert mail.outbox == []


@pytest.mark.usefixtures("refusing")
class TestRefusedMail:
    def test_the_others_go_out(self, db: None) -> None:
        bounced = pending("bounce@example.com")
        pending("ada@example.com")
        assert deliver_due() == 1
        assert [message.to for message in mail.outbox] == [["ada@example.com"]]
        bounced.refresh_from_db()
        assert (bounced.status, bounced.attempts, bounced.sent_at) == (DeliveryStatus.PENDING, 1, None)
        assert "does not take this" in bounced.error

    def test_climbs_the_ladder_and_is_given_up_at_its_end(self, db: None) -> None:
        bounced = pending("bounce@example.com")
        for rung in BACK_OFF:
            deliver_due()
            bounced.refresh_from_db()
            assert bounced.status == DeliveryStatus.PENDING
            assert abs((bounced.due_at - clock.now()) - rung) < timedelta(seconds=2)
            make_due()
        deliver_due()
        bounced.refresh_from_db()
        assert (bounced.status, bounced.attempts) == (DeliveryStatus.FAILED, MAX_ATTEMPTS)
        make_due()
        deliver_due()
        bounced.refresh_from_db()
        assert bounced.attempts == MAX_ATTEMPTS
        assert mail.outbox == []


class TestKilledSender:
    def killed_at(self, point: str, crash_points: Path) -> str:
        (crash_points / f"{point}.kill").touch()
        ended = run_in_process(
            "services.deliver_due()",
            crash_points=crash_points,
            EMAIL_BACKEND="django.core.mail.backends.console.EmailBackend",
        )
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        return ended.stdout

    def test_before_the_send_nothing_went_out_and_the_next_sends(
        self, committed_db: None, tmp_path: Path
    ) -> None:
        pending()
        assert "Subject" not in self.killed_at("delivery.after_claim", tmp_path)
        assert deliver_due() == 0, "the lease of the dead process still runs"
        make_due()
        assert deliver_due() == 1

    def test_between_send_and_mark_it_goes_out_again_under_the_same_message_id(
        self, committed_db: None, tmp_path: Path
    ) -> None:
        delivery = pending()
        first = self.killed_at("delivery.before_mark", tmp_path)
        assert f"Message-ID: <{delivery.pk}@localhost>" in first
        make_due()
        assert deliver_due() == 1
        assert mail.outbox[0].message()["Message-ID"] == f"<{delivery.pk}@localhost>"
        delivery.refresh_from_db()
        assert (delivery.status, delivery.attempts) == (DeliveryStatus.SENT, 2)

    def test_a_frozen_sender_that_wakes_up_late_overwrites_nothing(
        self, committed_db: None, settings: Any, tmp_path: Path
    ) -> None:
        delivery = pending()
        settings.CRASH_POINTS_DIR = str(tmp_path)
        pause = tmp_path / "delivery.before_mark.pause"
        pause.touch()
        frozen = threading.Thread(target=_deliver_in_thread)
        frozen.start()
        until((tmp_path / "delivery.before_mark.reached").exists)
        settings.CRASH_POINTS_DIR = ""
        make_due()
        assert deliver_due() == 1
        sent_at = Delivery.objects.get().sent_at
        pause.unlink()
        frozen.join(10)
        delivery.refresh_from_db()
        assert (delivery.status, delivery.sent_at, delivery.attempts) == (DeliveryStatus.SENT, sent_at, 2)


@pytest.mark.concurrency
class TestManySenders:
    def test_each_email_goes_out_once(self, committed_db: None) -> None:
        user = make_user()
        for _ in range(60):
            published("pin.set", user.pk)
        relay_due()
        senders = [threading.Thread(target=_deliver_in_thread) for _ in range(5)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join(60)
        assert len(mail.outbox) == 60
        assert Delivery.objects.filter(status=DeliveryStatus.SENT, attempts=1).count() == 60


def _deliver_in_thread() -> None:
    try:
        deliver_due()
    finally:
        connection.close()
