"""Requests of staff on which somebody else decides, by a dialog."""

from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
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


class DecidedModelAdmin(DocumentModelAdmin):
    """Offers to book or to reject what somebody else asked for, to whoever has ``decide_permission``."""

    decide_permission: ClassVar[str]
    actions_detail = ("book", "reject")

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
        return finish(
            request,
            lambda: approvals.approve(
                request_id=document_id(object_id),
                checker=staff_member(request),
                reason=form.cleaned_data["reason"],
                now=clock.now(),
            ),
            done="It is booked.",
        )

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
        return finish(
            request,
            lambda: approvals.reject(
                request_id=document_id(object_id),
                checker=staff_member(request),
                reason=form.cleaned_data["reason"],
                now=clock.now(),
            ),
            done="It is rejected.",
        )
