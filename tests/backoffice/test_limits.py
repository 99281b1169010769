"""How staff add a limit: dated, with notice, never edited."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from fintech_core import clock
from fintech_core.models import AuditRecord
from tests.backoffice.desks import REASON, address, books, clerk
from transactions import limits
from transactions.errors import LimitRuleRefused
from transactions.models import LimitRule
from transactions.services.limit_rules import add_limit_rule
from users.models import User

pytestmark = pytest.mark.django_db
VIEW, ADD = "transactions.view_limitrule", "transactions.add_limitrule"
FROM = datetime(2099, 1, 1, tzinfo=UTC)


def form(at: datetime = FROM, **changes: Any) -> dict[str, Any]:
    """Return what the page sends for a new limit of tier 1."""
    figures = {"single": "100", "daily": "200.50", "monthly": "", "max_balance": "1000"}
    typed = at.astimezone(clock.business_zone())
    moment = {"effective_from_0": f"{typed:%Y-%m-%d}", "effective_from_1": f"{typed:%H:%M:%S}"}
    return {"tier": "1", "currency": "NGN", "note": REASON, **figures, **moment, **changes}


class TestAdding:
    def test_it_holds_from_its_instant_on(self) -> None:
        clerk(VIEW, ADD).post(address(LimitRule, "add"), form())
        rule = LimitRule.objects.get(effective_from=FROM)
        assert (rule.single, rule.daily, rule.monthly) == (Decimal(100), Decimal("200.5"), None)
        limits.forget()
        before = limits.limits_for(tier=1, currency="NGN", at=FROM - timedelta(seconds=1))
        assert before.daily == Decimal(50_000)
        assert limits.limits_for(tier=1, currency="NGN", at=FROM).daily == Decimal("200.5")
        limits.forget()
        record = AuditRecord.objects.get(action="limit_rule.added")
        assert (record.reason, record.target_id) == (REASON, str(rule.pk))

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"daily": "-1"}, "zero or more"),
            ({"daily": "0.001"}, "NGN has 2 decimals"),
            ({"currency": "JPY", "daily": "1.5"}, "JPY has 0 decimals"),
            ({"currency": "XXX"}, "XXX is not one of the available choices"),
            ({"tier": "4"}, "4 is not one of the available choices"),
            ({"note": ""}, "This field is required"),
            ({"effective_from_0": "2020-01-01"}, "a minute after it is saved"),
            ({"daily": "1" + "0" * 30}, "digits"),
        ],
    )
    def test_a_wrong_one_is_refused(self, changes: dict[str, str], fault: str) -> None:
        before = books()
        page = clerk(VIEW, ADD).post(address(LimitRule, "add"), form(**changes))
        assert page.status_code == 200
        assert fault in page.content.decode()
        assert books() == before

    def test_a_minute_is_the_least_notice(self) -> None:
        client, before = clerk(VIEW, ADD), books()
        client.post(address(LimitRule, "add"), form(clock.now() + timedelta(seconds=50)))
        assert books() == before
        client.post(address(LimitRule, "add"), form(clock.now() + timedelta(seconds=90)))
        assert books() != before

    def test_two_of_one_instant_are_refused(self) -> None:
        client = clerk(VIEW, ADD)
        client.post(address(LimitRule, "add"), form())
        before = books()
        page = client.post(address(LimitRule, "add"), form(daily="1"))
        assert "already exists" in page.content.decode()
        assert books() == before

    @pytest.mark.parametrize("early", [timedelta(0), timedelta(seconds=59)])
    def test_the_service_asks_again(self, early: timedelta) -> None:
        now, actor = clock.now(), User(email="s@example.com", is_staff=True)
        figures = dict.fromkeys(("single", "daily", "monthly", "max_balance"), Decimal(1))
        with pytest.raises(LimitRuleRefused):
            add_limit_rule(
                tier=1, currency="NGN", **figures, effective_from=now + early, note="x", actor=actor, now=now
            )
        assert not AuditRecord.objects.exists()


class TestKeeping:
    @pytest.mark.parametrize("superuser", [True, False])
    def test_5_02_none_is_edited_or_deleted(self, superuser: bool) -> None:
        every = ("view", "add", "change", "delete")
        client = clerk(*(f"transactions.{verb}_limitrule" for verb in every), superuser=superuser)
        rule = LimitRule.objects.filter(tier=1, currency="NGN").get()
        before = books()
        assert client.get(address(LimitRule, "change", rule.pk)).status_code == 200
        assert client.post(address(LimitRule, "change", rule.pk), form()).status_code == 403
        assert client.post(address(LimitRule, "delete", rule.pk), {"post": "yes"}).status_code == 403
        assert books() == before

    def test_looking_is_no_right_to_add(self) -> None:
        before = books()
        assert clerk(VIEW).post(address(LimitRule, "add"), form()).status_code == 403
        assert books() == before
