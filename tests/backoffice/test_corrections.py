"""How staff correct wallets and close months in the admin."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.test import Client

from tests.backoffice.desks import REASON, address, books, clerk, press, told
from tests.factories import UserFactory
from tests.transactions.money import fund, main_wallet
from transactions.models import Adjustment, ClosedMonth
from users.models import User
from wallet.models import Wallet

pytestmark = pytest.mark.django_db
ASK = ("transactions.view_adjustment", "transactions.add_adjustment")
DECIDE = ("transactions.view_adjustment", "transactions.decide_adjustment")
MONTHS = ("transactions.view_closedmonth", "transactions.add_closedmonth")


@pytest.fixture
def ada() -> User:
    owner: User = UserFactory()
    fund(owner, "100.00")
    return owner


def ask(client: Client, person: User, **changes: Any) -> Any:
    form = {
        "owner": person.email, "kind": "main", "currency": "NGN", "direction": "credit", "amount": "12.50",
        "effective_at_0": "", "effective_at_1": "", "reason": REASON,
    }  # fmt: skip
    return client.post(address(Adjustment, "add"), {**form, **changes})


class TestCorrections:
    def test_one_asks_and_another_books(self, ada: User) -> None:
        maker, checker = clerk(*ASK, *DECIDE), clerk(*DECIDE)
        assert maker.get(address(Adjustment, "add")).status_code == 200
        assert ask(maker, ada).status_code == 302
        request = Adjustment.objects.get()
        page, dialog = address(Adjustment, "change", request.pk), address(Adjustment, "book", request.pk)
        assert dialog not in maker.get(page).content.decode()
        assert dialog in checker.get(page).content.decode()
        assert "+ NGN 12.50" in maker.get(address(Adjustment, "changelist")).content.decode()
        press(maker, dialog)
        assert "somebody else decides" in told(maker)
        assert main_wallet(ada).balance == 100
        press(checker, dialog)
        assert "is booked" in told(checker)
        assert main_wallet(ada).balance == pytest.approx(112.5)

    def test_another_rejects(self, ada: User) -> None:
        ask(clerk(*ASK), ada)
        request = Adjustment.objects.get()
        press(clerk(*DECIDE), address(Adjustment, "reject", request.pk))
        request.refresh_from_db()
        assert (request.status, main_wallet(ada).balance) == ("rejected", 100)

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"amount": "0"}, "above zero"),
            ({"amount": "0.001"}, "2 decimals"),
            ({"owner": "nobody@example.com"}, "no such wallet"),
            ({"currency": "USD"}, "no such wallet"),
            ({"reason": ""}, "This field is required"),
        ],
    )
    def test_a_wrong_one_is_refused(self, ada: User, changes: dict[str, str], fault: str) -> None:
        before = books()
        page = ask(clerk(*ASK), ada, **changes)
        assert page.status_code == 200
        assert fault in page.content.decode()
        assert (books(), Adjustment.objects.count()) == (before, 0)

    def test_a_time_that_the_service_refuses_is_told(self, ada: User) -> None:
        client, before = clerk(*ASK), books()
        ask(client, ada, effective_at_0="2020-01-01", effective_at_1="00:00:00")
        assert "was not open yet" in told(client)
        assert books() == before


class TestMonths:
    def test_are_closed_in_order(self) -> None:
        client = clerk(*MONTHS)
        Wallet.objects.update(created_at=datetime(2026, 1, 1, tzinfo=UTC))
        assert client.get(address(ClosedMonth, "add")).status_code == 200
        client.post(address(ClosedMonth, "add"), {"month": "2026-01-01", "reason": REASON})
        assert ClosedMonth.objects.get().month == date(2026, 1, 1)
        assert "January 2026" in client.get(address(ClosedMonth, "changelist")).content.decode()
        client.post(address(ClosedMonth, "add"), {"month": "2026-03-01", "reason": REASON})
        assert "February 2026" in told(client)
        assert ClosedMonth.objects.count() == 1
