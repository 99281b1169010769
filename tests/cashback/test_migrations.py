"""The campaign that a new database begins with, and the way back to a database without it."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import connections

from cashback import services
from cashback.models import Campaign
from fintech_core import clock
from tests.cashback.offers import ELECTRICITY, SAMPLE, pay, payer, purse
from transactions.verification import verify


@pytest.mark.django_db
class TestSample:
    def test_its_terms(self) -> None:
        campaign = Campaign.objects.get()
        assert (campaign.code, campaign.name, campaign.status) == (
            SAMPLE,
            "1 % back on electricity",
            "running",
        )
        assert (campaign.currency, campaign.percent_bp) == ("NGN", 100)
        assert (campaign.cap, campaign.min_payment, campaign.budget, campaign.spent) == (
            Decimal(500),
            0,
            Decimal(10_000_000),
            0,
        )
        assert (campaign.category, campaign.biller, campaign.product) == ("electricity", "", "")
        assert (campaign.starts_at, campaign.ends_at) == (datetime(2026, 1, 1, tzinfo=UTC), None)

    @pytest.mark.parametrize(
        ("paid", "promised"),
        [("10000.00", "100.00"), ("100.00", "1.00"), ("0.99", "0.00"), ("50000.01", "500.00")],
    )
    def test_what_it_promises(self, paid: str, promised: str) -> None:
        amount = services.preview(amount=Decimal(paid), currency="NGN", now=clock.now(), **ELECTRICITY)
        assert f"{amount:.2f}" == promised

    def test_10000_of_electricity_give_100_to_the_customer(self) -> None:
        user = payer("10000.00")
        reward = pay(user, "10000.00", **ELECTRICITY)
        assert reward is not None
        assert f"{reward.amount:.2f}" == "100.00"
        assert purse(user) == (0, 100)

    @pytest.mark.parametrize("category", ["airtime", "data", "tv", "internet"])
    def test_it_gives_nothing_for_anything_else(self, category: str) -> None:
        product = {**ELECTRICITY, "category": category}
        assert services.preview(amount=Decimal(10_000), currency="NGN", now=clock.now(), **product) == 0


@pytest.mark.usefixtures("own_database")
class TestWayBack:
    def test_there_and_back_leaves_the_sample_and_its_guards(self) -> None:
        call_command("migrate", "cashback", "zero", verbosity=0)
        with connections["owner"].cursor() as cursor:
            cursor.execute("SELECT to_regclass('cashback_campaign'), to_regproc('cashback_check_campaign')")
            assert cursor.fetchone() == (None, None)
        call_command("migrate", "cashback", verbosity=0)
        assert Campaign.objects.get().code == SAMPLE
        assert verify().findings == ()

    def test_the_rules_alone_come_and_go(self) -> None:
        call_command("migrate", "cashback", "0002", verbosity=0)
        call_command("migrate", "cashback", verbosity=0)
        assert Campaign.objects.count() == 1
        assert verify().findings == ()
