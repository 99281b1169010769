"""How staff add a rate of exchange, and what they see of the quotes given by it."""

from decimal import Decimal

import pytest

from fintech_core import clock
from fintech_core.models import AuditRecord
from tests.backoffice.desks import REASON, address, clerk
from tests.factories import UserFactory
from transactions.exchange import rates
from transactions.models import ConversionQuote, ExchangeRate
from transactions.services import conversions
from wallet.services import open_wallet

pytestmark = pytest.mark.django_db
VIEW, ADD = "transactions.view_exchangerate", "transactions.add_exchangerate"
FORM = {"currency": "USD", "mid": "1600.5", "spread_basis_points": "100", "note": REASON}


class TestRates:
    def test_a_new_one_holds_at_once(self) -> None:
        client = clerk(VIEW, ADD)
        assert client.get(address(ExchangeRate, "add")).status_code == 200
        assert client.post(address(ExchangeRate, "add"), FORM).status_code == 302
        now = rates.provider().rate(from_currency="USD", to_currency="NGN", at=clock.now())
        assert (now.mid, now.spread_basis_points) == (Decimal("1600.5"), 100)
        assert AuditRecord.objects.get(action="exchange_rate.added").reason == REASON
        assert "1600.5" in client.get(address(ExchangeRate, "changelist")).content.decode()

    @pytest.mark.parametrize(
        "changes",
        [{"mid": "0"}, {"mid": "-1"}, {"spread_basis_points": "5000"}, {"currency": "NGN"}, {"note": ""}],
    )
    def test_a_wrong_one_is_refused(self, changes: dict[str, str]) -> None:
        before = ExchangeRate.objects.count()
        page = clerk(VIEW, ADD).post(address(ExchangeRate, "add"), {**FORM, **changes})
        assert page.status_code == 200
        assert (ExchangeRate.objects.count(), AuditRecord.objects.count()) == (before, 0)

    def test_5_01_nobody_adds_one_without_the_permission(self) -> None:
        assert clerk(VIEW).post(address(ExchangeRate, "add"), FORM).status_code == 403
        assert not ExchangeRate.objects.filter(note=REASON).exists()


class TestQuotes:
    def test_show_both_sides(self) -> None:
        owner = UserFactory()
        open_wallet(user=owner, currency="USD")
        conversions.quote_conversion(
            user=owner, from_currency="NGN", to_currency="USD", amount=Decimal("155000.00"), now=clock.now()
        )
        shown = clerk("transactions.view_conversionquote").get(address(ConversionQuote, "changelist"))
        assert "NGN 155,000.00" in shown.content.decode()
        assert "USD 98.49" in shown.content.decode()
