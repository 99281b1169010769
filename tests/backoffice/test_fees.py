"""How staff add a fee: dated, with notice, never edited."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from fintech_core import clock
from fintech_core.models import AuditRecord
from tests.backoffice.desks import REASON, address, books, clerk
from transactions import fees
from transactions.models import FeeRule

pytestmark = pytest.mark.django_db
VIEW, ADD = "transactions.view_feerule", "transactions.add_feerule"
FROM = datetime(2099, 1, 1, tzinfo=UTC)


def form(at: datetime = FROM, **changes: Any) -> dict[str, Any]:
    """Return what the page sends for a new fee of tier 1."""
    typed = at.astimezone(clock.business_zone())
    moment = {"effective_from_0": f"{typed:%Y-%m-%d}", "effective_from_1": f"{typed:%H:%M:%S}"}
    figures = {"flat": "10", "basis_points": "150", "minimum": "25.50", "cap": "2000"}
    return {
        "type": "transfer",
        "currency": "NGN",
        "tier": "1",
        "note": REASON,
        **figures,
        **moment,
        **changes,
    }


class TestAdding:
    def test_it_holds_from_its_instant_on(self) -> None:
        clerk(VIEW, ADD).post(address(FeeRule, "add"), form())
        rule = FeeRule.objects.get(effective_from=FROM)
        assert (rule.flat, rule.basis_points, rule.minimum, rule.cap, rule.tier) == (
            10,
            150,
            Decimal("25.5"),
            2000,
            1,
        )
        fees.forget()
        asked = {"kind": "transfer", "amount": Decimal(5_000), "currency": "NGN"}
        assert fees.fee_for(**asked, tier=1, at=FROM - timedelta(seconds=1)) == 0
        assert fees.fee_for(**asked, tier=1, at=FROM) == 85
        assert fees.fee_for(**asked, tier=2, at=FROM) == 0
        fees.forget()
        record = AuditRecord.objects.get(action="fee_rule.added")
        assert (record.reason, record.target_id) == (REASON, str(rule.pk))

    def test_no_tier_is_every_tier_and_no_cap_is_none(self) -> None:
        clerk(VIEW, ADD).post(address(FeeRule, "add"), form(tier="", cap=""))
        rule = FeeRule.objects.get(effective_from=FROM)
        assert (rule.tier, rule.cap) == (None, None)

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"flat": "-1"}, "greater than or equal to 0"),
            ({"minimum": "0.001"}, "NGN has 2 decimals"),
            ({"currency": "JPY", "minimum": "1.5"}, "JPY has 0 decimals"),
            ({"currency": "XXX"}, "XXX is not one of the available choices"),
            ({"type": "reversal"}, "reversal is not one of the available choices"),
            ({"tier": "4"}, "4 is not one of the available choices"),
            ({"basis_points": "10001"}, "less than or equal to 10000"),
            ({"basis_points": "1.5"}, "whole number"),
            ({"cap": "25.49"}, "not below the minimum"),
            ({"note": ""}, "This field is required"),
            ({"effective_from_0": "2020-01-01"}, "a minute after it is saved"),
            ({"flat": "1" + "0" * 30}, "digits"),
        ],
    )
    def test_a_wrong_one_is_refused(self, changes: dict[str, str], fault: str) -> None:
        before = books()
        page = clerk(VIEW, ADD).post(address(FeeRule, "add"), form(**changes))
        assert page.status_code == 200
        assert fault in page.content.decode()
        assert books() == before

    @pytest.mark.parametrize("tier", ["", "1"])
    def test_two_of_one_instant_are_refused(self, tier: str) -> None:
        client = clerk(VIEW, ADD)
        client.post(address(FeeRule, "add"), form(tier=tier))
        before = books()
        page = client.post(address(FeeRule, "add"), form(tier=tier, flat="1"))
        assert "already exists" in page.content.decode()
        assert books() == before


class TestKeeping:
    @pytest.mark.parametrize("superuser", [True, False])
    def test_5_02_none_is_edited_or_deleted(self, superuser: bool) -> None:
        every = ("view", "add", "change", "delete")
        client = clerk(*(f"transactions.{verb}_feerule" for verb in every), superuser=superuser)
        rule = FeeRule.objects.filter(type="transfer", currency="NGN").get()
        before = books()
        page = client.get(address(FeeRule, "change", rule.pk))
        assert page.status_code == 200
        assert "Every tier" in page.content.decode()
        assert client.post(address(FeeRule, "change", rule.pk), form()).status_code == 403
        assert client.post(address(FeeRule, "delete", rule.pk), {"post": "yes"}).status_code == 403
        assert books() == before

    def test_looking_is_no_right_to_add(self) -> None:
        before = books()
        assert clerk(VIEW).post(address(FeeRule, "add"), form()).status_code == 403
        assert books() == before
