"""Closed months: what is closed stays closed."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from fintech_core import clock
from fintech_core.dialogs import reason_field
from transactions.admin.asking import AskedModelAdmin
from transactions.models import ClosedMonth
from transactions.services import months
from users.permissions import staff_member

if TYPE_CHECKING:
    ClosedMonthModelForm = forms.ModelForm[ClosedMonth]
else:
    ClosedMonthModelForm = forms.ModelForm


class ClosedMonthForm(ClosedMonthModelForm):
    """Which month, and why now."""

    month = forms.DateField(
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}), help_text="The first day of the month"
    )
    reason = reason_field()

    class Meta:
        model = ClosedMonth
        fields = ("month", "reason")


@admin.register(ClosedMonth)
class ClosedMonthAdmin(AskedModelAdmin):
    """Months in which nothing takes effect any more; none is opened again."""

    form = ClosedMonthForm
    asked = ("month", "reason")
    list_display = ("shown_month", "closed_at", "closed_by", "reason")
    list_select_related = ("closed_by",)
    ordering = ("-month",)
    sortable_by = ()

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Propose the month that comes next."""
        return {"month": months.next_to_close(now=clock.now())}

    def save_model(self, request: HttpRequest, obj: ClosedMonth, form: Any, change: bool) -> None:
        """Close it by the service."""
        closed = months.close_month(
            month=obj.month, actor=staff_member(request), reason=obj.reason, now=clock.now()
        )
        obj.pk = closed.pk

    @display(description="Month")
    def shown_month(self, row: ClosedMonth) -> str:
        """Return the month by its name."""
        return str(row)
