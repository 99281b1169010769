"""Letting go of rows that nobody needs any more, little by little."""

from typing import Any

from django.db.models import QuerySet


def delete_in_batches(rows: QuerySet[Any], *, batch: int, batches: int) -> int:
    """Delete at most ``batch`` times ``batches`` rows, in their order where they have one, and return how many.

    Each batch is a short transaction of its own. What hangs on the rows goes with them and is not counted; what is left
    waits for the next call.
    """
    deleted = 0
    for _ in range(batches):
        doomed = list(rows.values_list("pk", flat=True)[:batch])
        _, gone = rows.filter(pk__in=doomed).delete()
        deleted += gone.get(rows.model._meta.label, 0)
        if len(doomed) < batch:
            break
    return deleted
