"""Campaigns and rewards for staff: campaigns start, pause and end through dialogs; the budget is only read."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action

from cashback import services
from cashback.models import Campaign, Reward
from fintech_core.admin import DocumentModelAdmin, ReadOnlyModelAdmin
from fintech_core.dialogs import ReasonForm, finish
from users.models import User

Change = Callable[..., object]


def _actor(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise TypeError("the admin is open to signed-in staff only")
    return request.user


@admin.register(Campaign)
class CampaignAdmin(DocumentModelAdmin):
    """Offers, with what they have spent of their budget."""

    list_display = (
        "name",
        "status",
        "percent_bp",
        "cap",
        "spent",
        "budget",
        "currency",
        "starts_at",
        "ends_at",
    )
    list_filter = ("status", "category")
    search_fields = ("name", "=code")
    ordering = ("-created_at", "-id")
    actions_detail = ("start", "pause", "end")

    @action(
        description="Start",
        permissions=["cashback.operate_campaign"],
        icon="play_arrow",
        dialog={
            "title": "Start this campaign",
            "description": "Payments earn from now on, as long as the budget lasts.",
            "form_class": ReasonForm,
            "form_submit_text": "Start",
        },
    )
    def start(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Start this campaign."""
        return self._change(request, form, object_id, services.start_campaign, "The campaign runs.")

    @action(
        description="Pause",
        permissions=["cashback.operate_campaign"],
        icon="pause",
        dialog={
            "title": "Pause this campaign",
            "description": "Payments earn nothing until it is started again.",
            "form_class": ReasonForm,
            "form_submit_text": "Pause",
        },
    )
    def pause(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Pause this campaign."""
        return self._change(request, form, object_id, services.pause_campaign, "The campaign is paused.")

    @action(
        description="End",
        permissions=["cashback.operate_campaign"],
        icon="stop",
        dialog={
            "title": "End this campaign",
            "description": "It cannot be started again.",
            "form_class": ReasonForm,
            "form_submit_text": "End",
        },
    )
    def end(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """End this campaign."""
        return self._change(request, form, object_id, services.end_campaign, "The campaign has ended.")

    def _change(
        self, request: HttpRequest, form: ReasonForm, object_id: str, change: Change, done: str
    ) -> HttpResponse:
        reason = form.cleaned_data["reason"]
        return finish(
            request,
            lambda: change(campaign_id=UUID(object_id), actor=_actor(request), reason=reason),
            done=done,
        )


@admin.register(Reward)
class RewardAdmin(ReadOnlyModelAdmin):
    """What was earned by which payment."""

    list_display = ("created_at", "user", "campaign", "amount", "currency", "status", "trigger_kind")
    list_filter = ("status", "campaign")
    list_select_related = ("user", "campaign")
    search_fields = ("=trigger_id", "=user__email")
    raw_id_fields = ("user", "transaction")
    ordering = ("-created_at", "-id")
