"""System checks: what would make the admin unsafe stops the start.

The unsafe defaults they close (django-unfold 0.91, each found by trying): an action without ``permissions``
runs for any staff user; an action that is no dialog changes data on a GET; a dataset ignores view
permissions.
"""

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.core import checks
from unfold.checks import UnfoldModelAdminChecks

from fintech_core.fields import EncryptedTextField

SHOWN_IN = ("list_display", "readonly_fields", "search_fields", "fields")


class GuardedChecks(UnfoldModelAdminChecks):
    """The checks of every ModelAdmin here; whoever runs them is one of ours."""

    def check(self, admin_obj: Any, **kwargs: Any) -> list[checks.CheckMessage]:
        """Add the rules of the house to those of Django and Unfold."""
        return [
            *super().check(admin_obj, **kwargs),
            *_check_actions(admin_obj),
            *_check_bulk_actions(admin_obj),
            *_check_datasets(admin_obj),
            *_check_secrets(admin_obj),
        ]

    def _check_unfold_action_permission_methods(self, obj: Any) -> list[checks.CheckMessage]:
        """Check that every named permission exists, without the database query of the original."""
        known = _permissions()
        return [
            _error(obj, f"{name} asks for {permission}, which does not exist", "E006")
            for name in _action_names(obj)
            for permission in getattr(getattr(obj, name, None), "allowed_permissions", ())
            if not (
                permission in known if "." in permission else hasattr(obj, f"has_{permission}_permission")
            )
        ]


def register() -> None:
    """Register the check over all registered admins; called once the apps are ready."""
    checks.register(check_admin_site, checks.Tags.admin)


def check_admin_site(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Refuse every registered ModelAdmin that is not built on ``fintech_core.admin.ModelAdmin``."""
    return [
        checks.Error(
            f"{type(model_admin).__name__} of {model._meta.label} is no fintech_core.admin.ModelAdmin",
            hint="Its actions, deletions and lists are unguarded.",
            obj=type(model_admin),
            id="fintech_core.E001",
        )
        for model, model_admin in admin.site._registry.items()
        if not issubclass(model_admin.checks_class, GuardedChecks)
    ]


def _error(obj: Any, sentence: str, number: str) -> checks.Error:
    return checks.Error(f"{type(obj).__name__}: {sentence}", obj=type(obj), id=f"fintech_core.{number}")


def _action_names(obj: Any) -> list[str]:
    names: Iterable[str] = obj._extract_action_names(
        [*obj.actions_list, *obj.actions_row, *obj.actions_detail, *obj.actions_submit_line]
    )
    return list(names)


def _check_actions(obj: Any) -> list[checks.CheckMessage]:
    """Every Unfold action names its permissions and is a dialog (a POST with a token) or marked read-only."""
    found: list[checks.CheckMessage] = []
    for name in _action_names(obj):
        method = getattr(obj, name, None)
        if not getattr(method, "allowed_permissions", ()):
            found.append(
                _error(obj, f"the action {name} has no permissions= and would run for any staff", "E002")
            )
        if not getattr(method, "dialog", None) and not getattr(method, "read_only", False):
            found.append(
                _error(
                    obj,
                    f"the action {name} is no dialog and would change data on a GET; see read_only",
                    "E003",
                )
            )
    return found


def _check_bulk_actions(obj: Any) -> list[checks.CheckMessage]:
    """Bulk actions (a POST by nature) name their permissions too."""
    return [
        _error(obj, f"the bulk action {name} has no permissions= and would run for any staff", "E002")
        for function, name, _ in obj._get_base_actions()
        if name != "delete_selected" and not getattr(function, "allowed_permissions", ())
    ]


def _check_datasets(obj: Any) -> list[checks.CheckMessage]:
    """A dataset shows rows through an admin of ours, so that the view permission can be asked."""
    return [
        _error(obj, f"the dataset {dataset.__name__} shows rows through an unguarded admin", "E004")
        for dataset in obj.change_form_datasets
        if not issubclass(dataset.model_admin.checks_class, GuardedChecks)
    ]


def _check_secrets(obj: Any) -> list[checks.CheckMessage]:
    """An encrypted column is never put on a page by its name; a method that masks it may be."""
    secret = {field.name for field in obj.model._meta.fields if isinstance(field, EncryptedTextField)}
    return [
        _error(obj, f"{option} would show the encrypted {name}", "E005")
        for option in SHOWN_IN
        for name in getattr(obj, option, None) or ()
        if isinstance(name, str) and name in secret
    ]


def _permissions() -> set[str]:
    """Return every permission that migrations create, read from the models."""
    known: set[str] = set()
    for model in apps.get_models():
        options = model._meta
        codenames = [f"{verb}_{options.model_name}" for verb in options.default_permissions]
        codenames += [codename for codename, _ in options.permissions]
        known.update(f"{options.app_label}.{codename}" for codename in codenames)
    return known
