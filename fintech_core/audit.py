"""The audit log: every decision of a person, and every decision about money that no person took."""

from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import structlog
from django.db import models

from fintech_core import clock
from fintech_core.database.atomic import require_transaction
from fintech_core.models import AuditRecord


class Actor(Protocol):
    """Whoever acts: a user, or nobody (the system)."""

    pk: Any


def record(
    *,
    actor: Actor | None,
    action: str,
    target: models.Model,
    reason: str = "",
    changes: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> AuditRecord:
    """Write one audit row in the caller's transaction.

    ``changes`` maps a field to ``[before, after]``; it never holds a secret or a document number. ``at`` is now,
    unless the caller has to place the act among what the database records. Raises NotInTransaction outside a
    transaction.
    """
    require_transaction("audit.record")
    return AuditRecord.objects.create(
        at=at or clock.now(),
        actor_id=actor.pk if actor is not None else None,
        actor_label=_label(actor),
        action=action,
        target_type=target._meta.label_lower,
        target_id=str(target.pk),
        reason=reason,
        changes=changes or {},
        request_id=str(structlog.contextvars.get_contextvars().get("request_id", "")),
    )


def _label(actor: Actor | None) -> str:
    if actor is None:
        return "system"
    pk: UUID | str = actor.pk
    return f"{'staff' if getattr(actor, 'is_staff', False) else 'user'}:{pk}"
