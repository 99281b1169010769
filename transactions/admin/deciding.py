"""Requests of staff on which somebody else decides, by a dialog."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from fintech_core import clock
from fintech_core.admin import DocumentModelAdmin
from fintech_core.dialogs import ReasonForm, document_id, finish
from fintech_core.models import ApprovalRequest, ApprovalStatus
from transactions.services import approvals
from users.permissions import staff_member

STATUS_COLOURS = {
    str(ApprovalStatus.PENDING): "warning",
    str(ApprovalStatus.APPROVED): "success",
    str(ApprovalStatus.REJECTED): "danger",
}
DECISION = (
    "reason", "requested_by", "requested_at", "status", "decided_by", "decided_at", "shown_result",
)  # fmt: skip


class DecidedModelAdmin(DocumentModelAdmin):
    """Offers to book or to reject what somebody else asked for, to whoever has ``decide_permission``."""

    decide_permission: ClassVar[str]
    # What the page shows above who asked, why, and who decided.
    terms: ClassVar[tuple[str, ...]]
    actions_detail = ("book", "reject")
    readonly_fields: tuple[str, ...] = ("shown_amount", "shown_result")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Show what was asked for first, then what became of it."""
        return [*self.terms, *DECISION]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer a decision where none was taken; the service asks again who takes it."""
        open_one = ApprovalRequest.objects.filter(
            pk=document_id(str(object_id)), status=ApprovalStatus.PENDING
        ).exclude(requested_by_id=request.user.pk)
        return super().get_actions_detail(request, object_id) if open_one.exists() else []

    def has_decide_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Say whether this person decides requests of this kind."""
        return bool(request.user.has_perm(self.decide_permission))

    @display(description="Status", label=STATUS_COLOURS)
    def shown_status(self, row: ApprovalRequest) -> tuple[str, str]:
        """Return the status with its colour."""
        return row.status, row.get_status_display()

    @display(description="Transaction that it made")
    def shown_result(self, row: ApprovalRequest) -> str:
        """Return a link to the transaction that was booked, once there is one."""
        if row.result_id is None:
            return ""
        return format_html(
            '<a href="{}">{}</a>',
            reverse("admin:transactions_transaction_change", args=[row.result_id]),
            row.result_id,
        )

    @action(
        description="Book",
        permissions=["decide"],
        icon="check",
        variant=ActionVariant.SUCCESS,
        dialog={
            "title": "Book what was asked for",
            "description": "The money moves at once, and the customers are told.",
            "form_class": ReasonForm,
            "form_submit_text": "Book",
        },
    )
    def book(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Carry out what somebody else asked for."""
        return self._decide(approvals.approve, request, form, object_id, done="It is booked.")

    @action(
        description="Reject",
        permissions=["decide"],
        icon="close",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Reject what was asked for",
            "description": "No money moves.",
            "form_class": ReasonForm,
            "form_submit_text": "Reject",
        },
    )
    def reject(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Reject what somebody else asked for."""
        return self._decide(approvals.reject, request, form, object_id, done="It is rejected.")

    def _decide(
        self,
        decide: Callable[..., None],
        request: HttpRequest,
        form: ReasonForm,
        object_id: str,
        *,
        done: str,
    ) -> HttpResponse:
        """Decide a request of this page's kind; another kind takes another permission. Raises Http404 for that."""
        asked = get_object_or_404(self.model, pk=document_id(object_id))
        decision = partial(
            decide,
            request_id=asked.pk,
            checker=staff_member(request),
            reason=form.cleaned_data["reason"],
            now=clock.now(),
        )
        return finish(request, decision, done=done)
