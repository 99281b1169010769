"""Undoing a movement: what the dialogs ask, and what waits for somebody else."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from fintech_core import money
from fintech_core.dialogs import ReasonForm
from fintech_core.filters import CurrencyFilter
from fintech_core.money import for_people
from transactions.admin.deciding import DecidedModelAdmin
from transactions.enums import ApprovalKind
from transactions.errors import NotRefundable
from transactions.models import Transaction, Undoing
from transactions.rights import BOOK_SHORTFALL, DECIDE


class ReverseForm(ReasonForm):
    """Asks why, and whether the house bears what the receiver has spent."""

    book_shortfall = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        label="Book what is missing to receivables",
        help_text="Otherwise it is refused when the money is spent. Needs a permission of its own.",
    )


class RefundForm(ReverseForm):
    """Asks how much, too."""

    amount = forms.CharField(
        required=False,
        max_length=20,
        widget=UnfoldAdminTextInputWidget,
        help_text="In the currency of the transaction, like 1500.00. Empty: all that is left.",
    )


def answered(request: HttpRequest, form: ReverseForm) -> dict[str, Any]:
    """Return what every undoing is told. Raises PermissionDenied for a shortfall that this person may not book."""
    book_shortfall = bool(form.cleaned_data["book_shortfall"])
    if book_shortfall and not request.user.has_perm(BOOK_SHORTFALL):
        raise PermissionDenied
    return {"reason": form.cleaned_data["reason"], "book_shortfall": book_shortfall}


def amount_of(form: ReverseForm, transaction: Transaction) -> Any:
    """Return the amount in the dialog, or None for all that is left. Raises NotRefundable for what is none."""
    text = form.cleaned_data.get("amount", "").strip()
    if not text:
        return None
    try:
        return money.parse_amount(text, transaction.currency)
    except money.InvalidAmount as error:
        raise NotRefundable(str(error)) from None


@admin.register(Undoing)
class UndoingAdmin(DecidedModelAdmin):
    """Reversals and refunds above what one person may decide: another one books or rejects."""

    list_display = (
        "requested_at", "shown_kind", "shown_movement", "shown_amount", "requested_by", "decided_by", "shown_status",
    )  # fmt: skip
    list_display_links = ("requested_at", "shown_amount")
    list_filter = ("status", "kind", CurrencyFilter)
    list_select_related = ("transaction", "requested_by", "decided_by")
    ordering = ("-id",)
    sortable_by = ()
    decide_permission = DECIDE[ApprovalKind.REVERSAL]
    terms = ("shown_kind", "transaction", "shown_giver", "shown_amount", "shown_payer", "book_shortfall")
    readonly_fields = ("shown_kind", "shown_giver", "shown_payer", *DecidedModelAdmin.readonly_fields)

    @display(description="Kind")
    def shown_kind(self, row: Undoing) -> str:
        """Return what would be done."""
        return str(ApprovalKind(row.kind).label)

    @display(description="Who gives it back")
    def shown_giver(self, row: Undoing) -> str:
        """Return whose wallet would be debited, if it is one."""
        giver = row.transaction.to_user
        return "" if giver is None else giver.email

    @display(description="Who gets it")
    def shown_payer(self, row: Undoing) -> str:
        """Return whose wallet would be credited, if it is one."""
        payer = row.transaction.from_user
        return "" if payer is None else payer.email

    @display(description="Of")
    def shown_movement(self, row: Undoing) -> str:
        """Return the reference of the movement."""
        return row.transaction.reference

    @display(description="Amount")
    def shown_amount(self, row: Undoing) -> str:
        """Return what would be given back."""
        return for_people(row.amount, row.currency)
