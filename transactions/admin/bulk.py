"""Transfers to many people, and what became of each."""

from django.contrib import admin
from unfold.decorators import display

from fintech_core.admin import ReadOnlyModelAdmin
from fintech_core.filters import CurrencyFilter
from fintech_core.money import for_people
from transactions.models import BulkTransfer, BulkTransferItem


@admin.register(BulkTransfer)
class BulkTransferAdmin(ReadOnlyModelAdmin):
    """The requests, newest first."""

    list_display = ("id", "created_at", "sender", "mode", "status", "item_count", "succeeded", "failed")
    list_filter = ("status", "mode", CurrencyFilter)
    list_select_related = ("sender",)
    search_fields = ("sender__email__exact",)
    search_help_text = "The sender's whole e-mail address"
    ordering = ("-id",)
    sortable_by = ()


@admin.register(BulkTransferItem)
class BulkTransferItemAdmin(ReadOnlyModelAdmin):
    """The single transfers of all requests, newest first."""

    list_display = ("bulk_id", "index", "recipient", "money", "reference", "status", "failure_code")
    list_filter = ("status",)
    list_select_related = ("bulk", "to_wallet__owner")
    search_fields = ("reference__exact",)
    search_help_text = "The whole reference that the client gave"
    ordering = ("-id",)
    sortable_by = ()

    @display(description="To")
    def recipient(self, item: BulkTransferItem) -> str:
        """Return whose wallet it goes to, if somebody was found."""
        return "" if item.to_wallet is None else item.to_wallet.owner.email

    @display(description="Amount")
    def money(self, item: BulkTransferItem) -> str:
        """Return the amount for people."""
        return for_people(item.amount, item.bulk.currency)
