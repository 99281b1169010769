"""Writes: publishing an event, and what a person does with messages.

The relay stands in ``relay.py``, the sending of e-mail in ``delivery.py``; their entry points are offered
here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from fintech_core import clock
from fintech_core.database.atomic import require_transaction
from fintech_core.fields import SecretText
from fintech_core.ids import uuid7
from fintech_core.prepared import Statement, as_json_rows
from notifications.bell import Bell
from notifications.catalogue import CATALOGUE
from notifications.delivery import deliver_due
from notifications.errors import PayloadRefused, UnknownEventType
from notifications.models import Message
from notifications.relay import relay_due
from notifications.selectors import get_message_for

__all__ = ["EventDraft", "deliver_due", "mark_all_read", "mark_read", "publish", "publish_many", "relay_due"]

RING_INTERVAL_S = 0.2
_bell = Bell("notifications.relay_events", interval_s=RING_INTERVAL_S)

# The condition gives the transaction its xid before an id is drawn, which the watermark relies on: a WHERE
# runs before the select list and its defaults, while a plain INSERT draws the id first.
_INSERT = Statement("""
    INSERT INTO notifications_event
           (public_id, type, user_id, payload, created_at, due_at, attempts, error)
    SELECT public_id, type, user_id, payload, at, at, 0, ''
      FROM jsonb_to_recordset(%s)
           AS given (public_id uuid, type text, user_id uuid, payload jsonb, at timestamptz)
     WHERE pg_current_xact_id() IS NOT NULL
""")


@dataclass(frozen=True, slots=True)
class EventDraft:
    """An event before it is a row; see ``publish``."""

    type: str
    user_id: UUID | None
    payload: Mapping[str, Any]


def publish(*, type: str, user_id: UUID | None, payload: Mapping[str, Any]) -> None:
    """Write one event in the caller's transaction; it is told to people and jobs after commit.

    The INSERT is queued, and sent in the next round trip there, COMMIT at the latest.

    ``type`` stands in the catalogue, ``user_id`` is whom it concerns (None: nobody in particular) and
    ``payload`` has the fields that the catalogue names, as plain facts: strings (amounts too), whole numbers,
    booleans, None, UUIDs and aware datetimes. Raises NotInTransaction, UnknownEventType, PayloadRefused.
    """
    publish_many([EventDraft(type, user_id, payload)])


def publish_many(drafts: Sequence[EventDraft]) -> None:
    """Write several events with one INSERT, in their order; otherwise like ``publish``."""
    require_transaction("notifications.publish")
    if not drafts:
        return
    now = clock.now()
    rows = [
        {
            "public_id": uuid7(),
            "type": draft.type,
            "user_id": draft.user_id,
            "payload": _snapshot(draft.type, draft.payload),
            "at": now,
        }
        for draft in drafts
    ]
    _INSERT.queue([as_json_rows(rows)])
    transaction.on_commit(_bell.press, robust=True)


def _snapshot(type_name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the payload as JSON values. Raises UnknownEventType, PayloadRefused."""
    event_type = CATALOGUE.get(type_name)
    if event_type is None:
        raise UnknownEventType(f"{type_name} is not in notifications/catalogue.py")
    missing = [name for name in event_type.fields if name not in payload]
    unknown = [name for name in payload if name not in event_type.fields and name not in event_type.optional]
    if missing or unknown:
        raise PayloadRefused(f"{type_name}: missing {missing}, not in the catalogue {unknown}")
    return {name: _fact(type_name, name, value) for name, value in payload.items()}


def _fact(type_name: str, name: str, value: Any) -> str | int | bool | None:
    """Return one value as JSON; a Decimal or float is refused, since only a string says an amount exactly."""
    if value is None or (isinstance(value, (str, int)) and not isinstance(value, SecretText)):
        return value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime):
        return clock.rfc3339(value)
    raise PayloadRefused(f"{type_name}: {name} is a {type(value).__name__}, no plain fact")


def mark_read(*, user_id: UUID, message_id: UUID, now: datetime) -> Message:
    """Mark a person's message as read; the first time counts. Raises NotFound when it is not theirs."""
    Message.objects.filter(pk=message_id, user_id=user_id, read_at=None).update(read_at=now)
    return get_message_for(user_id=user_id, message_id=message_id)


def mark_all_read(*, user_id: UUID, now: datetime) -> int:
    """Mark every message that a person has so far as read; returns how many were not."""
    return Message.objects.filter(user_id=user_id, read_at=None).update(read_at=now)
