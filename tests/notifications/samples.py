"""Payloads and rows that the tests of this folder share."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from django.db import connections, transaction

from fintech_core import clock
from notifications.catalogue import CATALOGUE, EventType
from notifications.models import Delivery, Event
from notifications.services import publish
from tests.factories import UserFactory

VALUES: dict[str, Any] = {
    "amount": "1500.00",
    "currency": "NGN",
    "fee": "10.00",
    "tier": 2,
    "counterparty": "Bola Ade & Sons",
    "reason": "The document cannot be read",
    "reference": "TRF-01J00000000000000000000000",
    "status": "frozen",
    "biller": "Ikeja Electric",
    "product": "Prepaid",
}

TRANSFER = {
    "transaction_id": "019a0000-0000-7000-8000-000000000001",
    "reference": "TRF-1",
    "amount": "1500.00",
    "currency": "NGN",
    "counterparty": "Bola Ade",
}


def payload_of(event_type: EventType, *, optional: bool = True) -> dict[str, Any]:
    """Make a payload with every field of the type."""
    names = event_type.fields + (event_type.optional if optional else ())
    return {name: VALUES.get(name, f"some {name}") for name in names}


def published(type_name: str, user_id: UUID | None, **payload: Any) -> Event:
    """Publish one event in a transaction of its own; fields that are not given are filled in."""
    full = {**payload_of(CATALOGUE[type_name]), **payload}
    with transaction.atomic():
        publish(type=type_name, user_id=user_id, payload=full)
    return Event.objects.latest("id")


def make_user(**fields: Any) -> Any:
    """Make a user whose own events (signing up, the first wallet) are out of the way."""
    user = UserFactory(**fields)
    Event.objects.filter(user_id=user.pk).delete()
    return user


def make_due() -> None:
    """Let every lease and back-off run out."""
    past = clock.now() - timedelta(seconds=1)
    Event.objects.update(due_at=past)
    Delivery.objects.update(due_at=past)


def owner_connection() -> psycopg.Connection[Any]:
    """Connect to the test's database as the role that owns the tables."""
    given = connections["owner"].get_connection_params()
    names = ("dbname", "user", "password", "host", "port")
    return psycopg.connect(**{name: given[name] for name in names if given.get(name)})
