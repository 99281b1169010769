"""Admin actions as dialogs: a reason, one service call, and an answer that Unfold's page understands."""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget

from fintech_core.exceptions import DomainError

MAX_REASON = 500
Result = TypeVar("Result")


def reason_field(*, required: bool = True) -> forms.CharField:
    """Make the field that asks why."""
    return forms.CharField(
        max_length=MAX_REASON,
        required=required,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Kept in the audit log.",
    )


class ReasonForm(BaseDialogForm):
    """Asks why; the reason stands in the audit log."""

    reason = reason_field()


class OptionalReasonForm(BaseDialogForm):
    """Asks for a note that may stay empty."""

    reason = reason_field(required=False)


def finish(
    request: HttpRequest, work: Callable[[], Result], *, done: str | Callable[[Result], str]
) -> HttpResponse:
    """Run the service call of a dialog and send the browser back to the page it stands on.

    ``done``, or what it makes of the result, is told when the call returns, the refusal's own sentence when it raises a
    DomainError.
    """
    try:
        result = work()
    except DomainError as refusal:
        messages.error(request, refusal.detail)
    else:
        messages.success(request, done if isinstance(done, str) else done(result))
    return HttpResponse(headers={"HX-Refresh": "true"})


def document_id(object_id: str) -> UUID:
    """Read the id in a dialog's address. Raises Http404 when it is none."""
    try:
        return UUID(object_id)
    except ValueError:
        raise Http404 from None
