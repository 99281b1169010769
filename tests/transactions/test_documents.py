"""verify_ledger holds corrections and conversions to the documents that people decided and were promised."""

from typing import Any

import pytest
from django.db import connection

from fintech_core import clock
from tests.factories import ManagerFactory, StaffFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.test_adjustments import asked, booked
from tests.transactions.test_conversions import converted, quoted
from transactions.models import ConversionQuote
from transactions.verification import verify
from users.models import User
from wallet.services import open_wallet

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    """Somebody with a correction and a conversion."""
    owner: User = UserFactory(kyc_tier=3)
    open_wallet(user=owner, currency="USD")
    fund(owner, "100000.00")
    booked(asked(owner, ManagerFactory()), StaffFactory())
    converted(owner, quoted(owner, "15500.00"))
    return owner


def found() -> set[str]:
    return set(verify().broken)


class TestDocuments:
    def test_as_they_were_decided_nothing_is_found(self, ada: User) -> None:
        assert found() == set()

    @pytest.mark.parametrize(
        "change",
        [
            {"amount": 1},
            {"amount_to": 1},
            {"rate": 1},
            {"fee": 1},
            {"to_currency": "KWD"},
            {"transaction": None},
        ],
        ids=str,
    )
    def test_a_changed_quote_is_found(self, ada: User, change: dict[str, Any]) -> None:
        ConversionQuote.objects.update(**change)
        assert found() == {"conversion_is_what_was_quoted"}

    def test_what_takes_effect_in_a_month_that_was_closed_before_is_found(self, ada: User) -> None:
        month = clock.business_day(clock.now()).replace(day=1)
        opened = main_wallet(ada).created_at
        booked(asked(ada, ManagerFactory(), effective_at=opened), StaffFactory())
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO transactions_closedmonth (month, reason, closed_by_id, closed_at)"
                " VALUES (%s, 'x', %s, now() - interval '1 day')",
                [month, ada.pk],
            )
        assert found() == {"closed_months_stay_closed"}
