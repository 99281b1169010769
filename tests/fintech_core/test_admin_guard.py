"""The guarded admin: what would be unsafe does not start, and what starts asks for permissions."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core import checks
from django.db import models
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse
from django_celery_beat.models import PeriodicTask
from pytest_django.fixtures import Settings
from unfold.admin import ModelAdmin as UnfoldModelAdmin
from unfold.datasets import BaseDataset
from unfold.decorators import action
from unfold.forms import BaseDialogForm

from fintech_core import clock
from fintech_core.admin import (
    DocumentModelAdmin,
    ModelAdmin,
    ReadOnlyModelAdmin,
    environment_label,
    guard_third_party,
    read_only,
    shown_fields,
)
from fintech_core.checks import check_admin_site
from fintech_core.fields import EncryptedTextField
from fintech_core.models import AuditRecord, JobRun

DIALOG = {
    "title": "Do it",
    "description": "Really?",
    "form_class": BaseDialogForm,
    "form_submit_text": "Do it",
}


def problems(base: type[ModelAdmin] = ModelAdmin, **attributes: Any) -> set[str]:
    """Make an admin of JobRun with these attributes, and return the ids of what the checks find."""
    made = type("Made", (base,), {"__module__": __name__, **attributes})
    return {found.id for found in made(JobRun, admin.site).check() if found.id}


def act(self: object, request: HttpRequest, *args: object, **kwargs: object) -> None:
    """Do nothing."""


class TestActions:
    def test_a_dialog_with_permissions_is_fine(self) -> None:
        good = action(permissions=["fintech_core.change_jobrun"], dialog=DIALOG)(act)
        assert problems(actions_detail=["good"], good=good) == set()

    @pytest.mark.parametrize(
        "place", ["actions_list", "actions_row", "actions_detail", "actions_submit_line"]
    )
    def test_without_permissions_it_does_not_start(self, place: str) -> None:
        bad = action(dialog=DIALOG)(act)
        assert problems(**{place: ["bad"]}, bad=bad) == {"fintech_core.E002"}
        assert problems(**{place: ["bad"]}, bad=action(permissions=[], dialog=DIALOG)(act)) == {
            "fintech_core.E002"
        }

    def test_an_action_in_a_dropdown_is_looked_at_too(self) -> None:
        bad = action(dialog=DIALOG)(act)
        assert problems(actions_detail=[{"title": "More", "items": ["bad"]}], bad=bad) == {
            "fintech_core.E002"
        }

    @pytest.mark.parametrize("place", ["actions_list", "actions_row", "actions_detail"])
    def test_one_that_is_no_dialog_does_not_start_unless_it_only_reads(self, place: str) -> None:
        plain = action(permissions=["view"])(act)
        assert problems(**{place: ["plain"]}, plain=plain) == {"fintech_core.E003"}
        assert problems(**{place: ["plain"]}, plain=read_only(action(permissions=["view"])(act))) == set()

    @pytest.mark.parametrize("permission", ["fly", "wallet.no_such_permission", "nowhere.view_jobrun"])
    def test_a_permission_that_does_not_exist_does_not_start(self, permission: str) -> None:
        bad = action(permissions=[permission], dialog=DIALOG)(act)
        assert problems(actions_detail=["bad"], bad=bad) == {"fintech_core.E006"}

    def test_a_bulk_action_without_permissions_does_not_start(self) -> None:
        @admin.action(description="Do it")
        def everything(model_admin: object, request: object, queryset: object) -> None:
            """Do nothing."""

        assert problems(actions=[everything]) == {"fintech_core.E002"}


class TestOtherRules:
    def test_a_dataset_through_an_unguarded_admin_does_not_start(self) -> None:
        class Rows(BaseDataset):
            model = AuditRecord
            model_admin = type("Plain", (UnfoldModelAdmin,), {})

        assert problems(change_form_datasets=[Rows]) == {"fintech_core.E004"}

    def test_an_encrypted_column_is_on_no_page(self) -> None:
        class Secretive(models.Model):
            number = EncryptedTextField()

            class Meta:
                app_label = "fintech_core"
                managed = False

            def __str__(self) -> str:
                return "secret"

        try:
            made = type(
                "Made", (ModelAdmin,), {"list_display": ("id", "number"), "readonly_fields": ("number",)}
            )
            found = [problem.id for problem in made(Secretive, admin.site).check()]
            assert found == ["fintech_core.E005", "fintech_core.E005"]
            assert shown_fields(Secretive) == ["id"]
        finally:
            from django.apps import apps

            del apps.all_models["fintech_core"]["secretive"]
            apps.clear_cache()

    def test_an_admin_that_is_not_ours_does_not_start(self) -> None:
        admin.site.unregister(Group)
        admin.site.register(Group, admin.ModelAdmin)
        try:
            assert [found.id for found in check_admin_site()] == ["fintech_core.E001"]
        finally:
            guard_third_party()
        assert check_admin_site() == []

    def test_everything_registered_passes(self) -> None:
        assert [found for found in checks.run_checks(tags=["admin"]) if found.level >= checks.ERROR] == []

    def test_the_environment_is_named(self, settings: Settings) -> None:
        request = RequestFactory().get("/")
        assert environment_label(request)[0] == "Sandbox"
        settings.PRODUCTION = True
        assert environment_label(request)[0] == "Production"


@pytest.fixture
def staff(client: Client, db: None) -> Callable[..., Client]:
    """Sign a staff member in who has exactly these permissions of this app."""

    def sign_in(*codenames: str, superuser: bool = False) -> Client:
        user = get_user_model().objects.create_user(
            email="staff@example.com",
            password=None,
            first_name="S",
            last_name="T",
            is_staff=True,
            is_superuser=superuser,
        )
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        assert user.user_permissions.count() == len(codenames)
        client.force_login(user)
        return client

    return sign_in


@pytest.fixture
def run(db: None) -> JobRun:
    """A row to look at."""
    return JobRun.objects.create(name="a.job", started_at=clock.now(), outcome="completed")


def address(model: type[models.Model], page: str, *args: object) -> str:
    """Return the address of an admin page."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


class TestEveryPage:
    def test_staff_without_permissions_see_no_list(self, staff: Callable[..., Client]) -> None:
        client = staff()
        for model in admin.site._registry:
            for page in ("changelist", "add"):
                assert client.get(address(model, page)).status_code == 403, (model, page)

    def test_a_superuser_sees_every_list(self, staff: Callable[..., Client]) -> None:
        client = staff(superuser=True)
        for model in admin.site._registry:
            assert client.get(address(model, "changelist")).status_code == 200, model

    def test_nobody_deletes_a_selection(self, staff: Callable[..., Client], run: JobRun) -> None:
        client = staff(superuser=True)
        for model, model_admin in admin.site._registry.items():
            request = RequestFactory().get("/")
            request.user = get_user_model().objects.get(email="staff@example.com")
            assert "delete_selected" not in model_admin.get_actions(request), model
        chosen = {"action": "delete_selected", "_selected_action": [run.pk], "post": "yes"}
        assert client.post(address(JobRun, "changelist"), chosen).status_code == 403
        assert JobRun.objects.filter(pk=run.pk).exists()


class TestReadOnlyModelAdmin:
    def test_the_view_permission_lets_look(self, staff: Callable[..., Client], run: JobRun) -> None:
        client = staff("view_jobrun")
        assert client.get(address(JobRun, "changelist")).status_code == 200
        page = client.get(address(JobRun, "change", run.pk))
        assert page.status_code == 200
        assert b'name="_save"' not in page.content
        assert b'name="outcome"' not in page.content

    def test_the_change_permission_alone_lets_nothing(
        self, staff: Callable[..., Client], run: JobRun
    ) -> None:
        client = staff("change_jobrun", "add_jobrun", "delete_jobrun")
        assert client.get(address(JobRun, "changelist")).status_code == 403

    def test_not_even_a_superuser_writes(self, staff: Callable[..., Client], run: JobRun) -> None:
        client = staff(superuser=True)
        sent = {
            "name": "a.job",
            "outcome": "forged",
            "started_at_0": "2026-01-01",
            "started_at_1": "00:00",
            "detail": "{}",
        }
        assert client.get(address(JobRun, "add")).status_code == 403
        assert client.post(address(JobRun, "add"), sent).status_code == 403
        assert client.post(address(JobRun, "change", run.pk), sent).status_code == 403
        assert client.post(address(JobRun, "delete", run.pk), {"post": "yes"}).status_code == 403
        run.refresh_from_db()
        assert run.outcome == "completed"

    def test_documents_and_read_only_rows_differ_by_their_actions_alone(self) -> None:
        good = action(permissions=["view"], dialog=DIALOG)(act)
        assert problems(DocumentModelAdmin, actions_detail=["good"], good=good) == set()
        assert ReadOnlyModelAdmin(JobRun, admin.site).get_actions(RequestFactory().get("/")) == {}


class TestDatasets:
    def test_they_are_shown_to_whoever_may_view_their_rows(self, staff: Callable[..., Client]) -> None:
        class Rows(BaseDataset):
            model = AuditRecord
            model_admin = ReadOnlyModelAdmin

        made = type("Made", (ModelAdmin,), {"change_form_datasets": [Rows]})(JobRun, admin.site)
        staff("view_jobrun")
        request = RequestFactory().get("/")
        request.user = get_user_model().objects.get(email="staff@example.com")
        assert made.get_changeform_datasets(request) == []
        request.user.user_permissions.add(Permission.objects.get(codename="view_auditrecord"))
        request.user = get_user_model().objects.get(email="staff@example.com")
        assert made.get_changeform_datasets(request) == [Rows]


class TestThirdParty:
    def test_nobody_edits_the_schedule(self, staff: Callable[..., Client]) -> None:
        client = staff(superuser=True)
        assert client.get(address(PeriodicTask, "add")).status_code == 403
        assert isinstance(admin.site._registry[PeriodicTask], ReadOnlyModelAdmin)

    def test_only_a_superuser_edits_a_role(self, staff: Callable[..., Client]) -> None:
        role = Group.objects.create(name="support")
        client = staff("change_group", "view_group", "add_group", "delete_group")
        sent = {"name": "forged", "permissions": [Permission.objects.first().pk]}  # type: ignore[union-attr]
        assert client.post(address(Group, "change", role.pk), sent).status_code == 403
        assert client.get(address(Group, "add")).status_code == 403
        role.refresh_from_db()
        assert (role.name, role.permissions.count()) == ("support", 0)
