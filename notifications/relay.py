"""The relay: takes events out of the outbox and tells people and jobs, each event once.

Each event goes through two commits. The *claim* counts an attempt and moves ``due_at`` ahead as a lease, so
that an event which kills its process is counted too. The *fan-out* writes messages and deliveries and marks
the event as relayed, all in one transaction; a process killed anywhere leaves either nothing or everything.
Fresh events are claimed in batches for speed; one that was tried before is tried alone, so it can only hurt
itself.

The jobs of ``EVENT_REACTIONS`` are rung after the fan-out's commit with the id of the user whom the event
concerns. A ring that is lost costs delay only: each such job finds its work in its own rows when it is swept.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import DatabaseError, transaction
from django.db.models import F, QuerySet

from fintech_core import clock, crashpoints, jobs
from notifications.catalogue import CATALOGUE
from notifications.enums import Channel
from notifications.models import Delivery, Event, Message
from notifications.rendering import render, render_email

log = structlog.get_logger(__name__)

BATCH: Final = 100
MAX_ATTEMPTS: Final = 5
LEASE: Final = timedelta(seconds=60)
BACK_OFF: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600))
DEFAULT_LIMIT: Final = 1_000

Rows = tuple[list[Message], list[Delivery]]


def relay_due(limit: int = DEFAULT_LIMIT) -> int:
    """Relay up to ``limit`` events that are due, oldest first; returns how many were taken up.

    Safe to run several times at once: rows that somebody else holds are skipped. When the limit ends the run,
    it rings for the next one.
    """
    _park_used_up(clock.now())
    taken = 0
    while taken < limit:
        now = clock.now()
        batch = _claim(now, limit=min(BATCH, limit - taken), tried=False) or _claim(now, limit=1, tried=True)
        if not batch:
            return taken
        taken += len(batch)
        _relay(batch, now)
    jobs.enqueue("notifications.relay_events")
    return taken


def _claim(now: datetime, *, limit: int, tried: bool) -> list[Event]:
    """Count an attempt on due events and lease them, in a commit of its own."""
    attempts = {"attempts__range": (1, MAX_ATTEMPTS - 1)} if tried else {"attempts": 0}
    due = _waiting().filter(due_at__lte=now, **attempts)
    with transaction.atomic(durable=True):
        events = list(due.select_for_update(skip_locked=True, no_key=True).order_by("id")[:limit])
        Event.objects.filter(pk__in=[event.pk for event in events]).update(
            attempts=F("attempts") + 1, due_at=now + LEASE
        )
    for event in events:
        event.attempts += 1
    if events:
        crashpoints.reach("relay.after_claim")
    return events


def _waiting() -> QuerySet[Event]:
    """Select the events that are neither relayed nor parked."""
    return Event.objects.filter(relayed_at=None, parked_at=None)


def _park_used_up(now: datetime) -> None:
    """Park events whose attempts are used up: whoever tried last did not live to do it."""
    for event in _waiting().filter(attempts__gte=MAX_ATTEMPTS, due_at__lte=now).order_by("id"):
        _park(event, event.error or "the process ended during the attempt", now)


def _relay(batch: Sequence[Event], now: datetime) -> None:
    """Fan a claimed batch out; what fails is left for a later attempt, or parked after the last."""
    composed = _compose_all(batch, now)
    try:
        _fan_out(composed, now)
    except DatabaseError as error:
        if len(composed) == 1:
            _fail(next(iter(composed)), error, now)
            return
        log.warning("event_batch_failed", events=len(composed), error=type(error).__name__)
        _waiting().filter(pk__in=[event.pk for event in composed]).update(due_at=now)


def _compose_all(batch: Sequence[Event], now: datetime) -> dict[Event, Rows]:
    """Make the rows of each event; an event that cannot be told is put aside."""
    user_ids = {event.user_id for event in batch if event.user_id is not None}
    users = get_user_model()._default_manager.in_bulk(user_ids)
    composed: dict[Event, Rows] = {}
    for event in batch:
        try:
            composed[event] = _compose(event, users.get(event.user_id), now)
        except Exception as error:  # one event's data or template: whatever it raises, the others go on
            _fail(event, error, now)
    return composed


def _compose(event: Event, user: Any, now: datetime) -> Rows:
    """Make the messages and deliveries of one event, without writing them."""
    event_type = CATALOGUE[event.type]
    messages: list[Message] = []
    deliveries: list[Delivery] = []
    if user is None or not event_type.channels:
        return messages, deliveries
    text = render(event_type, event.payload, language=user.language)
    if Channel.IN_APP in event_type.channels:
        messages.append(
            Message(
                event=event,
                user_id=user.pk,
                type=event.type,
                category=event_type.category,
                title=text.subject,
                body=text.body,
                data=event.payload,
                created_at=now,
            )
        )
    if Channel.EMAIL in event_type.channels:
        body = render_email(text, name=user.first_name, language=user.language)
        deliveries.append(
            Delivery(
                event=event,
                user_id=user.pk,
                channel=Channel.EMAIL,
                recipient=user.email,
                subject=text.subject,
                body=body,
                created_at=now,
                due_at=now,
            )
        )
    return messages, deliveries


def _fan_out(composed: Mapping[Event, Rows], now: datetime) -> None:
    """Write everything and mark the events, in one transaction; skips an event whose lease was overtaken."""
    if not composed:
        return
    attempt = next(iter(composed)).attempts
    with transaction.atomic():
        still_ours = _waiting().filter(pk__in=[event.pk for event in composed], attempts=attempt)
        ours = set(still_ours.select_for_update(no_key=True).order_by("id").values_list("pk", flat=True))
        rows = [(event, *made) for event, made in composed.items() if event.pk in ours]
        deliveries = [delivery for _, _, made in rows for delivery in made]
        Message.objects.bulk_create([m for _, made, _ in rows for m in made], ignore_conflicts=True)
        Delivery.objects.bulk_create(deliveries, ignore_conflicts=True)
        Event.objects.filter(pk__in=ours).update(relayed_at=now, error="")
        for job, user_id in _reactions([event for event, _, _ in rows]):
            jobs.enqueue(job, *([str(user_id)] if user_id else []))
        if deliveries:
            jobs.enqueue("notifications.deliver_messages")
        crashpoints.reach("relay.before_commit")
    crashpoints.reach("relay.after_commit")


def _reactions(events: Sequence[Event]) -> dict[tuple[str, UUID | None], None]:
    """List the jobs that react to these events, each once for each user, in the order of the events."""
    reactions = settings.EVENT_REACTIONS
    return {(job, event.user_id): None for event in events for job in reactions.get(event.type, [])}


def _fail(event: Event, error: Exception, now: datetime) -> None:
    """Note why an attempt failed: try again later, or park the event after the last attempt."""
    reason = f"{type(error).__name__}: {error}"
    if event.attempts >= MAX_ATTEMPTS:
        _park(event, reason, now)
        return
    log.warning("event_not_relayed", event_id=event.pk, type=event.type, attempt=event.attempts, error=reason)
    _waiting().filter(pk=event.pk, attempts=event.attempts).update(
        error=reason[:500], due_at=now + BACK_OFF[event.attempts - 1]
    )


def _park(event: Event, reason: str, now: datetime) -> None:
    """Take an event out of the queue for good, loudly: staff decide what becomes of it."""
    mine = _waiting().filter(pk=event.pk, attempts=event.attempts)
    if mine.update(parked_at=now, error=reason[:500]):
        log.error("event_parked", event_id=event.pk, type=event.type, attempts=event.attempts, error=reason)
