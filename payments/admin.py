"""Staff look at fundings, checkouts and payments, and have dead webhooks looked at again."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action
from unfold.paginator import InfinitePaginator

from fintech_core import clock
from fintech_core.admin import DocumentModelAdmin, ReadOnlyInline, ReadOnlyModelAdmin
from fintech_core.dialogs import ReasonForm, document_id, finish
from payments import selectors
from payments.models import CheckoutAttempt, Payment, PaymentIntent, WebhookEvent
from payments.services import inbox
from users.permissions import staff_member


class AttemptInline(ReadOnlyInline):
    """The checkouts of a funding."""

    model = CheckoutAttempt
    fields = ("number", "reference", "status", "outcome", "sent_at", "asked_at")


class PaymentInline(ReadOnlyInline):
    """What the gateway received for a funding."""

    model = Payment
    fields = ("vendor_payment_id", "state", "amount", "fee", "currency", "charged", "paid_at", "transaction")


@admin.register(PaymentIntent)
class PaymentIntentAdmin(ReadOnlyModelAdmin):
    """Fundings."""

    list_display = (
        "reference",
        "status",
        "gateway",
        "amount",
        "fee",
        "currency",
        "credited",
        "created_at",
        "expires_at",
    )
    list_filter = ("status", "gateway", "currency")
    search_fields = ("=reference", "=user__email")
    ordering = ("-created_at", "-id")
    inlines = (AttemptInline, PaymentInline)


@admin.register(CheckoutAttempt)
class CheckoutAttemptAdmin(ReadOnlyModelAdmin):
    """Checkouts, found by the reference that a gateway names."""

    list_display = ("reference", "gateway", "status", "outcome", "created_at", "asked_at")
    list_filter = ("status", "gateway")
    search_fields = ("=reference",)
    ordering = ("-created_at", "-id")


@admin.register(Payment)
class PaymentAdmin(ReadOnlyModelAdmin):
    """Payments of gateways; those in suspense or in review wait for staff."""

    list_display = (
        "vendor_payment_id",
        "gateway",
        "state",
        "amount",
        "fee",
        "currency",
        "charged",
        "paid_at",
        "created_at",
    )
    list_filter = ("state", "gateway", "currency")
    search_fields = ("=vendor_payment_id", "=intent__reference")
    ordering = ("-created_at", "-id")


@admin.register(WebhookEvent)
class WebhookEventAdmin(DocumentModelAdmin):
    """The inbox of every vendor's webhooks. Bodies may hold personal data and are not shown."""

    paginator = InfinitePaginator
    actions_detail = ("replay",)

    list_display = ("received_at", "vendor", "type", "subject", "status", "outcome", "checks", "trust")
    list_filter = ("status", "vendor", "family")
    search_fields = ("=subject", "=dedupe_key")
    ordering = ("-received_at", "-id")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Any]":
        """Leave the bodies in the database."""
        return selectors.list_webhooks()

    @action(
        description="Look again",
        permissions=["payments.replay_webhookevent"],
        icon="replay",
        dialog={
            "title": "Look at this event again",
            "description": "The vendor is asked once more. Only events that were given up can be replayed.",
            "form_class": ReasonForm,
            "form_submit_text": "Look again",
        },
    )
    def replay(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Give a dead event to its job once more."""
        return finish(
            request,
            lambda: inbox.replay(
                event_id=document_id(object_id),
                actor=staff_member(request),
                reason=form.cleaned_data["reason"],
                now=clock.now(),
            ),
            done="The event is looked at again.",
        )
