"""A fee on bills by rule: quoted with the price, held with the bill, earned when it is delivered."""

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from billers.models import Product
from tests.billers import bench
from tests.billers.phone import customer, pay, validate
from tests.sandbox.actors import Merchant
from tests.transactions.test_fees import charge_transfers
from transactions import fees
from transactions.models import LedgerEntry, Transaction
from transactions.verification import verify

Api = Callable[..., APIClient]
pytestmark = pytest.mark.usefixtures("committed_db")
FEE = Decimal("160.00")


@pytest.fixture(autouse=True)
def charged(committed_db: None) -> Iterator[None]:
    """A bill costs 10 naira and 1.5 %: of 10,000.00 it is 160.00."""
    charge_transfers(type="bill_payment")
    yield
    fees.forget()


class TestBills:
    def test_the_quote_tells_it_and_the_payment_charges_what_was_quoted(
        self, api: Api, vendor: Merchant
    ) -> None:
        client = api(ada := customer())
        quote = validate(client).json()
        assert (quote["fee"], quote["total"]) == ("160.00", "10160.00")
        charge_transfers(type="bill_payment", flat=Decimal(500), effective_from=timezone.now())
        paid = pay(client, quote_id=quote["quote_id"]).json()
        assert (paid["fee"], paid["total"]) == ("160.00", "10160.00")
        assert bench.wallet_of(ada) == (50000, 10160)

    def test_it_is_earned_when_the_bill_is_delivered(self, vendor: Merchant) -> None:
        payment = bench.work(bench.new_payment())
        assert (payment.status, payment.fee) == ("completed", FEE)
        booked = Transaction.objects.get(pk=payment.transaction_id)
        assert (booked.amount, booked.fee) == (10000, FEE)
        assert LedgerEntry.objects.get(account__code="fees:bill_payment").amount == FEE
        assert bench.wallet_of(payment.user) == (50000 - 10160, 0)
        assert verify().findings == ()

    def test_a_bill_that_is_refused_costs_nothing(self, vendor: Merchant) -> None:
        payment = bench.work(bench.new_payment(customer_id=bench.REFUSED))
        assert (payment.status, bench.wallet_of(payment.user)) == ("failed", (50000, 0))
        assert not LedgerEntry.objects.filter(account__code="fees:bill_payment").exists()

    def test_what_the_product_costs_besides_is_added(self, vendor: Merchant) -> None:
        Product.objects.filter(code="prepaid").update(fee=Decimal("50.00"))
        assert bench.new_payment().fee == Decimal("210.00")

    def test_a_quote_without_an_amount_tells_the_least_and_the_payment_is_charged_for_its_amount(
        self, api: Api, vendor: Merchant
    ) -> None:
        client = api(customer())
        quote = validate(client, amount=...).json()
        assert (quote["amount"], quote["fee"], quote["total"]) == (None, "25.00", None)
        assert pay(client, quote_id=quote["quote_id"]).json()["fee"] == "160.00"

    def test_the_catalogue_tells_it_or_the_least_of_it(self, api: Api, vendor: Merchant) -> None:
        client = api(customer())
        (prepaid, *_) = client.get("/api/v1/billers/ikeja-electric").json()["products"]
        fixed = client.get("/api/v1/billers/gotv").json()["products"][0]
        assert (prepaid["amount"], prepaid["fee"]) == (None, "25.00")
        assert Decimal(fixed["fee"]) == max(Decimal(25), 10 + round(Decimal(fixed["amount"]) * 15 / 1000, 2))

    def test_each_tier_has_its_own(self, vendor: Merchant) -> None:
        charge_transfers(type="bill_payment", tier=1, flat=Decimal(0), basis_points=0, minimum=Decimal(0))
        assert bench.new_payment().fee == 0
