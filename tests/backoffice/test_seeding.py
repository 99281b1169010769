"""The demo people: made once, whole, with books that balance, and never in production."""

from collections.abc import Callable
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from backoffice import seeding
from fintech_core import clock
from tests.backoffice.desks import books
from tests.transactions.money import main_wallet
from transactions.models import LedgerEntry, Transaction
from users.models import TransactionPin, User
from users.services import pins

pytestmark = pytest.mark.django_db
LOGIN = "/api/v1/auth/login"


def seed() -> str:
    out = StringIO()
    call_command("seed_demo", stdout=out)
    return out.getvalue()


class TestSeeding:
    def test_customers_can_sign_in_and_spend(self, api: Callable[..., APIClient], settings: Settings) -> None:
        settings.RATE_LIMITS = False
        seed()
        for email in ("ada@example.com", "bola@example.com"):
            answer = api().post(LOGIN, {"email": email, "password": "demo-Password-1"}, format="json")
            assert answer.status_code == 200
            profile = answer.json()["user"]
            facts = {name: profile[name] for name in ("kyc_tier", "kyc_status", "has_pin", "phone_verified")}
            assert facts == {"kyc_tier": 2, "kyc_status": "approved", "has_pin": True, "phone_verified": True}
            assert main_wallet(User.objects.get(email=email)).available == Decimal(50_000)

    def test_their_pin_is_the_published_one(self, committed_db: None) -> None:
        seed()
        for pin in TransactionPin.objects.all():
            pins.verify(user_id=pin.user_id, pin="5083")
        assert TransactionPin.objects.filter(failed_attempts=0).count() == 2

    def test_staff_can_open_the_admin(self) -> None:
        seed()
        client = Client()
        assert client.login(username="staff@example.com", password="demo-Staff-1")
        assert client.get("/admin/wallet/wallet/").status_code == 200

    def test_the_books_balance(self) -> None:
        seed()
        assert LedgerEntry.objects.count() == 2 * Transaction.objects.count() == 4
        call_command("verify_ledger", stdout=StringIO())

    def test_the_logins_are_printed(self) -> None:
        told = seed()
        for word in ("ada@example.com", "bola@example.com", "5083", "demo-Password-1", "demo-Staff-1"):
            assert word in told


class TestAgain:
    def test_a_second_run_changes_nothing(self) -> None:
        seed()
        people, before = list(User.objects.order_by("pk").values()), books()
        assert "already" in seed()
        assert (list(User.objects.order_by("pk").values()), books()) == (people, before)

    def test_a_second_run_asks_little(self, django_assert_max_num_queries: Any) -> None:
        seed()
        with django_assert_max_num_queries(1):
            assert seeding.seed_demo(now=clock.now()) == []

    def test_who_is_missing_is_made(self) -> None:
        User.objects.create_superuser(
            "staff@example.com", "another-Password-1", first_name="S", last_name="T"
        )
        assert seeding.seed_demo(now=clock.now()) == ["ada@example.com", "bola@example.com"]
        assert not Client().login(username="staff@example.com", password="demo-Staff-1")


class TestProduction:
    def test_it_refuses_and_makes_nobody(self, settings: Settings) -> None:
        settings.PRODUCTION = True
        with pytest.raises(CommandError, match="never made in production"):
            seed()
        assert not User.objects.exists()
