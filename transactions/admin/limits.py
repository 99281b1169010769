"""Limits of the tiers, as dated rules."""

from decimal import Decimal

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminSelectWidget

from fintech_core import money
from fintech_core.filters import CurrencyFilter
from transactions.admin.dated import TIERS, DatedRuleAdmin, DatedRuleForm
from transactions.models import LimitRule
from transactions.services import limit_rules
from users.permissions import staff_member

FIGURES = ("single", "daily", "monthly", "max_balance")


def limit_field(label: str) -> forms.DecimalField:
    """Make the field of one limit, in major units."""
    return forms.DecimalField(
        label=label,
        required=False,
        min_value=Decimal(0),
        max_digits=19,
        decimal_places=4,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="Empty means no limit.",
        error_messages={"min_value": "A limit is zero or more."},
    )


class LimitRuleForm(DatedRuleForm):
    """A new limit of one tier."""

    amounts = FIGURES
    called = "limit"

    tier = forms.TypedChoiceField(choices=TIERS, coerce=int, widget=UnfoldAdminSelectWidget)
    single = limit_field("Single")
    daily = limit_field("Daily")
    monthly = limit_field("Monthly")
    max_balance = limit_field("Highest balance")

    class Meta:
        model = LimitRule
        fields = ("tier", "currency", *FIGURES, "effective_from", "note")


@admin.register(LimitRule)
class LimitRuleAdmin(DatedRuleAdmin):
    """What each tier may move, with the instant from which it holds."""

    form = LimitRuleForm
    asked = LimitRuleForm.Meta.fields
    shown = ("tier", "currency", *(f"shown_{name}" for name in FIGURES), "effective_from", "saved_at", "note")
    list_display = (
        "shown_tier",
        "currency",
        "shown_single",
        "shown_daily",
        "shown_monthly",
        "shown_max_balance",
        "effective_from",
        "note",
    )
    list_filter = ("tier", CurrencyFilter)
    ordering = ("currency", "tier", "-effective_from")
    readonly_fields = ("shown_single", "shown_daily", "shown_monthly", "shown_max_balance", "saved_at")

    def save_model(self, request: HttpRequest, obj: LimitRule, form: LimitRuleForm, change: bool) -> None:
        """Add the row by the service, which also writes the audit row."""
        added = limit_rules.add_limit_rule(
            tier=obj.tier,
            currency=obj.currency,
            single=obj.single,
            daily=obj.daily,
            monthly=obj.monthly,
            max_balance=obj.max_balance,
            effective_from=obj.effective_from,
            note=obj.note,
            actor=staff_member(request),
            now=form.now,
        )
        obj.pk = added.pk

    @display(description="Tier", label=True)
    def shown_tier(self, rule: LimitRule) -> str:
        """Return the tier as a label."""
        return f"Tier {rule.tier}"

    @display(description="Single")
    def shown_single(self, rule: LimitRule) -> str:
        """Return the most that one movement may take."""
        return self._figure(rule.single, rule.currency)

    @display(description="Daily")
    def shown_daily(self, rule: LimitRule) -> str:
        """Return the most that may leave a wallet in a business day."""
        return self._figure(rule.daily, rule.currency)

    @display(description="Monthly")
    def shown_monthly(self, rule: LimitRule) -> str:
        """Return the most that may leave a wallet in a business month."""
        return self._figure(rule.monthly, rule.currency)

    @display(description="Highest balance")
    def shown_max_balance(self, rule: LimitRule) -> str:
        """Return the most that a wallet may hold."""
        return self._figure(rule.max_balance, rule.currency)

    @staticmethod
    def _figure(figure: Decimal | None, currency: str) -> str:
        return "none" if figure is None else money.for_people(figure, currency)
