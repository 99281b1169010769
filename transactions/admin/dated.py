"""Dated rules: staff add rows; none is edited or deleted, since what was in force stays readable."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.conf import settings
from django.db.models import Model
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from fintech_core import clock, money
from fintech_core.admin import ModelAdmin
from transactions.services.limit_rules import NOTICE

if TYPE_CHECKING:
    DatedRuleModelForm = forms.ModelForm[Model]
else:
    DatedRuleModelForm = forms.ModelForm

TIERS = [(tier, f"Tier {tier}") for tier in range(4)]


class DatedRuleForm(DatedRuleModelForm):
    """A new rule, with every amount in the currency's own decimals and a minute's notice."""

    amounts: ClassVar[tuple[str, ...]] = ()
    called: ClassVar[str]

    currency = forms.ChoiceField(
        choices=[(code, code) for code in settings.CURRENCIES], widget=UnfoldAdminSelectWidget
    )
    note = forms.CharField(
        max_length=200, widget=UnfoldAdminTextInputWidget, help_text="Why, for the audit log."
    )

    def clean(self) -> dict[str, Any]:
        """Refuse amounts that the currency cannot have, and an instant that is too near."""
        cleaned: dict[str, Any] = super().clean() or {}
        self.now = clock.now()
        currency = cleaned.get("currency")
        for name in self.amounts if currency else ():
            self._check_amount(name, cleaned.get(name), str(currency))
        effective_from = cleaned.get("effective_from")
        if effective_from is not None and effective_from < self.now + NOTICE:
            self.add_error(
                "effective_from", f"A {self.called} takes effect a minute after it is saved, or later."
            )
        return cleaned

    def _check_amount(self, name: str, amount: Decimal | None, currency: str) -> None:
        if amount is not None and amount % money.quantum(currency):
            self.add_error(name, f"{currency} has {money.decimals(currency)} decimals.")


class DatedRuleAdmin(ModelAdmin):
    """Rules of one model: ``asked`` of a new one, ``shown`` of an old one."""

    asked: ClassVar[tuple[str, ...]] = ()
    shown: ClassVar[tuple[str, ...]] = ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Ask for the figures of a new rule; show those of an old one as people read them."""
        return list(self.asked if obj is None else self.shown)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody edit a rule: add one with a later instant instead."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody delete a rule."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Ask for the view permission itself."""
        return bool(request.user.has_perm(f"{self.opts.app_label}.view_{self.opts.model_name}"))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Propose the beginning of the next business day."""
        return {**super().get_changeform_initial_data(request), "effective_from": clock.next_day(clock.now())}
