"""The books: chart of accounts, journal, and money that waits in suspense. Nothing here can be pressed."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from fintech_core.admin import ReadOnlyModelAdmin
from fintech_core.filters import CurrencyFilter
from fintech_core.money import for_people
from transactions.enums import Direction, ParkedCreditStatus
from transactions.models import LedgerAccount, LedgerEntry, ParkedCredit


class TAccountLine:
    """An entry shown as a line of a T-account: whose wallet, the amount on its side, the balance after it."""

    @display(description="Wallet of")
    def owner(self, entry: LedgerEntry) -> str:
        """Return whose wallet it is, if it is one."""
        return "" if entry.wallet is None else entry.wallet.owner.email

    @display(description="Debit")
    def debit(self, entry: LedgerEntry) -> str:
        """Return the amount on the left side."""
        return _on_side(entry, Direction.DEBIT)

    @display(description="Credit")
    def credit(self, entry: LedgerEntry) -> str:
        """Return the amount on the right side."""
        return _on_side(entry, Direction.CREDIT)

    @display(description="Balance after")
    def balance_after(self, entry: LedgerEntry) -> str:
        """Return the wallet's running balance; accounts of the general ledger carry none."""
        balance = entry.wallet_balance_after
        return "" if balance is None else for_people(balance, entry.currency)


@admin.register(LedgerAccount)
class LedgerAccountAdmin(ReadOnlyModelAdmin):
    """The chart of accounts: a few dozen rows that never change."""

    list_display = ("code", "name", "type", "currency", "wallet_kind")
    list_filter = ("type", CurrencyFilter)
    search_fields = ("code", "name")
    ordering = ("currency", "code")


@admin.register(LedgerEntry)
class LedgerEntryAdmin(TAccountLine, ReadOnlyModelAdmin):
    """The journal, newest first."""

    list_display = ("id", "created_at", "transaction", "account", "owner", "debit", "credit", "balance_after")
    list_filter = ("direction", CurrencyFilter)
    list_select_related = ("transaction", "account", "wallet__owner")
    search_fields = ("transaction__reference__exact",)
    search_help_text = "The whole reference of a transaction"
    ordering = ("-id",)
    sortable_by = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerEntry]:
        """Bring along what a line names, on the page of one entry too."""
        rows: QuerySet[LedgerEntry] = super().get_queryset(request)
        return rows.select_related("transaction", "account", "wallet__owner")


@admin.register(ParkedCredit)
class ParkedCreditAdmin(ReadOnlyModelAdmin):
    """Money that could not land; it is released by a tier, an unfrozen wallet, or the sweeper, or is reversed."""

    list_display = (
        "created_at", "owner", "shown_amount", "type", "reason", "shown_status", "released_at", "reversed_at",
    )  # fmt: skip
    list_filter = ("status", CurrencyFilter)
    list_select_related = ("owner",)
    search_fields = ("owner__email__exact",)
    search_help_text = "The whole e-mail address"
    ordering = ("-id",)
    sortable_by = ()

    @display(description="Amount")
    def shown_amount(self, row: ParkedCredit) -> str:
        """Return what waits."""
        return for_people(row.amount, row.currency)

    @display(
        description="Status",
        label={
            str(ParkedCreditStatus.PARKED): "warning",
            str(ParkedCreditStatus.RELEASED): "success",
            str(ParkedCreditStatus.REVERSED): "danger",
        },
    )
    def shown_status(self, row: ParkedCredit) -> tuple[str, str]:
        """Return the status with its colour."""
        return row.status, row.get_status_display()


def _on_side(entry: LedgerEntry, side: Direction) -> str:
    return for_people(entry.amount, entry.currency) if entry.direction == side else ""
