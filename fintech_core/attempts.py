"""Work that a row asks for: due at a time, claimed with a lease, fenced by the lease's number.

A claim is one short transaction that commits before anybody outside is called. A worker that dies keeps
nobody waiting longer than its lease; one that only slept finds that the lease has another number.
"""

from datetime import timedelta
from typing import Any, TypeVar

from django.conf import settings
from django.db import models, transaction
from django.db.models import Q

from fintech_core import clock


class DueWork(models.Model):
    """Columns of a row that is its own queue. ``next_check_at`` null means that nothing is to be done."""

    next_check_at = models.DateTimeField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    lease_number = models.PositiveIntegerField(default=0, editable=False)
    checks = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        abstract = True


Row = TypeVar("Row", bound=DueWork)


def lease_for(*, vendor_calls: int) -> timedelta:
    """Return how long to claim a row for: so many calls, each to its time limit, and half as long again."""
    return timedelta(seconds=1.5 * vendor_calls * settings.VENDOR_READ_TIMEOUT_S)


def claim(queryset: "models.QuerySet[Row]", *, pk: Any = None, limit: int = 1, lease: timedelta) -> list[Row]:
    """Lease due rows to the caller and return them, oldest first; rows held by others are passed over.

    ``pk`` narrows the claim to one row. Each row carries the ``lease_number`` that its outcome names.
    """
    with transaction.atomic():
        now = clock.now()
        free = Q(lease_until=None) | Q(lease_until__lt=now)
        due = queryset.filter(free, next_check_at__lte=now)
        if pk is not None:
            due = due.filter(pk=pk)
        locked = due.select_for_update(skip_locked=True, no_key=True, of=("self",))
        rows = list(locked.order_by("next_check_at")[:limit])
        for row in rows:
            row.lease_until = now + lease
            row.lease_number += 1
            row.save(update_fields=["lease_until", "lease_number"])
    return rows
