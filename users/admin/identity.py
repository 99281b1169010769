"""Identity documents, and the queue of cases that a person decides."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display

from fintech_core import clock
from fintech_core.admin import DocumentModelAdmin, ReadOnlyModelAdmin
from fintech_core.dialogs import OptionalReasonForm, ReasonForm, document_id, finish
from users.enums import KYC_OPEN, KycStatus
from users.models import IdentityDocument, KycCase
from users.permissions import staff_member
from users.services import kyc

STATUS_COLOURS = {
    KycStatus.SUBMITTED: "info",
    KycStatus.IN_REVIEW: "warning",
    KycStatus.NEEDS_INFO: "warning",
    KycStatus.APPROVED: "success",
    KycStatus.REJECTED: "danger",
    KycStatus.EXPIRED: "danger",
}


@admin.register(IdentityDocument)
class IdentityDocumentAdmin(ReadOnlyModelAdmin):
    """Whose document is whose, by kind and day; the fingerprint is not shown."""

    list_display = ("user", "document_type", "created_at")
    list_filter = ("document_type",)
    list_select_related = ("user",)
    search_fields = ("user__email__iexact",)
    ordering = ("-created_at",)
    fields = ("user", "document_type", "created_at")


@admin.register(KycCase)
class KycCaseAdmin(DocumentModelAdmin):
    """The queue of identity cases."""

    list_display = ("created_at", "customer", "requested_tier", "document_type", "shown_status", "decided_by")
    list_filter = ("status", "tier", "document_type")
    list_select_related = ("user", "decided_by")
    search_fields = ("user__email__iexact", "id__exact")
    ordering = ("-created_at", "-id")
    fields = (
        "id",
        "user",
        "tier",
        "status",
        "document_type",
        "masked_number",
        "date_of_birth",
        "address",
        "reason",
        "decided_by",
        "decided_at",
        "created_at",
        "next_check_at",
        "checks",
    )
    readonly_fields = ("masked_number",)
    actions_detail = ("approve", "reject")

    def get_queryset(self, request: HttpRequest) -> QuerySet[KycCase]:
        """Leave the encrypted number out of lists; the page of one case reads it to mask it."""
        rows: QuerySet[KycCase] = super().get_queryset(request)
        return rows.defer("document_number")

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer a decision while the case is open; the service asks again."""
        is_open = KycCase.objects.filter(pk=document_id(str(object_id)), status__in=KYC_OPEN).exists()
        return super().get_actions_detail(request, object_id) if is_open else []

    @display(description="Customer", header=True)
    def customer(self, case: KycCase) -> tuple[str, str]:
        """Return name and address: many people have one name."""
        return case.user.get_full_name(), case.user.email

    @display(description="Tier", ordering="tier")
    def requested_tier(self, case: KycCase) -> int:
        """Return the tier that is asked for."""
        return case.tier

    @display(
        description="Status",
        ordering="status",
        label={str(key): value for key, value in STATUS_COLOURS.items()},
    )
    def shown_status(self, case: KycCase) -> tuple[str, str]:
        """Return the status with its colour."""
        return case.status, case.get_status_display()

    @display(description="Document number")
    def masked_number(self, case: KycCase) -> str:
        """Return the last four characters, enough to compare with what the customer says."""
        number = str(case.document_number)
        return f"{'•' * (len(number) - 4)}{number[-4:]}"

    @action(
        description="Approve",
        permissions=["users.decide_kyc"],
        icon="check_circle",
        dialog={
            "title": "Approve this case",
            "description": "The customer's tier rises at once.",
            "form_class": OptionalReasonForm,
            "form_submit_text": "Approve",
        },
    )
    def approve(self, request: HttpRequest, form: OptionalReasonForm, object_id: str) -> HttpResponse:
        """Approve the case."""
        return self._decide(request, form, object_id, kyc.approve, "The case is approved.")

    @action(
        description="Reject",
        permissions=["users.decide_kyc"],
        icon="cancel",
        dialog={
            "title": "Reject this case",
            "description": "The customer reads the reason.",
            "form_class": ReasonForm,
            "form_submit_text": "Reject",
        },
    )
    def reject(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Reject the case."""
        return self._decide(request, form, object_id, kyc.reject, "The case is rejected.")

    def _decide(
        self, request: HttpRequest, form: Any, object_id: str, decide: Any, done: str
    ) -> HttpResponse:
        reason = form.cleaned_data["reason"]
        return finish(
            request,
            lambda: decide(
                case_id=document_id(object_id), actor=staff_member(request), reason=reason, now=clock.now()
            ),
            done=done,
        )
