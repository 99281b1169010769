"""The dialogs that undo a movement: why, how much, and who bears what is spent meanwhile."""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from fintech_core import money
from fintech_core.dialogs import ReasonForm
from transactions.errors import NotRefundable
from transactions.models import Transaction

BOOK_SHORTFALL = "transactions.book_shortfall"


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


def amount_of(form: RefundForm, transaction: Transaction) -> Any:
    """Return the amount in the dialog, or None for all that is left. Raises NotRefundable for what is none."""
    text = form.cleaned_data["amount"].strip()
    if not text:
        return None
    try:
        return money.parse_amount(text, transaction.currency)
    except money.InvalidAmount as error:
        raise NotRefundable(str(error)) from None
