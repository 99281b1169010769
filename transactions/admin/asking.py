"""Rows that staff ask for by a form and a service writes: nobody edits or deletes one."""

from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from fintech_core.admin import DocumentModelAdmin
from fintech_core.exceptions import DomainError


class AskedModelAdmin(DocumentModelAdmin):
    """Shows ``asked`` on the page of a new row and every column of an old one; ``save_model`` calls the service."""

    asked: ClassVar[tuple[str, ...]] = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Ask for the permission to add one."""
        options = self.opts
        return bool(request.user.has_perm(f"{options.app_label}.add_{options.model_name}"))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Ask for what a new one needs; show all of an old one."""
        return list(self.asked) if obj is None else self.get_readonly_fields(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Let nothing of an old one be typed over."""
        return [] if obj is None else super().get_readonly_fields(request, obj)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Use the asking form for a new one alone."""
        if obj is not None:
            kwargs["form"] = forms.ModelForm
        return super().get_form(request, obj, change, **kwargs)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the form; tell a refusal of the service as its own sentence above it."""
        try:
            answer: HttpResponse = super().add_view(request, form_url, extra_context)
        except DomainError as refusal:
            messages.error(request, refusal.detail)
            return HttpResponseRedirect(request.path)
        return answer
