"""The inbox of every vendor's webhooks: verified at the door, stored, answered, acted on later.

Where the process may die:

* before the row is committed: the vendor gets no 200 and sends again;
* after it, before 200 or before the job is rung: the vendor's repeat finds the row, and the sweep finds it due;
* while a job works on it: the lease runs out, and the job runs again; what it does is safe to repeat.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from fintech_core import attempts, audit, clock, crashpoints, jobs, state
from fintech_core.exceptions import NotFound
from fintech_core.retention import delete_in_batches
from payments import ladders
from payments.enums import UNFINISHED_WEBHOOKS, WEBHOOK_SOURCES, Trust, WebhookStatus
from payments.errors import InvalidSignature, WebhookNotDead
from payments.models import WebhookEvent
from payments.providers import registry
from payments.providers.base import ParsedWebhook
from payments.providers.vtpass_hints import parse_hint
from users.models import User

log = structlog.get_logger(__name__)

LEASE = attempts.lease_for(vendor_calls=2)
SWEEP_LIMIT = 200
CLEANUP_BATCH = 1_000
CLEANUP_BATCHES = 1_000
# A job that dies over an event again and again must not do so for ever.
MAX_CLAIMS = 200
KEPT_FOR = timedelta(days=90)
_KEPT_HEADERS = ("content-type", "user-agent", "x-request-id")


class Finding(StrEnum):
    """What a job found out about an event."""

    DONE = "done"
    IGNORED = "ignored"
    NOT_KNOWN_YET = "not_known_yet"
    NO_ANSWER = "no_answer"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Hint:
    """What a job may know about an event: whom to ask about what, and nothing that it could take for the truth."""

    id: UUID
    vendor: str
    family: str
    type: str
    subject: str


def verify_webhook_signature(*, vendor: str, raw: bytes, headers: Mapping[str, str]) -> bool:
    """Say whether the bytes bear the gateway's signature. Header names are lower-case."""
    return registry.gateway(vendor).verify(raw, headers)


def receive_webhook(*, vendor: str, raw: bytes, headers: Mapping[str, str], now: datetime) -> bool:
    """Store a signed webhook and ring for its job; returns whether it was new.

    Raises InvalidSignature, before anything is parsed or stored.
    """
    if not verify_webhook_signature(vendor=vendor, raw=raw, headers=headers):
        log.warning("webhook_refused", vendor=vendor, bytes=len(raw))
        raise InvalidSignature("The signature is missing or does not match the body.")
    parsed = registry.gateway(vendor).parse(raw, received_at=now)
    return _store(vendor, parsed, raw, headers, Trust.SIGNED, now)


def receive_hint(*, token: str, raw: bytes, headers: Mapping[str, str], now: datetime) -> bool:
    """Store an unsigned webhook of VTpass, which is only a hint to ask; raises NotFound on a wrong token."""
    if not hmac.compare_digest(token.encode(), settings.VTPASS_WEBHOOK_TOKEN.encode()):
        log.warning("webhook_refused", vendor="vtpass", bytes=len(raw))
        raise NotFound
    return _store("vtpass", parse_hint(raw), raw, headers, Trust.HINT, now)


def _store(
    vendor: str, parsed: ParsedWebhook, raw: bytes, headers: Mapping[str, str], trust: Trust, now: datetime
) -> bool:
    """Insert the event unless it is there; a family that nobody acts on is finished at once."""
    job = settings.WEBHOOK_JOBS.get((vendor, parsed.family))
    digest = hashlib.sha256(raw).hexdigest()
    event = WebhookEvent(
        vendor=vendor,
        family=parsed.family,
        type=parsed.type,
        subject=parsed.subject,
        dedupe_key=parsed.dedupe_key,
        body=raw.decode("utf-8", errors="backslashreplace"),
        body_sha256=digest,
        headers={name: headers[name][:200] for name in _KEPT_HEADERS if name in headers},
        trust=trust,
        status=WebhookStatus.RECEIVED if job else WebhookStatus.IGNORED,
        received_at=now,
        finished_at=None if job else now,
        next_check_at=now if job else None,
    )
    with transaction.atomic():
        WebhookEvent.objects.bulk_create([event], ignore_conflicts=True)
        stored = WebhookEvent.objects.get(vendor=vendor, dedupe_key=parsed.dedupe_key)
    if stored.pk != event.pk:
        if stored.body_sha256 != digest and trust is Trust.SIGNED:
            log.error("webhook_repeated_with_other_body", vendor=vendor, event_id=str(stored.pk))
        return False
    crashpoints.reach("payments.webhook_stored")
    if job:
        jobs.ring(job, str(event.pk))
    return True


def handle(*, event_id: UUID, work: Callable[[Hint], Finding]) -> None:
    """Claim a due event, let ``work`` act on it with no transaction open, and write down what it found.

    Does nothing while the event is not due, claimed by somebody, or finished.
    """
    unfinished = WebhookEvent.objects.filter(status__in=sorted(UNFINISHED_WEBHOOKS))
    for event in attempts.claim(unfinished.defer("body"), pk=event_id, lease=LEASE):
        if event.lease_number > MAX_CLAIMS:
            _finish(event, Finding.BROKEN, clock.now())
            continue
        hint = Hint(event.pk, event.vendor, event.family, event.type, event.subject)
        _finish(event, work(hint), clock.now())


def _finish(event: WebhookEvent, finding: Finding, now: datetime) -> None:
    """Write the finding: finished, later again, or, when the time for it is over, dead with an alarm."""
    ends = {Finding.DONE: WebhookStatus.PROCESSED, Finding.IGNORED: WebhookStatus.IGNORED}
    limits = {
        Finding.NOT_KNOWN_YET: ladders.UNKNOWN_REFERENCE_FOR,
        Finding.NO_ANSWER: ladders.UNANSWERED_FOR,
        Finding.BROKEN: timedelta(0),
    }
    to = ends.get(finding)
    if to is None and now - event.received_at >= limits[finding]:
        to = WebhookStatus.DEAD
        log.error("webhook_dead", vendor=event.vendor, event_id=str(event.pk), finding=str(finding))
    if to is not None:
        state.move(
            WebhookEvent, event.pk, to=to, sources=WEBHOOK_SOURCES, outcome=str(finding), finished_at=now,
            next_check_at=None, lease_until=None, checks=event.checks + 1,
        )  # fmt: skip
        return
    rows = WebhookEvent.objects.filter(pk=event.pk, lease_number=event.lease_number)
    rows.filter(status__in=sorted(UNFINISHED_WEBHOOKS)).update(
        status=WebhookStatus.DEFERRED if finding is Finding.NOT_KNOWN_YET else event.status,
        outcome=str(finding),
        checks=event.checks + 1,
        lease_until=None,
        next_check_at=min(
            ladders.next_event_try(checks=event.checks, now=now), event.received_at + limits[finding]
        ),
    )


@transaction.atomic
def replay(*, event_id: UUID, actor: User, reason: str, now: datetime) -> WebhookEvent:
    """Let the job look at a dead event once more; raises NotFound and WebhookNotDead."""
    event = WebhookEvent.objects.defer("body").filter(pk=event_id).first()
    if event is None:
        raise NotFound
    moved = state.move(
        WebhookEvent, event.pk, to=WebhookStatus.RECEIVED, sources=WEBHOOK_SOURCES, finished_at=None,
        next_check_at=now, lease_number=0,
    )  # fmt: skip
    if not moved:
        raise WebhookNotDead(f"This event is {event.status}.")
    changes = {"status": [event.status, WebhookStatus.RECEIVED]}
    audit.record(actor=actor, action="webhook_event.replayed", target=event, reason=reason, changes=changes)
    jobs.enqueue(settings.WEBHOOK_JOBS[event.vendor, event.family], str(event.pk))
    event.refresh_from_db(fields=["status"])
    return event


def sweep(*, now: datetime) -> int:
    """Ring for every event that is due or whose lease ran out; returns how many."""
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    due = WebhookEvent.objects.filter(free, status__in=sorted(UNFINISHED_WEBHOOKS), next_check_at__lte=now)
    rows = list(due.order_by("next_check_at").values_list("pk", "vendor", "family")[:SWEEP_LIMIT])
    for event_id, vendor, family in rows:
        job = settings.WEBHOOK_JOBS.get((vendor, family))
        if job is None:
            log.error("webhook_without_job", vendor=vendor, family=family, event_id=str(event_id))
        else:
            jobs.enqueue(job, str(event_id))
    return len(rows)


def clean_up(*, now: datetime) -> int:
    """Delete finished events that are older than 90 days; dead ones wait for a person. Returns how many."""
    done = (WebhookStatus.PROCESSED, WebhookStatus.IGNORED)
    old = WebhookEvent.objects.filter(status__in=done, received_at__lt=now - KEPT_FOR)
    return delete_in_batches(old, batch=CLEANUP_BATCH, batches=CLEANUP_BATCHES)
