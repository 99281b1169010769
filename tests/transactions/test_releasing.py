"""Sweeping parked credits: each comes up, however many before it cannot land."""

from uuid import UUID

import pytest

from fintech_core import clock
from fintech_core.jobs import last_detail
from tests.factories import UnverifiedUserFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from transactions.enums import ParkedCreditStatus
from transactions.models import ParkedCredit
from transactions.services import releasing
from transactions.services.releasing import Swept, sweep
from transactions.tasks import sweep_parked_credits
from users.models import User

JOB = "transactions.sweep_parked_credits"
OVER_THE_CAP = "50000.01"

pytestmark = pytest.mark.django_db


@pytest.fixture
def parked(monkeypatch: pytest.MonkeyPatch) -> list[ParkedCredit]:
    """Three parked credits, oldest first, of which only the last may land by now; a sweep tries one."""
    monkeypatch.setattr(releasing, "SWEEP_LIMIT", 1)
    users = [UnverifiedUserFactory() for _ in range(3)]
    for user in users:
        fund(user, OVER_THE_CAP)
    User.objects.filter(pk=users[-1].pk).update(kyc_tier=1)
    return list(ParkedCredit.objects.order_by("pk"))


class TestSweep:
    def test_goes_on_after_those_that_cannot_land_and_begins_anew_at_the_end(
        self, parked: list[ParkedCredit]
    ) -> None:
        first, second, third = (row.pk for row in parked)
        assert sweep(after=None) == Swept(0, first)
        assert sweep(after=first) == Swept(0, second)
        assert sweep(after=second) == Swept(1, third)
        assert sweep(after=third) == Swept(0, None)
        assert sweep(after=None) == Swept(0, first)
        assert main_wallet(parked[-1].owner).balance > 50_000

    def test_one_that_contradicts_the_books_keeps_no_others_waiting(self, parked: list[ParkedCredit]) -> None:
        third = parked[-1]
        planted = ParkedCredit.objects.create(
            id=UUID(int=1), owner=third.owner, wallet=third.wallet, parked_by=fund(UserFactory(), "1.00"),
            type="funding", amount=1, currency="USD", reason="planted", created_at=clock.now(),
        )  # fmt: skip
        for row in (planted, *parked):
            sweep_parked_credits()
            assert last_detail(JOB)["last"] == str(row.pk)
        planted.refresh_from_db()
        assert planted.status == ParkedCreditStatus.PARKED
        third.refresh_from_db()
        assert third.status == ParkedCreditStatus.RELEASED

    def test_the_job_remembers_where_it_was(self, parked: list[ParkedCredit]) -> None:
        for row, released in zip(parked, (0, 0, 1), strict=True):
            sweep_parked_credits()
            assert last_detail(JOB) == {"released": released, "last": str(row.pk)}
        sweep_parked_credits()
        assert last_detail(JOB) == {"released": 0, "last": None}
        assert ParkedCredit.objects.filter(status=ParkedCreditStatus.PARKED).count() == 2
