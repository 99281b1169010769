"""Wallets for staff: to look at, to freeze and to unfreeze. Nobody edits a balance or a status by a form."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display
from unfold.paginator import InfinitePaginator

from fintech_core.admin import DocumentModelAdmin
from fintech_core.dialogs import ReasonForm, document_id, finish
from fintech_core.filters import CurrencyFilter
from fintech_core.money import for_people
from users.permissions import staff_member
from wallet import services
from wallet.enums import STATUS_SOURCES, WalletStatus
from wallet.models import Wallet

STATUS_COLOURS = {
    WalletStatus.ACTIVE: "success",
    WalletStatus.NO_DEBIT: "warning",
    WalletStatus.FROZEN: "danger",
    WalletStatus.CLOSED: "info",
}
# The status that each dialog leads to.
LEADS_TO = {
    "freeze": WalletStatus.FROZEN,
    "no_debit": WalletStatus.NO_DEBIT,
    "unfreeze": WalletStatus.ACTIVE,
}


@admin.register(Wallet)
class WalletAdmin(DocumentModelAdmin):
    """Whose money, how much, and whether it may move."""

    list_display = (
        "holder",
        "kind",
        "shown_balance",
        "shown_held",
        "shown_available",
        "shown_status",
        "last_entry_at",
    )
    list_filter = ("status", "kind", CurrencyFilter)
    list_select_related = ("owner",)
    search_fields = ("owner__email__exact", "owner__phone__exact")
    search_help_text = "The whole e-mail address or phone number"
    ordering = ("-id",)
    sortable_by = ()
    paginator = InfinitePaginator
    fieldsets = (
        (None, {"fields": ("owner", "address", "kind", "currency", "status")}),
        ("Money", {"fields": ("shown_balance", "shown_held", "shown_available")}),
        ("Spent", {"fields": ("shown_spent_today", "shown_spent_this_month", "spent_on")}),
        ("Ledger", {"fields": ("id", "version", "last_entry_at", "created_at")}),
    )
    readonly_fields = (
        "address",
        "shown_balance",
        "shown_held",
        "shown_available",
        "shown_spent_today",
        "shown_spent_this_month",
    )
    actions_detail = ("freeze", "no_debit", "unfreeze")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Wallet]:
        """Bring the owner along, on the page of one wallet too."""
        rows: QuerySet[Wallet] = super().get_queryset(request)
        return rows.select_related("owner")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer only what this wallet's status allows; the service asks again."""
        status = (
            Wallet.objects.filter(pk=document_id(str(object_id))).values_list("status", flat=True).first()
        )
        return [
            offered
            for offered in super().get_actions_detail(request, object_id)
            if status in STATUS_SOURCES[LEADS_TO[offered.path]]
        ]

    @display(description="Owner", header=True)
    def holder(self, wallet: Wallet) -> tuple[str, str]:
        """Return name and address: many people have one name."""
        return wallet.owner.get_full_name(), wallet.owner.email

    @display(description="E-mail address")
    def address(self, wallet: Wallet) -> str:
        """Return the owner's address."""
        return wallet.owner.email

    @display(description="Status", label={str(key): colour for key, colour in STATUS_COLOURS.items()})
    def shown_status(self, wallet: Wallet) -> tuple[str, str]:
        """Return the status with its colour."""
        return wallet.status, wallet.get_status_display()

    @display(description="Balance")
    def shown_balance(self, wallet: Wallet) -> str:
        """Return what the customer has."""
        return for_people(wallet.balance, wallet.currency)

    @display(description="Held")
    def shown_held(self, wallet: Wallet) -> str:
        """Return what is promised to somebody else."""
        return for_people(wallet.held, wallet.currency)

    @display(description="Available")
    def shown_available(self, wallet: Wallet) -> str:
        """Return what may be spent."""
        return for_people(wallet.available, wallet.currency)

    @display(description="Spent that day")
    def shown_spent_today(self, wallet: Wallet) -> str:
        """Return what counts against the daily limit of the business day below."""
        return for_people(wallet.spent_today, wallet.currency)

    @display(description="Spent that month")
    def shown_spent_this_month(self, wallet: Wallet) -> str:
        """Return what counts against the monthly limit of the business day below."""
        return for_people(wallet.spent_this_month, wallet.currency)

    @action(
        description="Freeze",
        permissions=["wallet.freeze_wallet"],
        icon="ac_unit",
        dialog={
            "title": "Freeze this wallet",
            "description": "No money goes in or out. Credits from outside wait in suspense; holds still settle.",
            "form_class": ReasonForm,
            "form_submit_text": "Freeze",
        },
    )
    def freeze(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Stop money in and out."""
        return self._freeze(request, form, object_id, WalletStatus.FROZEN, "The wallet is frozen.")

    @action(
        description="Stop debits",
        permissions=["wallet.freeze_wallet"],
        icon="block",
        dialog={
            "title": "Stop debits from this wallet",
            "description": "The customer still receives money, and sends none.",
            "form_class": ReasonForm,
            "form_submit_text": "Stop debits",
        },
    )
    def no_debit(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Stop money out."""
        return self._freeze(request, form, object_id, WalletStatus.NO_DEBIT, "No money leaves the wallet.")

    @action(
        description="Unfreeze",
        permissions=["wallet.freeze_wallet"],
        icon="lock_open",
        dialog={
            "title": "Let money move again",
            "description": "Credits that wait in suspense land at once.",
            "form_class": ReasonForm,
            "form_submit_text": "Unfreeze",
        },
    )
    def unfreeze(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Unfreeze the wallet."""
        return finish(
            request,
            lambda: services.unfreeze_wallet(
                wallet_id=document_id(object_id),
                actor=staff_member(request),
                reason=form.cleaned_data["reason"],
            ),
            done="Money moves again.",
        )

    def _freeze(
        self, request: HttpRequest, form: ReasonForm, object_id: str, status: str, done: str
    ) -> HttpResponse:
        return finish(
            request,
            lambda: services.freeze_wallet(
                wallet_id=document_id(object_id),
                actor=staff_member(request),
                reason=form.cleaned_data["reason"],
                status=status,
            ),
            done=done,
        )
