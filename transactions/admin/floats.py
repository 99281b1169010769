"""Floats that staff watch: a floor and a ceiling for each account, and where it stands."""

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from unfold.decorators import display

from fintech_core.admin import ModelAdmin
from fintech_core.exceptions import DomainError
from fintech_core.money import decimals, for_people, quantum
from transactions.balances import account_balance
from transactions.enums import FloatState
from transactions.models import FloatMonitor, LedgerAccount
from transactions.services import floats
from users.permissions import staff_member

if TYPE_CHECKING:
    FloatMonitorModelForm = forms.ModelForm[FloatMonitor]
else:
    FloatMonitorModelForm = forms.ModelForm

NAMED = ("account", "floor", "ceiling", "is_active", "note")


class FloatMonitorForm(FloatMonitorModelForm):
    """The bounds of a float, in its currency's own decimals."""

    class Meta:
        model = FloatMonitor
        fields = NAMED

    def clean(self) -> dict[str, Any]:
        """Refuse bounds that clash, or that the currency cannot have."""
        cleaned: dict[str, Any] = super().clean() or {}
        account: LedgerAccount | None = cleaned.get("account") or getattr(self.instance, "account", None)
        floor, ceiling = cleaned.get("floor"), cleaned.get("ceiling")
        if floor is None and ceiling is None:
            self.add_error("floor", "Give a floor, a ceiling, or both.")
        if floor is not None and ceiling is not None and floor >= ceiling:
            self.add_error("floor", "The floor is below the ceiling.")
        for name, bound in (("floor", floor), ("ceiling", ceiling)):
            if account is not None and bound is not None and bound % quantum(account.currency):
                self.add_error(name, f"{account.currency} has {decimals(account.currency)} decimals.")
        return cleaned


@admin.register(FloatMonitor)
class FloatMonitorAdmin(ModelAdmin):
    """Floats with their bounds; a change takes effect at the job's next look."""

    form = FloatMonitorForm
    list_display = ("account", "shown_balance", "shown_floor", "shown_ceiling", "shown_state", "is_active")
    list_filter = ("state", "is_active")
    list_select_related = ("account",)
    ordering = ("account__currency", "account__code")
    sortable_by = ()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Keep the account of a monitor that is there."""
        return ("state", "changed_at") if obj is None else ("account", "state", "changed_at")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer floats alone."""
        named = reduce(or_, (Q(code__startswith=beginning) for beginning in floats.WATCHED))
        kwargs["queryset"] = LedgerAccount.objects.filter(named).order_by("currency", "code")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody delete a monitor: switch it off instead."""
        return False

    def save_model(self, request: HttpRequest, obj: FloatMonitor, form: Any, change: bool) -> None:
        """Set it by the service, which also writes the audit row."""
        try:
            saved = floats.set_monitor(
                account=obj.account,
                floor=obj.floor,
                ceiling=obj.ceiling,
                is_active=obj.is_active,
                note=obj.note,
                actor=staff_member(request),
            )
        except DomainError as refusal:
            raise forms.ValidationError(refusal.detail) from refusal
        obj.pk = saved.pk

    @display(description="Balance")
    def shown_balance(self, row: FloatMonitor) -> str:
        """Return what the account has now."""
        account = row.account
        return for_people(account_balance(code=account.code, currency=account.currency), account.currency)

    @display(description="Floor")
    def shown_floor(self, row: FloatMonitor) -> str:
        """Return the floor."""
        return "" if row.floor is None else for_people(row.floor, row.account.currency)

    @display(description="Ceiling")
    def shown_ceiling(self, row: FloatMonitor) -> str:
        """Return the ceiling."""
        return "" if row.ceiling is None else for_people(row.ceiling, row.account.currency)

    @display(
        description="State",
        label={
            str(FloatState.WITHIN): "success",
            str(FloatState.BELOW): "danger",
            str(FloatState.ABOVE): "warning",
        },
    )
    def shown_state(self, row: FloatMonitor) -> tuple[str, str]:
        """Return the state with its colour."""
        return row.state, row.get_state_display()
