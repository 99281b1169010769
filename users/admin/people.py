"""People, and how they get in: their sessions and PINs."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display

from fintech_core import clock
from fintech_core.admin import DocumentModelAdmin, ReadOnlyModelAdmin
from fintech_core.dialogs import ReasonForm, document_id, finish
from users.models import RefreshToken, Session, TransactionPin, User
from users.permissions import staff_member
from users.services import accounts, pins, sessions


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
                user_id=document_id(object_id),
                actor=staff_member(request),
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
                user_id=document_id(object_id),
                actor=staff_member(request),
                reason=form.cleaned_data["reason"],
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
                user_id=document_id(object_id),
                actor=staff_member(request),
                reason=form.cleaned_data["reason"],
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
                session_id=document_id(object_id),
                actor=staff_member(request),
                reason=form.cleaned_data["reason"],
                now=clock.now(),
            ),
            done="The session is closed.",
        )


@admin.register(RefreshToken)
class RefreshTokenAdmin(ReadOnlyModelAdmin):
    """The chain of each session: when a token was issued and used. Its hash is nobody's business."""

    list_display = ("id", "session", "issued_at", "consumed_at", "expires_at")
    list_select_related = ("session",)
    ordering = ("-id",)
    fields = ("session", "parent", "issued_at", "consumed_at", "expires_at")


@admin.register(TransactionPin)
class TransactionPinAdmin(ReadOnlyModelAdmin):
    """Who has a PIN and whose is locked. The digest is nobody's business."""

    list_display = ("user", "failed_attempts", "locked_at", "set_at")
    list_filter = (("locked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user",)
    search_fields = ("user__email__iexact",)
    ordering = ("-set_at",)
    fields = ("user", "failed_attempts", "locked_at", "set_at", "pepper_version")
