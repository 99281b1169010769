"""What proves the books, to look at: snapshots of balances, seals, and how far it was verified."""

from django.contrib import admin
from unfold.decorators import display

from fintech_core.admin import ReadOnlyModelAdmin
from fintech_core.filters import CurrencyFilter
from fintech_core.money import for_people
from transactions.models import BalanceSnapshot, LedgerSeal, VerificationMark


@admin.register(BalanceSnapshot)
class BalanceSnapshotAdmin(ReadOnlyModelAdmin):
    """What accounts had after an entry, newest first."""

    list_display = ("taken_at", "account", "shown_balance", "last_entry_id")
    list_filter = (CurrencyFilter,)
    list_select_related = ("account",)
    search_fields = ("account__code",)
    ordering = ("-id",)
    sortable_by = ()

    @display(description="Balance")
    def shown_balance(self, row: BalanceSnapshot) -> str:
        """Return the balance on the account's own side."""
        return for_people(row.balance, row.currency)


@admin.register(LedgerSeal)
class LedgerSealAdmin(ReadOnlyModelAdmin):
    """The links of the chain, newest first. Whether they hold, ``verify_ledger --seals`` says."""

    list_display = ("number", "sealed_at", "through_entry", "entries", "holds", "key_id", "chain")
    ordering = ("-number",)
    sortable_by = ()


@admin.register(VerificationMark)
class VerificationMarkAdmin(ReadOnlyModelAdmin):
    """How far the books were proven, newest first."""

    list_display = ("checked_at", "through_entry", "through_hold", "seal_number")
    ordering = ("-id",)
    sortable_by = ()
