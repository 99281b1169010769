"""Corrections of wallets: a member of staff asks with a reason, another one books or rejects."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from fintech_core import clock, money
from fintech_core.dialogs import reason_field
from fintech_core.filters import CurrencyFilter
from fintech_core.money import for_people
from transactions.admin.asking import AskedModelAdmin
from transactions.admin.deciding import DecidedModelAdmin
from transactions.enums import ApprovalKind, Direction
from transactions.models import Adjustment
from transactions.rights import DECIDE
from transactions.services import adjustments
from users.permissions import staff_member
from wallet.enums import WalletKind
from wallet.models import Wallet

if TYPE_CHECKING:
    AdjustmentModelForm = forms.ModelForm[Adjustment]
else:
    AdjustmentModelForm = forms.ModelForm


class AdjustmentForm(AdjustmentModelForm):
    """Whose wallet, which way, how much, from when, and why."""

    owner = forms.EmailField(widget=UnfoldAdminTextInputWidget, help_text="The customer's e-mail address")
    kind = forms.ChoiceField(choices=WalletKind.choices, widget=UnfoldAdminSelectWidget)
    currency = forms.ChoiceField(
        choices=[(code, code) for code in settings.CURRENCIES], widget=UnfoldAdminSelectWidget
    )
    direction = forms.ChoiceField(
        choices=[(Direction.CREDIT, "Into the wallet"), (Direction.DEBIT, "Out of the wallet")],
        widget=UnfoldAdminSelectWidget,
    )
    amount = forms.DecimalField(max_digits=19, decimal_places=4, widget=UnfoldAdminDecimalFieldWidget)
    reason = reason_field()

    class Meta:
        model = Adjustment
        fields = ("owner", "kind", "currency", "direction", "amount", "effective_at", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "effective_at" in self.fields:
            self.fields["effective_at"].required = False

    def clean(self) -> dict[str, Any]:
        """Find the wallet, and refuse what the service would refuse."""
        cleaned: dict[str, Any] = super().clean() or {}
        currency, amount = cleaned.get("currency"), cleaned.get("amount")
        if amount is not None and currency and (amount <= 0 or amount % money.quantum(currency)):
            self.add_error("amount", f"Send an amount above zero with {money.decimals(currency)} decimals.")
        self.wallet = Wallet.objects.filter(
            owner__email=str(cleaned.get("owner", "")).lower(), kind=cleaned.get("kind"), currency=currency
        ).first()
        if self.wallet is None:
            self.add_error("owner", "There is no such wallet.")
        return cleaned


@admin.register(Adjustment)
class AdjustmentAdmin(DecidedModelAdmin, AskedModelAdmin):
    """Corrections of wallets: one person asks, another books or rejects."""

    form = AdjustmentForm
    asked = AdjustmentForm.Meta.fields
    list_display = (
        "requested_at", "shown_owner", "shown_amount", "effective_at", "requested_by", "decided_by", "shown_status",
    )  # fmt: skip
    list_display_links = ("requested_at", "shown_amount")
    list_filter = ("status", CurrencyFilter)
    list_select_related = ("wallet__owner", "requested_by", "decided_by")
    ordering = ("-id",)
    sortable_by = ()
    decide_permission = DECIDE[ApprovalKind.ADJUSTMENT]
    terms = ("wallet", "shown_owner", "shown_amount", "effective_at")
    readonly_fields = ("shown_owner", *DecidedModelAdmin.readonly_fields)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Ask for what a new one needs."""
        return list(self.asked) if obj is None else super().get_fields(request, obj)

    def save_model(self, request: HttpRequest, obj: Adjustment, form: Any, change: bool) -> None:
        """Ask for it by the service."""
        asked = adjustments.request_adjustment(
            wallet=form.wallet,
            direction=Direction(form.cleaned_data["direction"]),
            amount=form.cleaned_data["amount"],
            reason=form.cleaned_data["reason"],
            effective_at=form.cleaned_data["effective_at"],
            maker=staff_member(request),
            now=clock.now(),
        )
        obj.pk = asked.pk

    @display(description="Wallet of")
    def shown_owner(self, row: Adjustment) -> str:
        """Return whose wallet it is."""
        return row.wallet.owner.email

    @display(description="Amount")
    def shown_amount(self, row: Adjustment) -> str:
        """Return the amount with its way."""
        sign = "+" if row.direction == Direction.CREDIT else "\u2212"
        return f"{sign} {for_people(row.amount, row.currency)}"
