"""Every page of the admin: open to whoever may view it, closed to everybody else, and nothing is missing."""

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.db import models
from django.test import Client

from backoffice import sidebar
from tests.backoffice.desks import address, clerk
from tests.factories import UserFactory
from tests.transactions.money import fund
from transactions.models import LedgerAccount, LedgerEntry, LimitRule, Transaction
from users.models import User
from wallet.models import Wallet

pytestmark = pytest.mark.django_db
OURS = (
    "fintech_core",
    "notifications",
    "users",
    "wallet",
    "transactions",
    "cashback",
    "payments",
    "billers",
    "backoffice",
)


def registered() -> list[type[models.Model]]:
    return list(admin.site._registry)


class TestRegistered:
    def test_every_model_of_ours_has_its_pages(self) -> None:
        assert set(OURS) < set(settings.INSTALLED_APPS)
        ours = {model for app in OURS for model in apps.get_app_config(app).get_models()}
        assert sorted(model._meta.label for model in ours - set(registered())) == []

    def test_each_of_them_stands_in_the_sidebar(self) -> None:
        named = {item.model for _, items in sidebar.SECTIONS for item in items}
        assert named == {model._meta.label for model in registered()}


class TestOpen:
    def test_lists_and_forms_answer_a_superuser(self) -> None:
        client = clerk(superuser=True)
        for model, model_admin in admin.site._registry.items():
            assert client.get(address(model, "changelist")).status_code == 200, model
            assert client.get(address(model, "changelist"), {"q": "x'; --"}).status_code == 200, model
            add = client.get(address(model, "add")).status_code
            assert add in {200, 403}, (model, model_admin)

    def test_the_newest_row_of_each_model_opens(self) -> None:
        fund(UserFactory(), "10.00")
        client, opened = clerk(superuser=True), set()
        for model in registered():
            row = model._default_manager.order_by("-pk").first()
            if row is not None:
                opened.add(model)
                assert client.get(address(model, "change", row.pk)).status_code == 200, model
        assert {User, Wallet, Transaction, LedgerEntry, LedgerAccount, LimitRule} <= opened

    @pytest.mark.parametrize("row", ["nonsense", "00000000-0000-0000-0000-000000000000", "0", "'"])
    def test_a_row_that_is_not_there_leads_back(self, row: str) -> None:
        client = clerk(superuser=True)
        for model in registered():
            path = f"{address(model, 'changelist')}{row}/change/"
            assert client.get(path).status_code in {302, 404}, (model, row)


class TestClosed:
    def test_nobody_gets_in_without_signing_in(self) -> None:
        client = Client()
        for model in registered():
            answer = client.get(address(model, "changelist"))
            assert (answer.status_code, answer.headers["Location"].split("?")[0]) == (302, "/admin/login/"), (
                model
            )

    def test_a_customer_does_not_get_in(self) -> None:
        client = Client()
        client.force_login(UserFactory())
        assert client.get("/admin/").status_code == 302

    def test_5_01_staff_without_permissions_get_nothing(self) -> None:
        client = clerk()
        fund(UserFactory(), "10.00")
        for model in registered():
            row = model._default_manager.order_by("-pk").first()
            pages = [address(model, "changelist"), address(model, "add")]
            pages += (
                [] if row is None else [address(model, "change", row.pk), address(model, "delete", row.pk)]
            )
            for page in pages:
                assert client.get(page).status_code == 403, page

    def test_every_dialog_is_closed_and_offered_to_nobody(self) -> None:
        client = clerk()
        row = fund(UserFactory(), "10.00")
        asked = 0
        for model, model_admin in admin.site._registry.items():
            for name in model_admin._extract_action_names(model_admin.actions_detail):
                path = address(model, name, row.pk)
                assert client.post(path, {"_form_submitted": "on", "reason": "x"}).status_code == 403, path
                assert client.get(path).status_code == 403, path
                asked += 1
            for name in model_admin._extract_action_names(model_admin.actions_list):
                path = address(model, name)
                assert client.post(path, {"_form_submitted": "on", "reason": "x"}).status_code == 403, path
                asked += 1
        assert asked > 10
        assert Transaction.objects.count() == 1
