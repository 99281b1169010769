"""Changes of the catalogue by staff: one row at a time, with a reason, every change in the audit log.

A price counts from the next order on: what is ordered was checked against its quote or the catalogue, and is held.
"""

from typing import Any

from django.db import models, transaction

from billers.models import Biller, Product, ProductRoute
from fintech_core import audit
from fintech_core.audit import Actor

Entry = Biller | Product | ProductRoute


@transaction.atomic
def save_entry(*, entry: Entry, actor: Actor, reason: str) -> None:
    """Write a new or changed row of the catalogue. Raises IntegrityError on what the database cannot hold."""
    rows: models.QuerySet[Any] = type(entry)._default_manager.select_for_update(no_key=True)
    before = rows.filter(pk=entry.pk).first()
    entry.save(force_insert=before is None)
    entry.refresh_from_db()
    changes = {
        field.name: [_shown(before, field), _shown(entry, field)]
        for field in type(entry)._meta.concrete_fields
        if not field.primary_key and _shown(before, field) != _shown(entry, field)
    }
    verb = "added" if before is None else "changed"
    audit.record(
        actor=actor,
        action=f"{type(entry)._meta.model_name}.{verb}",
        target=entry,
        reason=reason,
        changes=changes,
    )


def _shown(entry: Entry | None, field: "models.Field[Any, Any]") -> str | None:
    value = None if entry is None else field.value_from_object(entry)
    return None if value is None else str(value)
