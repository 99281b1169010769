"""Sending deliveries: claim, commit, send outside any transaction, mark.

An e-mail is sent at least once: when a process dies between the mail server's answer and the mark, it is sent
again after the lease, under the same ``Message-ID``, by which mail systems recognise the copy. Exactly once
is not to be had here, and a notice that comes twice is better than one that never comes.
"""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Final

import structlog
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import F

from fintech_core import clock, crashpoints, jobs
from notifications.enums import DeliveryStatus
from notifications.models import Delivery

log = structlog.get_logger(__name__)

BATCH: Final = 20
SEND_LIMIT_S: Final = 10
LEASE: Final = timedelta(seconds=120)
BACK_OFF: Final = tuple(timedelta(seconds=seconds) for seconds in (30, 60, 300, 900, 3_600, 10_800, 43_200))
MAX_ATTEMPTS: Final = len(BACK_OFF) + 1
DEFAULT_LIMIT: Final = 200


def deliver_due(limit: int = DEFAULT_LIMIT) -> int:
    """Send up to ``limit`` deliveries that are due; returns how many were sent.

    Safe to run several times at once. What a mail server answers is noted on the row, never raised. Raises
    RuntimeError inside a transaction. When the limit ends the run, it rings for the next one.
    """
    taken = sent = 0
    while taken < limit:
        started = time.monotonic()
        batch = _claim(clock.now(), limit=min(BATCH, limit - taken))
        if not batch:
            return sent
        taken += len(batch)
        sent += _send_batch(batch, deadline=started + LEASE.total_seconds() - SEND_LIMIT_S)
    jobs.enqueue("notifications.deliver_messages")
    return sent


def _claim(now: datetime, *, limit: int) -> list[Delivery]:
    """Count an attempt on due deliveries and lease them, in a commit of its own."""
    due = Delivery.objects.filter(status=DeliveryStatus.PENDING, due_at__lte=now)
    with transaction.atomic(durable=True):
        rows = list(due.select_for_update(skip_locked=True, no_key=True).order_by("due_at")[:limit])
        Delivery.objects.filter(pk__in=[row.pk for row in rows]).update(
            attempts=F("attempts") + 1, due_at=now + LEASE
        )
    for row in rows:
        row.attempts += 1
    if rows:
        crashpoints.reach("delivery.after_claim")
    return rows


def _send_batch(batch: Sequence[Delivery], *, deadline: float) -> int:
    """Send what fits before the lease ends, over one connection; the rest comes due again by itself."""
    sent = 0
    mail_server = get_connection(timeout=SEND_LIMIT_S)
    try:
        for delivery in batch:
            if time.monotonic() >= deadline:
                log.warning("delivery_lease_short", left=len(batch) - sent)
                break
            sent += _send(delivery, mail_server)
    finally:
        mail_server.close()
    return sent


def _send(delivery: Delivery, mail_server: BaseEmailBackend) -> bool:
    """Send one delivery and note the outcome under its attempt number; returns whether it went out."""
    if delivery.attempts > MAX_ATTEMPTS:
        _settle(delivery, status=DeliveryStatus.FAILED, error="the process ended during the last attempts")
        return False
    message = EmailMessage(
        subject=delivery.subject,
        body=delivery.body,
        to=[delivery.recipient],
        connection=mail_server,
        headers={"Message-ID": f"<{delivery.pk}@{_domain()}>", "Auto-Submitted": "auto-generated"},
    )
    try:
        mail_server.open()  # kept open for the batch: send() alone would close it each time
        message.send(fail_silently=False)
    except (
        Exception
    ) as error:  # whatever the configured backend raises: the row keeps it and the ladder goes on
        _not_sent(delivery, error)
        mail_server.close()
        return False
    crashpoints.reach("delivery.before_mark")
    _settle(delivery, status=DeliveryStatus.SENT, sent_at=clock.now(), error="")
    return True


def _not_sent(delivery: Delivery, error: Exception) -> None:
    """Note a failed attempt: the next rung of the ladder, or given up."""
    reason = f"{type(error).__name__}: {error}"[:500]
    log.warning("delivery_not_sent", delivery=str(delivery.pk), attempt=delivery.attempts, error=reason)
    if delivery.attempts >= MAX_ATTEMPTS:
        log.error("delivery_given_up", delivery=str(delivery.pk), attempts=delivery.attempts)
        _settle(delivery, status=DeliveryStatus.FAILED, error=reason)
        return
    _settle(delivery, due_at=clock.now() + BACK_OFF[delivery.attempts - 1], error=reason)


def _settle(delivery: Delivery, **changes: object) -> None:
    """Write the outcome of this attempt; a later attempt, or a final row, is left alone."""
    mine = Delivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts, status=DeliveryStatus.PENDING)
    mine.update(**changes)


def _domain() -> str:
    """Return the domain of the sender's address, for ``Message-ID``."""
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"
