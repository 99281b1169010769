"""Rates of exchange, which staff add and nobody edits, and the quotes that were given by them."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from fintech_core import clock
from fintech_core.admin import ReadOnlyModelAdmin
from fintech_core.filters import CurrencyFilter
from fintech_core.money import for_people
from transactions.admin.asking import AskedModelAdmin
from transactions.models import ConversionQuote, ExchangeRate
from transactions.services import exchange_rates
from users.permissions import staff_member

if TYPE_CHECKING:
    ExchangeRateModelForm = forms.ModelForm[ExchangeRate]
else:
    ExchangeRateModelForm = forms.ModelForm


class ExchangeRateForm(ExchangeRateModelForm):
    """A new rate: from now on when no instant is given."""

    currency = forms.ChoiceField(
        choices=[(code, code) for code in settings.CURRENCIES if code != settings.DEFAULT_CURRENCY],
        widget=UnfoldAdminSelectWidget,
    )
    mid = forms.DecimalField(
        label=f"{settings.DEFAULT_CURRENCY} for one unit",
        max_digits=19,
        decimal_places=8,
        min_value=Decimal("0.00000001"),
        widget=UnfoldAdminDecimalFieldWidget,
    )
    spread_basis_points = forms.IntegerField(
        label="Spread in basis points",
        min_value=0,
        max_value=4_999,
        widget=UnfoldAdminTextInputWidget,
        help_text="150 is 1.5 %: what a customer gets less, whichever way.",
    )
    note = forms.CharField(
        max_length=200, widget=UnfoldAdminTextInputWidget, help_text="Why, for the audit log."
    )

    class Meta:
        model = ExchangeRate
        fields = ("currency", "mid", "spread_basis_points", "note")


@admin.register(ExchangeRate)
class ExchangeRateAdmin(AskedModelAdmin):
    """What currencies are worth, newest first."""

    form = ExchangeRateForm
    asked = ExchangeRateForm.Meta.fields
    list_display = ("currency", "shown_mid", "spread_basis_points", "effective_from", "note")
    list_filter = (CurrencyFilter,)
    ordering = ("-effective_from",)
    sortable_by = ()

    def save_model(self, request: HttpRequest, obj: ExchangeRate, form: Any, change: bool) -> None:
        """Add the row by the service: it holds from now on."""
        now = clock.now()
        added = exchange_rates.add_rate(
            currency=obj.currency,
            mid=obj.mid,
            spread_basis_points=obj.spread_basis_points,
            effective_from=now,
            note=obj.note,
            actor=staff_member(request),
            now=now,
        )
        obj.pk = added.pk

    @display(description=f"{settings.DEFAULT_CURRENCY} for one unit")
    def shown_mid(self, row: ExchangeRate) -> str:
        """Return the rate without zeros at its end."""
        return f"{row.mid.normalize():f}"


@admin.register(ConversionQuote)
class ConversionQuoteAdmin(ReadOnlyModelAdmin):
    """What was promised to whom, and whether it was taken."""

    list_display = ("created_at", "user", "given", "taken", "rate", "expires_at", "transaction")
    list_select_related = ("user", "transaction")
    search_fields = ("user__email__exact",)
    search_help_text = "The whole e-mail address"
    ordering = ("-id",)
    sortable_by = ()

    @display(description="Gives")
    def given(self, row: ConversionQuote) -> str:
        """Return what the customer gives, fee included."""
        return for_people(row.amount + row.fee, row.from_currency)

    @display(description="Gets")
    def taken(self, row: ConversionQuote) -> str:
        """Return what the customer gets."""
        return for_people(row.amount_to, row.to_currency)
