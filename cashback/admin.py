"""Campaigns and rewards for staff: drafts are written by a form, campaigns start, pause and end through dialogs."""

from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from cashback import services
from cashback.enums import CAMPAIGN_SOURCES, CampaignStatus, RewardStatus
from cashback.models import Campaign, Reward
from cashback.terms import Terms
from fintech_core import clock
from fintech_core.admin import ModelAdmin, ReadOnlyModelAdmin
from fintech_core.dialogs import MAX_REASON, ReasonForm, document_id, finish
from fintech_core.filters import CurrencyFilter
from fintech_core.money import for_people
from users.permissions import staff_member

if TYPE_CHECKING:
    CampaignModelForm = forms.ModelForm[Campaign]
else:
    CampaignModelForm = forms.ModelForm

Change = Callable[..., object]
TERMS = tuple(field.name for field in fields(Terms))
CAMPAIGN_COLOURS = {
    CampaignStatus.DRAFT: "info",
    CampaignStatus.RUNNING: "success",
    CampaignStatus.PAUSED: "warning",
    CampaignStatus.ENDED: "danger",
}
REWARD_COLOURS = {
    RewardStatus.PENDING: "info",
    RewardStatus.EARNED: "success",
    RewardStatus.DROPPED: "warning",
    RewardStatus.CANCELLED: "danger",
}
# The status that each dialog leads to.
LEADS_TO = {
    "start": CampaignStatus.RUNNING,
    "pause": CampaignStatus.PAUSED,
    "end": CampaignStatus.ENDED,
}


class CampaignForm(CampaignModelForm):
    """The terms of a draft, and why they are what they are."""

    currency = forms.ChoiceField(
        choices=[(code, code) for code in settings.CURRENCIES], widget=UnfoldAdminSelectWidget
    )
    reason = forms.CharField(
        max_length=MAX_REASON, widget=UnfoldAdminTextInputWidget, help_text="Kept in the audit log."
    )

    class Meta:
        model = Campaign
        fields = TERMS

    def clean(self) -> dict[str, Any]:
        """Refuse terms that cannot be offered, each at its field."""
        cleaned: dict[str, Any] = super().clean() or {}
        if all(name in cleaned for name in TERMS):
            for name, fault in self.terms().faults().items():
                self.add_error(name, fault)
        return cleaned

    def terms(self) -> Terms:
        """Return what was typed as one value."""
        return Terms(**{name: self.cleaned_data[name] for name in TERMS})


@admin.register(Campaign)
class CampaignAdmin(ModelAdmin):
    """Offers, with what they have spent of their budget."""

    form = CampaignForm
    list_display = (
        "name",
        "shown_status",
        "shown_percent",
        "shown_cap",
        "shown_spent",
        "shown_budget",
        "starts_at",
        "ends_at",
    )
    list_filter = ("status", CurrencyFilter)
    search_fields = ("name", "=code")
    ordering = ("-created_at", "-id")
    readonly_fields = ("status", "shown_spent", "created_at")
    actions_detail = ("start", "pause", "end")

    def get_fields(self, request: HttpRequest, obj: Campaign | None = None) -> list[str]:
        """Ask for the terms of a draft; show those of a campaign that has run."""
        if obj is None:
            return [*TERMS, "reason"]
        return [
            *TERMS,
            *self.readonly_fields,
            *(["reason"] if self.has_change_permission(request, obj) else []),
        ]

    def has_view_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        """Ask for the view permission itself."""
        return bool(request.user.has_perm("cashback.view_campaign"))

    def has_change_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        """Let a draft be edited and nothing else: what people were told stays."""
        is_draft = obj is None or obj.status == CampaignStatus.DRAFT
        return is_draft and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Campaign | None = None) -> bool:
        """Let nobody delete a campaign: a draft that is not wanted is ended."""
        return False

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return the campaign, locked while its form is saved: it may not start in between."""
        found = super().get_object(request, object_id, from_field)
        if found is None or request.method != "POST":
            return found
        return Campaign.objects.select_for_update(no_key=True).get(pk=found.pk)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Propose the beginning of the next business day."""
        return {**super().get_changeform_initial_data(request), "starts_at": clock.next_day(clock.now())}

    def save_model(self, request: HttpRequest, obj: Campaign, form: CampaignForm, change: bool) -> None:
        """Write the draft by the service, which also writes the audit row."""
        given = {
            "terms": form.terms(),
            "actor": staff_member(request),
            "reason": form.cleaned_data["reason"],
        }
        if change:
            services.edit_campaign(campaign_id=obj.pk, **given)
        else:
            obj.pk = services.create_campaign(**given).pk

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer only what this campaign's status allows; the service asks again."""
        status = (
            Campaign.objects.filter(pk=document_id(str(object_id))).values_list("status", flat=True).first()
        )
        return [
            offered
            for offered in super().get_actions_detail(request, object_id)
            if status in CAMPAIGN_SOURCES[LEADS_TO[offered.path]]
        ]

    @display(description="Status", label={str(key): colour for key, colour in CAMPAIGN_COLOURS.items()})
    def shown_status(self, campaign: Campaign) -> tuple[str, str]:
        """Return the status with its colour."""
        return campaign.status, campaign.get_status_display()

    @display(description="Percent")
    def shown_percent(self, campaign: Campaign) -> str:
        """Return the percentage as people read it."""
        whole, rest = divmod(campaign.percent_bp, 100)
        return f"{whole}.{rest:02d} %"

    @display(description="Cap")
    def shown_cap(self, campaign: Campaign) -> str:
        """Return the most that one payment earns."""
        return for_people(campaign.cap, campaign.currency)

    @display(description="Spent")
    def shown_spent(self, campaign: Campaign) -> str:
        """Return what was given so far."""
        return for_people(campaign.spent, campaign.currency)

    @display(description="Budget")
    def shown_budget(self, campaign: Campaign) -> str:
        """Return the most that is given altogether."""
        return for_people(campaign.budget, campaign.currency)

    @action(
        description="Start",
        permissions=["cashback.operate_campaign"],
        icon="play_arrow",
        dialog={
            "title": "Start this campaign",
            "description": "Payments earn from now on, as long as the budget lasts. Its terms stay as they are.",
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
            lambda: change(campaign_id=document_id(object_id), actor=staff_member(request), reason=reason),
            done=done,
        )


@admin.register(Reward)
class RewardAdmin(ReadOnlyModelAdmin):
    """What was earned by which payment."""

    list_display = ("created_at", "user", "campaign", "shown_amount", "shown_status", "trigger_kind")
    list_filter = ("status", CurrencyFilter)
    list_select_related = ("user", "campaign")
    search_fields = ("=trigger_id", "user__email__exact")
    search_help_text = "The payment's id, or the whole e-mail address"
    raw_id_fields = ("user", "transaction")
    ordering = ("-created_at", "-id")

    @display(description="Amount")
    def shown_amount(self, reward: Reward) -> str:
        """Return the amount as people read it."""
        return for_people(reward.amount, reward.currency)

    @display(description="Status", label={str(key): colour for key, colour in REWARD_COLOURS.items()})
    def shown_status(self, reward: Reward) -> tuple[str, str]:
        """Return the status with its colour."""
        return reward.status, reward.get_status_display()
