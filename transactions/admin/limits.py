"""Limits of the tiers: staff add dated rows; none is edited or deleted, since what was in force stays readable."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from fintech_core import clock, money
from fintech_core.admin import ModelAdmin
from fintech_core.filters import CurrencyFilter
from transactions.models import LimitRule
from transactions.services import limit_rules
from users.permissions import staff_member

if TYPE_CHECKING:
    LimitRuleModelForm = forms.ModelForm[LimitRule]
else:
    LimitRuleModelForm = forms.ModelForm

TIERS = (0, 1, 2, 3)
FIGURES = ("single", "daily", "monthly", "max_balance")


def limit_field(label: str) -> forms.DecimalField:
    """Make the field of one limit, in major units."""
    return forms.DecimalField(
        label=label,
        required=False,
        max_digits=19,
        decimal_places=4,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="Empty means no limit.",
    )


class LimitRuleForm(LimitRuleModelForm):
    """A new limit, with every figure in the currency's own decimals and a minute's notice."""

    tier = forms.TypedChoiceField(
        choices=[(tier, f"Tier {tier}") for tier in TIERS], coerce=int, widget=UnfoldAdminSelectWidget
    )
    currency = forms.ChoiceField(
        choices=[(code, code) for code in settings.CURRENCIES], widget=UnfoldAdminSelectWidget
    )

    single = limit_field("Single")
    daily = limit_field("Daily")
    monthly = limit_field("Monthly")
    max_balance = limit_field("Highest balance")
    note = forms.CharField(
        max_length=200, widget=UnfoldAdminTextInputWidget, help_text="Why, for the audit log."
    )

    class Meta:
        model = LimitRule
        fields = ("tier", "currency", *FIGURES, "effective_from", "note")

    def clean(self) -> dict[str, Any]:
        """Refuse figures that the currency cannot have, and an instant that is too near."""
        cleaned: dict[str, Any] = super().clean() or {}
        self.now = clock.now()
        currency = cleaned.get("currency")
        for name in FIGURES if currency else ():
            self._check_figure(name, cleaned.get(name), str(currency))
        effective_from = cleaned.get("effective_from")
        if effective_from is not None and effective_from < self.now + limit_rules.NOTICE:
            self.add_error("effective_from", "A limit takes effect a minute after it is saved, or later.")
        return cleaned

    def _check_figure(self, name: str, figure: Decimal | None, currency: str) -> None:
        if figure is None:
            return
        if figure < 0:
            self.add_error(name, "A limit is zero or more.")
        elif figure % money.quantum(currency):
            self.add_error(name, f"{currency} has {money.decimals(currency)} decimals.")


@admin.register(LimitRule)
class LimitRuleAdmin(ModelAdmin):
    """What each tier may move, with the instant from which it holds."""

    form = LimitRuleForm
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

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Ask for the figures of a new limit; show those of an old one as people read them."""
        if obj is None:
            return ["tier", "currency", *FIGURES, "effective_from", "note"]
        return [
            "tier",
            "currency",
            *(f"shown_{name}" for name in FIGURES),
            "effective_from",
            "saved_at",
            "note",
        ]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody edit a limit: add one with a later instant instead."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody delete a limit."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Ask for the view permission itself."""
        return bool(request.user.has_perm("transactions.view_limitrule"))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Propose the beginning of the next business day."""
        return {**super().get_changeform_initial_data(request), "effective_from": clock.next_day(clock.now())}

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
