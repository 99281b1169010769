"""Payments of bills for staff: looked up, shown with their orders, checked at the vendor with a reason."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display
from unfold.paginator import InfinitePaginator

from billers import services
from billers.enums import AttemptState, BillStatus
from billers.models import BillAttempt, BillPayment, Quote
from fintech_core.admin import DocumentModelAdmin, ReadOnlyInline, ReadOnlyModelAdmin
from fintech_core.dialogs import ReasonForm, document_id, finish
from fintech_core.filters import CurrencyFilter
from fintech_core.money import for_people
from users.models import User
from users.permissions import staff_member

STATUS_COLOURS = {
    BillStatus.PROCESSING: "warning",
    BillStatus.COMPLETED: "success",
    BillStatus.FAILED: "danger",
    BillStatus.REVERSED: "info",
}


class AttemptInline(ReadOnlyInline):
    """The orders of a payment at vendors, and what is known of each."""

    model = BillAttempt
    verbose_name_plural = "Orders at vendors"
    fields = (
        "number", "vendor", "vendor_reference", "state", "outcome_code", "vendor_id", "not_found_readings", "sent_at",
        "seen_at", "finished_at",
    )  # fmt: skip
    ordering = ("number",)
    hide_title = True


@admin.register(BillPayment)
class BillPaymentAdmin(DocumentModelAdmin):
    """Bills that customers pay. What was bought, a token, is the customer's alone and never shown."""

    list_display = (
        "created_at",
        "reference",
        "payer",
        "product",
        "shown_amount",
        "shown_status",
        "needs_review",
        "next_check_at",
    )
    list_display_links = ("reference",)
    list_filter = ("needs_review", "status", CurrencyFilter)
    list_select_related = ("user", "product__biller")
    search_fields = ("reference__exact",)
    search_help_text = "A whole reference, ours or at the vendor, an id, or the customer's e-mail address"
    ordering = ("-id",)
    sortable_by = ()
    paginator = InfinitePaginator
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "reference",
                    "shown_status",
                    "failure_code",
                    "needs_review",
                    "review_reason",
                    "payer",
                    "product",
                    "customer_id",
                    "customer_name",
                )
            },
        ),
        ("Money", {"fields": ("shown_amount", "shown_fee", "shown_cost", "transaction", "quote")}),
        (
            "At the vendor",
            {"fields": ("vendor", "phone", "subscription", "units", "sends", "unfinished", "checks")},
        ),
        (
            "Time",
            {"fields": ("id", "created_at", "completed_at", "next_check_at", "lease_until", "lease_number")},
        ),
    )
    readonly_fields = ("payer", "shown_status", "shown_amount", "shown_fee", "shown_cost")
    inlines = (AttemptInline,)
    actions_detail = ("check_now", "close_review")

    def get_queryset(self, request: HttpRequest) -> QuerySet[BillPayment]:
        """Bring along what a page names."""
        rows: QuerySet[BillPayment] = super().get_queryset(request)
        return rows.select_related("user", "product__biller", "transaction", "quote")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[BillPayment], search_term: str
    ) -> tuple[QuerySet[BillPayment], bool]:
        """Find by a reference, an id or the customer's e-mail address: each by its own index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if "@" in term:
            people = list(User.objects.filter(email=term.lower()).values_list("pk", flat=True))
            return queryset.filter(user__in=people), False
        ordered = BillAttempt.objects.filter(vendor_reference=term).values_list("payment", flat=True)
        named = Q(reference=term) | Q(pk__in=list(ordered))
        try:
            # A reference at a vendor may look like an id, too.
            return queryset.filter(named | Q(pk=UUID(term))), False
        except ValueError:
            return queryset.filter(named), False

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer what there is to do about this payment; the service asks again."""
        payment = BillPayment.objects.filter(pk=document_id(str(object_id))).first()
        fitting = set() if payment is None else _fitting(payment)
        return [
            offered for offered in super().get_actions_detail(request, object_id) if offered.path in fitting
        ]

    @display(description="Customer")
    def payer(self, payment: BillPayment) -> str:
        """Return the customer's address: many people have one name."""
        return payment.user.email

    @display(description="Status", label={str(key): colour for key, colour in STATUS_COLOURS.items()})
    def shown_status(self, payment: BillPayment) -> tuple[str, str]:
        """Return the status with its colour."""
        return payment.status, payment.get_status_display()

    @display(description="Amount")
    def shown_amount(self, payment: BillPayment) -> str:
        """Return the amount without the fee."""
        return for_people(payment.amount, payment.currency)

    @display(description="Fee")
    def shown_fee(self, payment: BillPayment) -> str:
        """Return what the customer pays on top."""
        return for_people(payment.fee, payment.currency)

    @display(description="Cost")
    def shown_cost(self, payment: BillPayment) -> str:
        """Return what left our balance at the vendor, once that is known."""
        return "" if payment.cost is None else for_people(payment.cost, payment.currency)

    @action(
        description="Check now",
        permissions=["billers.check_billpayment"],
        icon="sync",
        dialog={
            "title": "Ask the vendor now",
            "description": "What it answers decides: nothing is sent again unless it never had the order.",
            "form_class": ReasonForm,
            "form_submit_text": "Check now",
        },
    )
    def check_now(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Have the payment asked about at once; one in review goes on."""
        return finish(
            request,
            lambda: services.check_now(
                payment_id=document_id(object_id),
                actor=staff_member(request),
                reason=form.cleaned_data["reason"],
            ),
            done="The vendor is asked now.",
        )

    @action(
        description="Close review",
        permissions=["billers.check_billpayment"],
        icon="task_alt",
        dialog={
            "title": "Close this review",
            "description": "Somebody has looked at it. No money moves.",
            "form_class": ReasonForm,
            "form_submit_text": "Close review",
        },
    )
    def close_review(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Note that a final payment was looked at."""
        return finish(
            request,
            lambda: services.close_review(
                payment_id=document_id(object_id),
                actor=staff_member(request),
                reason=form.cleaned_data["reason"],
            ),
            done="The review is closed.",
        )


def _fitting(payment: BillPayment) -> set[str]:
    """Name the dialogs that have something to do: open orders can be asked about, final reviews closed."""
    is_open = payment.status == BillStatus.PROCESSING
    has_open_order = payment.attempts.filter(state=AttemptState.SENT).exists()
    can_close = payment.needs_review and not is_open
    return ({"check_now"} if is_open or has_open_order else set()) | (
        {"close_review"} if can_close else set()
    )


@admin.register(BillAttempt)
class BillAttemptAdmin(ReadOnlyModelAdmin):
    """What a vendor was asked, and what it answered, without tokens and numbers of people."""

    list_display = ("created_at", "vendor_reference", "payment", "number", "vendor", "state", "outcome_code")
    list_display_links = ("vendor_reference",)
    list_filter = ("state", "vendor")
    list_select_related = ("payment",)
    search_fields = ("vendor_reference__exact",)
    search_help_text = "A whole reference at the vendor"
    ordering = ("-id",)
    sortable_by = ()


@admin.register(Quote)
class QuoteAdmin(ReadOnlyModelAdmin):
    """What a customer was told before paying."""

    list_display = ("created_at", "id", "product", "shown_amount", "expires_at")
    list_display_links = ("id",)
    list_select_related = ("product__biller",)
    ordering = ("-id",)
    sortable_by = ()

    @display(description="Amount")
    def shown_amount(self, quote: Quote) -> str:
        """Return the amount, when the customer had chosen one."""
        return "" if quote.amount is None else for_people(quote.amount, quote.currency)
