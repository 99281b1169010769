"""Transactions for staff: looked up by reference, shown with their entries, reversed with a reason.

The switch for outgoing money stands above the list; whoever turns it says why.
"""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.paginator import InfinitePaginator

from fintech_core import clock
from fintech_core.admin import DocumentModelAdmin, ReadOnlyInline, turned_by_dialog
from fintech_core.dialogs import ReasonForm, document_id, finish
from fintech_core.filters import CurrencyFilter
from fintech_core.money import for_people
from transactions import selectors, switches
from transactions.admin.books import TAccountLine
from transactions.admin.undoing import RefundForm, ReverseForm, amount_of, answered
from transactions.enums import ApprovalKind, TransactionStatus
from transactions.models import LedgerEntry, Transaction, Undoing
from transactions.rights import ASK
from transactions.services.undoing_by_staff import undo
from users.models import User
from users.permissions import staff_member

STATUS_COLOURS = {
    TransactionStatus.PENDING: "warning",
    TransactionStatus.COMPLETED: "success",
    TransactionStatus.FAILED: "danger",
    TransactionStatus.CANCELLED: "info",
}

DONE = {
    ApprovalKind.REVERSAL: "The transaction is reversed.",
    ApprovalKind.REFUND: "The refund is booked.",
}
ASKED = "This is more than one person decides: somebody else has to book it."

turned_by_dialog(switches.MONEY_OUT_STOPPED)


class EntriesInline(TAccountLine, ReadOnlyInline):
    """The entries of a transaction as lines of a T: debits equal credits."""

    model = LedgerEntry
    verbose_name_plural = "Entries"
    fields = ("account", "owner", "debit", "credit", "balance_after", "wallet_version")
    ordering = ("id",)
    hide_title = True
    show_change_link = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerEntry]:
        """Bring along what a line names."""
        rows: QuerySet[LedgerEntry] = super().get_queryset(request)
        return rows.select_related("account", "wallet__owner")


@admin.register(Transaction)
class TransactionAdmin(DocumentModelAdmin):
    """Every movement of money, newest first; a page of it asks for no count."""

    list_display = (
        "created_at",
        "reference",
        "type",
        "shown_amount",
        "shown_fee",
        "sender",
        "receiver",
        "shown_status",
    )
    list_display_links = ("reference",)
    list_filter = ("status", "type", CurrencyFilter)
    list_select_related = ("from_user", "to_user")
    search_fields = ("reference__exact",)
    search_help_text = (
        "A whole reference (ours or a sender's), an id, a side's e-mail address, or key=value of metadata"
    )
    ordering = ("-id",)
    sortable_by = ()
    paginator = InfinitePaginator
    fieldsets = (
        (None, {"fields": ("reference", "type", "status", "failure_code", "description")}),
        ("Money", {"fields": ("shown_amount", "shown_fee", "shown_hold", "from_user", "to_user")}),
        (
            "Time",
            {"classes": ("tab",), "fields": ("created_at", "completed_at", "effective_at", "expires_at")},
        ),
        (
            "Where it comes from",
            {
                "classes": ("tab",),
                "fields": (
                    "id",
                    "initiated_by",
                    "source_kind",
                    "source_id",
                    "reverses",
                    "refund_of",
                    "metadata",
                ),
            },
        ),
    )
    readonly_fields = ("shown_amount", "shown_fee", "shown_hold")
    inlines = (EntriesInline,)
    actions_list = ("stop_money_out", "resume_money_out")
    actions_detail = ("reverse", "refund")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transaction]:
        """Bring both sides along, on the page of one transaction too."""
        rows: QuerySet[Transaction] = super().get_queryset(request)
        return rows.select_related("from_user", "to_user")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Transaction], search_term: str
    ) -> tuple[QuerySet[Transaction], bool]:
        """Find by reference, id, a side's e-mail address or ``key=value`` of metadata: each by its own index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if "=" in term:
            key, _, value = term.partition("=")
            return selectors.with_metadata(queryset, key=key.strip(), value=value.strip()), False
        if "@" in term:
            people = list(User.objects.filter(email=term.lower()).values_list("pk", flat=True))
            return queryset.filter(Q(from_user__in=people) | Q(to_user__in=people)), False
        try:
            return queryset.filter(pk=UUID(term)), False
        except ValueError:
            return queryset.filter(reference=term), False

    def get_actions_list(self, request: HttpRequest) -> list[Any]:
        """Offer to stop outgoing money while it runs, and to resume it while it is stopped."""
        fitting = "resume_money_out" if switches.is_money_out_stopped() else "stop_money_out"
        return [offered for offered in super().get_actions_list(request) if offered.path == fitting]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer to undo what can be undone; the service asks again."""
        fitting = selectors.ways_to_undo(transaction_id=document_id(str(object_id)))
        return [row for row in super().get_actions_detail(request, object_id) if row.path in fitting]

    @display(description="Amount")
    def shown_amount(self, row: Transaction) -> str:
        """Return the amount without the fee."""
        return for_people(row.amount, row.currency)

    @display(description="Fee")
    def shown_fee(self, row: Transaction) -> str:
        """Return the fee, if there is one."""
        return for_people(row.fee, row.currency) if row.fee else ""

    @display(description="Held")
    def shown_hold(self, row: Transaction) -> str:
        """Return what was held on the sender's wallet, if it began as a hold."""
        return "" if row.hold_amount is None else for_people(row.hold_amount, row.currency)

    @display(description="From")
    def sender(self, row: Transaction) -> str:
        """Return the sender's address."""
        return "" if row.from_user is None else row.from_user.email

    @display(description="To")
    def receiver(self, row: Transaction) -> str:
        """Return the receiver's address."""
        return "" if row.to_user is None else row.to_user.email

    @display(description="Status", label={str(key): colour for key, colour in STATUS_COLOURS.items()})
    def shown_status(self, row: Transaction) -> tuple[str, str]:
        """Return the status with its colour."""
        return row.status, row.get_status_display()

    @action(
        description="Reverse",
        permissions=[ASK[ApprovalKind.REVERSAL]],
        icon="undo",
        dialog={
            "title": "Reverse this transaction",
            "description": "Its mirror is booked; above a limit somebody else decides. What is spent stays spent.",
            "form_class": ReverseForm,
            "form_submit_text": "Reverse",
        },
    )
    def reverse(self, request: HttpRequest, form: ReverseForm, object_id: str) -> HttpResponse:
        """Book the mirror of a completed transaction."""
        return self._undo(request, form, object_id, ApprovalKind.REVERSAL)

    @action(
        description="Refund",
        permissions=[ASK[ApprovalKind.REFUND]],
        icon="currency_exchange",
        dialog={
            "title": "Refund this transaction",
            "description": "The receiver gives back a part, or all that is left; above a limit somebody else decides.",
            "form_class": RefundForm,
            "form_submit_text": "Refund",
        },
    )
    def refund(self, request: HttpRequest, form: RefundForm, object_id: str) -> HttpResponse:
        """Give the payer of a completed transaction a part of it back."""
        return self._undo(request, form, object_id, ApprovalKind.REFUND)

    def _undo(
        self, request: HttpRequest, form: ReverseForm, object_id: str, kind: ApprovalKind
    ) -> HttpResponse:
        """Undo it, or ask for it where that takes two people, and say which."""
        answers = answered(request, form)

        def work() -> Transaction | Undoing:
            row = selectors.get_transaction_for_staff(transaction_id=document_id(object_id))
            return undo(
                kind=kind,
                transaction_id=row.pk,
                amount=amount_of(form, row),
                actor=staff_member(request),
                now=clock.now(),
                **answers,
            )

        return finish(request, work, done=lambda made: ASKED if isinstance(made, Undoing) else DONE[kind])

    @action(
        description="Stop money out",
        permissions=["transactions.switch_money_out"],
        icon="front_hand",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Stop all outgoing money",
            "description": "Transfers and bills are refused within seconds; reading and receiving go on.",
            "form_class": ReasonForm,
            "form_submit_text": "Stop money out",
        },
    )
    def stop_money_out(self, request: HttpRequest, form: ReasonForm) -> HttpResponse:
        """Stop outgoing money."""
        return finish(
            request,
            lambda: switches.stop_money_out(actor=staff_member(request), reason=form.cleaned_data["reason"]),
            done="Outgoing money is stopped.",
        )

    @action(
        description="Resume money out",
        permissions=["transactions.switch_money_out"],
        icon="play_arrow",
        variant=ActionVariant.SUCCESS,
        dialog={
            "title": "Let money out again",
            "description": "Transfers and bills are taken again within seconds.",
            "form_class": ReasonForm,
            "form_submit_text": "Resume money out",
        },
    )
    def resume_money_out(self, request: HttpRequest, form: ReasonForm) -> HttpResponse:
        """Let outgoing money flow again."""
        return finish(
            request,
            lambda: switches.resume_money_out(
                actor=staff_member(request), reason=form.cleaned_data["reason"]
            ),
            done="Outgoing money flows again.",
        )
