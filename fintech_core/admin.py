"""The guarded admin: the base classes every app builds on, and what the libraries register, made safe.

Staff never edit a balance or a status: rows that services write are shown by ``DocumentModelAdmin`` (actions
as dialogs, which call the same services as the API) or by ``ReadOnlyModelAdmin`` (nothing to press at all).
The rules that a start is refused for stand in ``checks.py``.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest
from django_celery_beat import models as beat
from unfold.admin import ModelAdmin as UnfoldModelAdmin
from unfold.admin import TabularInline as UnfoldTabularInline
from unfold.paginator import InfinitePaginator
from waffle.models import Flag, Sample, Switch

from fintech_core.checks import GuardedChecks
from fintech_core.fields import EncryptedTextField
from fintech_core.models import ApprovalRequest, AuditRecord, IdempotencyRecord, JobRun

if TYPE_CHECKING:
    SwitchModelForm = forms.ModelForm[Switch]
else:
    SwitchModelForm = forms.ModelForm

Action = TypeVar("Action", bound=Callable[..., Any])


def read_only(action: Action) -> Action:
    """Mark an Unfold action that changes nothing (a redirect, a download), so that it need not be a dialog.

    Put it above ``@action(permissions=…)``, which is still required.
    """
    action.read_only = True  # type: ignore[attr-defined]  # read by the system check
    return action


def environment_label(_request: HttpRequest) -> list[str]:
    """Return the tag that Unfold shows on every page, with its colour."""
    return ["Production", "danger"] if settings.PRODUCTION else ["Sandbox", "warning"]


def shown_fields(model: type[Model]) -> list[str]:
    """Return the names of the model's columns, in their order, without the encrypted ones."""
    return [field.name for field in model._meta.fields if not isinstance(field, EncryptedTextField)]


class ModelAdmin(UnfoldModelAdmin):
    """Base of every ModelAdmin: no bulk deletion, no count of a whole table, datasets by permission."""

    checks_class = GuardedChecks
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 0

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Return the bulk actions this person may use; never the deletion of a selection."""
        actions: dict[str, Any] = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def get_changeform_datasets(self, request: HttpRequest) -> list[Any]:
        """Return the datasets whose rows this person may view anyway."""
        return [
            dataset
            for dataset in super().get_changeform_datasets(request)
            if dataset.model_admin(dataset.model, self.admin_site).has_view_permission(request)
        ]


class DocumentModelAdmin(ModelAdmin):
    """Rows that only services write: nobody adds, edits or deletes one; staff act through dialogs."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Let nobody add a row."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody edit a row."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody delete a row."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Ask for the view permission itself; the right to change something else is not it."""
        options = self.opts
        return bool(request.user.has_perm(f"{options.app_label}.view_{options.model_name}"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Return every column that is not encrypted, and what the class adds."""
        declared = [name for name in self.readonly_fields if isinstance(name, str)]
        return list(dict.fromkeys([*shown_fields(self.model), *declared]))


class ReadOnlyModelAdmin(DocumentModelAdmin):
    """Rows to look at and nothing else: ledger, events, audit. Pages through them without counting."""

    paginator = InfinitePaginator
    actions_list = actions_row = actions_detail = actions_submit_line = ()

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer no action."""
        return {}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the list; raises PermissionDenied on every method but GET, since there is nothing to post."""
        if request.method != "GET":
            raise PermissionDenied
        return super().changelist_view(request, extra_context)


class ReadOnlyInline(UnfoldTabularInline):
    """Rows under their document, to look at: entries of a transaction, attempts of a payment."""

    extra = 0
    max_num = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody add a row."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody edit a row."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody delete a row."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Return every column that is not encrypted, or what the class names."""
        return list(self.fields or shown_fields(self.model))


class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """Roles. Only a superuser edits one: whoever may edit their own role has every permission."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Ask for a superuser."""
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Ask for a superuser."""
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Ask for a superuser."""
        return bool(request.user.is_superuser)


class SwitchAdmin(ModelAdmin):
    """Kill switches and feature flags: made and turned one by one, never deleted by hand."""

    search_fields = ("name", "note")
    readonly_fields = ("created", "modified")
    ordering = ("name",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody delete a switch that code asks for by its name."""
        return False


class FlagAdmin(SwitchAdmin):
    """A flag for some people; they are named by id, since a list of everybody is no choice."""

    raw_id_fields = ("users",)
    list_display = ("name", "everyone", "percent", "superusers", "staff", "note")


class SwitchForm(SwitchModelForm):
    """A switch under a name that no dialog has to itself."""

    def clean_name(self) -> str:
        """Refuse the name of a switch that is turned by a dialog with a reason."""
        name: str = self.cleaned_data["name"]
        if name in _turned_by_dialog:
            raise forms.ValidationError("This switch is turned by a dialog, which asks for the reason.")
        return name


class PlainSwitchAdmin(SwitchAdmin):
    """A switch for everybody. Those that are turned by a dialog are only shown here."""

    form = SwitchForm
    list_display = ("name", "active", "note", "modified")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody turn a switch here that a dialog turns with a reason."""
        own_dialog = obj is not None and obj.name in _turned_by_dialog
        return not own_dialog and bool(super().has_change_permission(request, obj))


_turned_by_dialog: set[str] = set()


def turned_by_dialog(name: str) -> None:
    """Keep a switch out of the plain form, since a dialog turns it with a reason and an audit row."""
    _turned_by_dialog.add(name)


class PeriodicTaskAdmin(ReadOnlyModelAdmin):
    """The schedule, to look at: whoever edits a periodic task could run any task with any arguments."""

    list_display = ("name", "task", "enabled", "interval", "crontab", "last_run_at", "total_run_count")
    list_select_related = ("interval", "crontab")


def guard_third_party() -> None:
    """Replace what the libraries registered by guarded admins; may be called again."""
    schedule = (beat.IntervalSchedule, beat.CrontabSchedule, beat.SolarSchedule, beat.ClockedSchedule)
    guarded: dict[type[Model], type[ModelAdmin]] = {
        Group: GroupAdmin,
        Flag: FlagAdmin,
        Switch: PlainSwitchAdmin,
        beat.PeriodicTask: PeriodicTaskAdmin,
        **dict.fromkeys(schedule, ReadOnlyModelAdmin),
    }
    replaced: list[type[Model]] = [*guarded, Sample]
    for model in replaced:
        if admin.site.is_registered(model):
            admin.site.unregister(model)
    for model, model_admin in guarded.items():
        admin.site.register(model, model_admin)


@admin.register(AuditRecord)
class AuditRecordAdmin(ReadOnlyModelAdmin):
    """Who did what to what, and why."""

    list_display = ("at", "actor_label", "action", "target_type", "target_id", "reason")
    list_filter = ("action", "target_type")
    search_fields = ("=target_id", "=request_id", "=actor_label")
    ordering = ("-id",)


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(ReadOnlyModelAdmin):
    """What one member of staff asked for and another decided, of every kind; each kind is decided on its own page."""

    list_display = (
        "requested_at", "kind", "amount", "currency", "status", "requested_by", "decided_by", "reason",
    )  # fmt: skip
    list_filter = ("status", "kind")
    list_select_related = ("requested_by", "decided_by")
    ordering = ("-id",)


@admin.register(IdempotencyRecord)
class IdempotencyRecordAdmin(ReadOnlyModelAdmin):
    """What a key did; the stored answer may hold what a customer sees, so it is not shown."""

    list_display = (
        "created_at",
        "operation",
        "key",
        "user_id",
        "response_status",
        "document_kind",
        "document_id",
    )
    list_filter = ("operation",)
    search_fields = ("=key",)
    ordering = ("-id",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Leave the stored answer out, as every encrypted column."""
        return self.get_readonly_fields(request, obj)


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyModelAdmin):
    """When a recurring job last ran, and how that ended."""

    list_display = ("name", "outcome", "started_at", "finished_at")
    ordering = ("name",)


guard_third_party()
