"""What movements cost, as dated rules."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
)

from fintech_core import money
from fintech_core.filters import CurrencyFilter
from transactions import fees
from transactions.admin.dated import TIERS, DatedRuleAdmin, DatedRuleForm
from transactions.enums import TransactionType
from transactions.models import FeeRule
from transactions.services import fee_rules
from users.permissions import staff_member

AMOUNTS = ("flat", "minimum", "cap")
FIGURES = ("shown_tier", "shown_flat", "shown_percentage", "shown_minimum", "shown_cap")


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


class FeeRuleForm(DatedRuleForm):
    """A new fee of one type of movement."""

    amounts = AMOUNTS
    called = "fee"

    type = forms.ChoiceField(
        choices=[(kind, TransactionType(kind).label) for kind in fees.EARNED_ON],
        widget=UnfoldAdminSelectWidget,
    )
    tier = forms.TypedChoiceField(
        choices=[("", "Every tier"), *TIERS],
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

    class Meta:
        model = FeeRule
        fields = (
            "type", "currency", "tier", "flat", "basis_points", "minimum", "cap", "effective_from", "note"
        )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """Refuse a cap below the minimum, too."""
        cleaned = super().clean()
        minimum, cap = cleaned.get("minimum"), cleaned.get("cap")
        if minimum is not None and cap is not None and cap < minimum:
            self.add_error("cap", "A cap is not below the minimum.")
        return cleaned


@admin.register(FeeRule)
class FeeRuleAdmin(DatedRuleAdmin):
    """What movements cost, with the instant from which it holds."""

    form = FeeRuleForm
    asked = FeeRuleForm.Meta.fields
    shown = ("type", "currency", *FIGURES, "effective_from", "saved_at", "note")
    list_display = ("type", "currency", *FIGURES, "effective_from", "note")
    list_filter = ("type", "tier", CurrencyFilter)
    ordering = ("type", "currency", "-effective_from")
    readonly_fields = (*FIGURES, "saved_at")

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
