"""verify_ledger looks at bulks: what an item says and what was booked."""

from decimal import Decimal
from typing import Any

import pytest

from fintech_core import clock
from tests.factories import UserFactory
from tests.transactions.money import fund, main_wallet
from transactions.models import BulkTransfer, BulkTransferItem
from transactions.services.bulk import accept, work_off_chunk
from transactions.services.bulk_items import BulkItem
from transactions.verification import verify

pytestmark = pytest.mark.django_db
ITEM, COUNT = "bulk_item_is_what_was_booked", "bulk_counts_its_items"


@pytest.fixture
def made() -> BulkTransfer:
    """A bulk of which one item was sent and one refused."""
    ada, chidi = UserFactory(), UserFactory()
    fund(ada, "100.00")
    items = [BulkItem(chidi.email, Decimal(40), reference="r-1"), BulkItem(chidi.email, Decimal(61))]
    bulk = accept(sender=ada, currency="NGN", items=items, now=clock.now())
    work_off_chunk(bulk_id=bulk.pk, now=clock.now())
    bulk.refresh_from_db()
    assert (bulk.succeeded, bulk.failed) == (1, 1)
    return bulk


def broken(table: Any, **changes: Any) -> dict[str, int]:
    """Change what nobody may change and return what is found."""
    assert verify().broken == {}
    assert table.update(**changes)
    return dict(verify().broken)


class TestItems:
    @pytest.mark.parametrize("changes", [{"amount": Decimal(41)}, {"reference": "r-2"}])
    def test_a_fact_of_what_was_sent_is_found(self, made: BulkTransfer, changes: dict[str, Any]) -> None:
        assert broken(made.items.filter(index=0), **changes) == {ITEM: 1}

    def test_another_receiver_is_found(self, made: BulkTransfer) -> None:
        other = main_wallet(UserFactory())
        assert broken(made.items.filter(index=0), to_wallet=other) == {ITEM: 1}

    def test_money_that_was_sent_and_is_called_refused_is_found(self, made: BulkTransfer) -> None:
        changes = {"status": "failed", "transaction": None, "failure_code": "x"}
        assert broken(made.items.filter(index=0), **changes) == {ITEM: 1, COUNT: 1}

    def test_a_transaction_of_another_item_is_found(self, made: BulkTransfer) -> None:
        sent = made.items.get(index=0).transaction
        BulkTransferItem.objects.filter(bulk=made, index=0).update(
            status="failed", transaction=None, failure_code="x"
        )
        made.items.filter(index=1).update(status="completed", transaction=sent, failure_code="")
        assert dict(verify().broken) == {ITEM: 1}


class TestCounts:
    @pytest.mark.parametrize(
        "changes",
        [{"succeeded": 2, "failed": 0}, {"status": "failed", "succeeded": 0, "failed": 2},
         {"status": "processing", "completed_at": None, "next_check_at": clock.now()}],
    )  # fmt: skip
    def test_a_wrong_count_or_status_is_found(self, made: BulkTransfer, changes: dict[str, Any]) -> None:
        assert broken(BulkTransfer.objects.filter(pk=made.pk), **changes) == {COUNT: 1}
