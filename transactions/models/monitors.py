"""Bounds that staff set for floats: money prepaid to vendors of bills, and money that gateways hold for us."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from fintech_core.fields import MoneyField, UuidKey
from transactions.enums import FloatState
from transactions.models.books import LedgerAccount


class FloatMonitor(models.Model):
    """A floor and a ceiling of one account, in major units of its currency, and on which side it was last seen.

    ``state`` is what makes an event come once per crossing: it changes with the event, in one transaction.
    """

    id = UuidKey()
    account = models.OneToOneField(LedgerAccount, on_delete=models.PROTECT, related_name="float_monitor")
    floor = MoneyField(null=True, blank=True, help_text="Told when there is less. Empty: no floor")
    ceiling = MoneyField(null=True, blank=True, help_text="Told when there is more. Empty: no ceiling")
    is_active = models.BooleanField(default=True)
    note = models.CharField(max_length=200, help_text="Why, for the audit log")
    state = models.CharField(max_length=10, choices=FloatState, default=FloatState.WITHIN, editable=False)
    changed_at = models.DateTimeField(null=True, editable=False, help_text="When it last crossed a bound")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(floor__isnull=False) | Q(ceiling__isnull=False), name="monitor_has_a_bound"
            ),
            models.CheckConstraint(
                condition=Q(floor__isnull=True) | Q(ceiling__isnull=True) | Q(floor__lt=F("ceiling")),
                name="monitor_floor_is_below_its_ceiling",
            ),
            models.CheckConstraint(condition=Q(state__in=FloatState.values), name="monitor_state_is_known"),
        ]

    def __str__(self) -> str:
        return f"float of {self.account}"
