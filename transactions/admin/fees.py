"""Fees: staff add dated rows; none is edited or deleted, since what was in force stays readable."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from fintech_core import clock, money
from fintech_core.admin import ModelAdmin
from fintech_core.filters import CurrencyFilter
from transactions import fees
from transactions.admin.limits import TIERS
from transactions.enums import TransactionType
from transactions.models import FeeRule
from transactions.services import fee_rules, limit_rules
from users.permissions import staff_member

if TYPE_CHECKING:
    FeeRuleModelForm = forms.ModelForm[FeeRule]
else:
    FeeRuleModelForm = forms.ModelForm

AMOUNTS = ("flat", "minimum", "cap")
NAMED = ("type", "currency", "tier", "flat", "basis_points", "minimum", "cap", "effective_from", "note")


def amount_field(help_text: str, *, required: bool = True) -> forms.DecimalField:
    """Make the field of one amount, in major units."""
    return forms.DecimalField(
        required=required,
        min_value=Decimal(0),
        max_digits=19,
        decimal_places=4,
        initial=Decimal(0) if required else None,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=help_text,
    )


class FeeRuleForm(FeeRuleModelForm):
    """A new fee, with every amount in the currency's own decimals and a minute's notice."""

    type = forms.ChoiceField(
        choices=[(kind, TransactionType(kind).label) for kind in fees.EARNED_ON],
        widget=UnfoldAdminSelectWidget,
    )
    currency = forms.ChoiceField(
        choices=[(code, code) for code in settings.CURRENCIES], widget=UnfoldAdminSelectWidget
    )
    tier = forms.TypedChoiceField(
        choices=[("", "Every tier"), *((tier, f"Tier {tier}") for tier in TIERS)],
        coerce=int,
        empty_value=None,
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    flat = amount_field("Taken from every movement.")
    basis_points = forms.IntegerField(
        min_value=0,
        max_value=fee_rules.ALL,
        initial=0,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Hundredths of a percent of the amount: 150 is 1.5 %.",
    )
    minimum = amount_field("The fee is never less.")
    cap = amount_field("The fee is never more. Empty means no cap.", required=False)
    note = forms.CharField(
        max_length=200, widget=UnfoldAdminTextInputWidget, help_text="Why, for the audit log."
    )

    class Meta:
        model = FeeRule
        fields = NAMED

    def clean(self) -> dict[str, Any]:
        """Refuse figures that the currency cannot have or that clash, and an instant that is too near."""
        cleaned: dict[str, Any] = super().clean() or {}
        self.now = clock.now()
        currency = cleaned.get("currency")
        for name in AMOUNTS if currency else ():
            figure = cleaned.get(name)
            if figure is not None and figure % money.quantum(str(currency)):
                self.add_error(name, f"{currency} has {money.decimals(str(currency))} decimals.")
        minimum, cap = cleaned.get("minimum"), cleaned.get("cap")
        if minimum is not None and cap is not None and cap < minimum:
            self.add_error("cap", "A cap is not below the minimum.")
        effective_from = cleaned.get("effective_from")
        if effective_from is not None and effective_from < self.now + limit_rules.NOTICE:
            self.add_error("effective_from", "A fee takes effect a minute after it is saved, or later.")
        return cleaned


@admin.register(FeeRule)
class FeeRuleAdmin(ModelAdmin):
    """What movements cost, with the instant from which it holds."""

    form = FeeRuleForm
    list_display = (
        "type",
        "currency",
        "shown_tier",
        "shown_flat",
        "shown_percentage",
        "shown_minimum",
        "shown_cap",
        "effective_from",
        "note",
    )
    list_filter = ("type", "tier", CurrencyFilter)
    ordering = ("type", "currency", "-effective_from")
    readonly_fields = (
        "shown_tier",
        "shown_flat",
        "shown_percentage",
        "shown_minimum",
        "shown_cap",
        "saved_at",
    )

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Ask for the figures of a new fee; show those of an old one as people read them."""
        if obj is None:
            return list(NAMED)
        return ["type", "currency", *self.readonly_fields[:-1], "effective_from", "saved_at", "note"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody edit a fee: add one with a later instant instead."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody delete a fee."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Ask for the view permission itself."""
        return bool(request.user.has_perm("transactions.view_feerule"))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Propose the beginning of the next business day."""
        return {**super().get_changeform_initial_data(request), "effective_from": clock.next_day(clock.now())}

    def save_model(self, request: HttpRequest, obj: FeeRule, form: FeeRuleForm, change: bool) -> None:
        """Add the row by the service, which also writes the audit row."""
        added = fee_rules.add_fee_rule(
            kind=obj.type,
            currency=obj.currency,
            tier=obj.tier,
            flat=obj.flat,
            basis_points=obj.basis_points,
            minimum=obj.minimum,
            cap=obj.cap,
            effective_from=obj.effective_from,
            note=obj.note,
            actor=staff_member(request),
            now=form.now,
        )
        obj.pk = added.pk

    @display(description="Tier", label=True)
    def shown_tier(self, rule: FeeRule) -> str:
        """Return the tier as a label."""
        return "Every tier" if rule.tier is None else f"Tier {rule.tier}"

    @display(description="Flat")
    def shown_flat(self, rule: FeeRule) -> str:
        """Return what every movement costs."""
        return money.for_people(rule.flat, rule.currency)

    @display(description="Percentage")
    def shown_percentage(self, rule: FeeRule) -> str:
        """Return the share of the amount."""
        return f"{Decimal(rule.basis_points) / 100:f} %"

    @display(description="Minimum")
    def shown_minimum(self, rule: FeeRule) -> str:
        """Return the least that is charged."""
        return money.for_people(rule.minimum, rule.currency)

    @display(description="Cap")
    def shown_cap(self, rule: FeeRule) -> str:
        """Return the most that is charged."""
        return "none" if rule.cap is None else money.for_people(rule.cap, rule.currency)
