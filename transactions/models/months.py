"""The months in which nothing may take effect any more.

A month that is closed is a row; months are closed in their order, once over, for good, and the database refuses a
movement that would take effect in one.
"""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q


class ClosedMonth(models.Model):
    """A business month (named by its first day) whose books are closed. Append-only."""

    id = models.BigAutoField(primary_key=True)
    month = models.DateField(unique=True, help_text="Its first day")
    reason = models.CharField(max_length=500)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    closed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(month__day=1), name="closed_month_is_a_first_day"),
        ]

    def __str__(self) -> str:
        return f"{self.month:%B %Y}"
