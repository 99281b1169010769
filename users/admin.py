"""Staff: people, their sessions and PINs, and the queue of identity cases.

Nobody is edited here and nobody is made staff by a form: what changes goes through dialogs that call the same
services as the API.
"""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display

from fintech_core import clock
from fintech_core.admin import DocumentModelAdmin, ReadOnlyModelAdmin
from fintech_core.dialogs import OptionalReasonForm, ReasonForm, finish
from users.enums import KycStatus
from users.models import IdentityDocument, KycCase, Session, TransactionPin, User
from users.services import accounts, kyc, pins, sessions

STATUS_COLOURS = {
    KycStatus.SUBMITTED: "info",
    KycStatus.IN_REVIEW: "warning",
    KycStatus.NEEDS_INFO: "warning",
    KycStatus.APPROVED: "success",
    KycStatus.REJECTED: "danger",
    KycStatus.EXPIRED: "danger",
}


def _actor(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise TypeError("the admin is open to signed-in staff only")
    return request.user


@admin.register(User)
class UserAdmin(DocumentModelAdmin):
    """People. ``createsuperuser`` and groups make staff; no form here does."""

    list_display = ("email", "name", "tier", "is_active", "is_staff", "created_at")
    list_filter = ("kyc_tier", "is_active", "is_staff")
    search_fields = ("email__iexact", "phone__exact", "first_name", "last_name", "referral_code__exact")
    ordering = ("-created_at", "-id")
    fields = (
        "id",
        "email",
        "email_verified_at",
        "phone",
        "phone_verified_at",
        "first_name",
        "last_name",
        "kyc_tier",
        "referral_code",
        "referred_by_code",
        "language",
        "is_active",
        "is_staff",
        "is_superuser",
        "last_login",
        "created_at",
    )
    actions_detail = ("suspend", "reinstate", "reset_pin")

    @display(description="Name")
    def name(self, user: User) -> str:
        """Return the full name."""
        return user.get_full_name()

    @display(description="Tier", ordering="kyc_tier", label=True)
    def tier(self, user: User) -> str:
        """Return the tier as a label."""
        return f"Tier {user.kyc_tier}"

    @action(
        description="Suspend",
        permissions=["users.suspend_user"],
        icon="block",
        dialog={
            "title": "Suspend this customer",
            "description": "Every session ends at once and no new one can be opened.",
            "form_class": ReasonForm,
            "form_submit_text": "Suspend",
        },
    )
    def suspend(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Keep a customer from signing in."""
        return finish(
            request,
            lambda: accounts.suspend(
                user_id=UUID(object_id),
                actor=_actor(request),
                reason=form.cleaned_data["reason"],
                now=clock.now(),
            ),
            done="The customer is suspended.",
        )

    @action(
        description="Reinstate",
        permissions=["users.suspend_user"],
        icon="lock_open",
        dialog={
            "title": "Let this customer sign in again",
            "description": "Sessions that ended stay closed.",
            "form_class": ReasonForm,
            "form_submit_text": "Reinstate",
        },
    )
    def reinstate(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Undo a suspension."""
        return finish(
            request,
            lambda: accounts.reinstate(
                user_id=UUID(object_id), actor=_actor(request), reason=form.cleaned_data["reason"]
            ),
            done="The customer may sign in again.",
        )

    @action(
        description="Reset PIN",
        permissions=["users.reset_pin"],
        icon="password",
        dialog={
            "title": "Reset the transaction PIN",
            "description": "The PIN is removed and the customer is told; their password sets the next one.",
            "form_class": ReasonForm,
            "form_submit_text": "Reset PIN",
        },
    )
    def reset_pin(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Remove a locked or forgotten PIN."""
        return finish(
            request,
            lambda: pins.reset(
                user_id=UUID(object_id), actor=_actor(request), reason=form.cleaned_data["reason"]
            ),
            done="The PIN is reset.",
        )


@admin.register(Session)
class SessionAdmin(DocumentModelAdmin):
    """Where people are signed in."""

    list_display = ("user", "user_agent", "ip", "created_at", "last_seen_at", "revoked_at", "revoked_reason")
    list_filter = ("revoked_reason",)
    list_select_related = ("user",)
    search_fields = ("user__email__iexact", "ip__exact")
    ordering = ("-created_at", "-id")
    actions_detail = ("end",)

    @action(
        description="End session",
        permissions=["users.end_session"],
        icon="logout",
        dialog={
            "title": "End this session",
            "description": "Its tokens stop working at once; the customer is told.",
            "form_class": ReasonForm,
            "form_submit_text": "End session",
        },
    )
    def end(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Close a customer's session."""
        return finish(
            request,
            lambda: sessions.end_session_by_staff(
                session_id=UUID(object_id),
                actor=_actor(request),
                reason=form.cleaned_data["reason"],
                now=clock.now(),
            ),
            done="The session is closed.",
        )


@admin.register(TransactionPin)
class TransactionPinAdmin(ReadOnlyModelAdmin):
    """Who has a PIN and whose is locked. The digest is nobody's business."""

    list_display = ("user", "failed_attempts", "locked_at", "set_at")
    list_filter = (("locked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user",)
    search_fields = ("user__email__iexact",)
    ordering = ("-set_at",)
    fields = ("user", "failed_attempts", "locked_at", "set_at", "pepper_version")


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

    list_display = ("created_at", "user", "requested_tier", "document_type", "shown_status", "decided_by")
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
            lambda: decide(case_id=UUID(object_id), actor=_actor(request), reason=reason, now=clock.now()),
            done=done,
        )
