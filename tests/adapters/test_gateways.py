"""The contract of a gateway's adapter, against the sandbox process: what may be concluded from every answer."""

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pytest_django import Settings

from fintech_core.outcomes import Outcome, ProviderError
from payments.providers import registry
from payments.providers.base import DUPLICATE_REFERENCE, CheckoutRequest, Gateway, Reading
from tests.payments.gateways import gateway as gateway_at
from tests.sandbox.actors import Merchant, SandboxProcess

UNKNOWN_FAULTS = (
    "error_before",
    "error_after",
    "garbage",
    "truncated",
    "reset",
    "rate_limited",
    "unauthorized",
)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """The sandbox process."""
    process = SandboxProcess(tmp_path_factory.mktemp("sandbox") / "book.sqlite3", SANDBOX_HOLD_S="1.5")
    yield process
    process.end(subprocess.Popen.terminate)


@pytest.fixture
def vendor(sandbox: SandboxProcess, settings: Settings) -> Iterator[Merchant]:
    """The vendor in front of an empty book."""
    with gateway_at(sandbox, settings) as actor:
        yield actor


@pytest.fixture(params=["paystack"])
def adapter(request: pytest.FixtureRequest) -> Gateway:
    """Every gateway that settings name."""
    return registry.gateway(request.param)


def order(reference: str = "FND-1.1", amount: str = "2500.00", currency: str = "NGN") -> CheckoutRequest:
    return CheckoutRequest(reference, Decimal(amount), currency, "ada@example.com", "", "intent-1")


def refused(call: object) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        call()  # type: ignore[operator]
    return caught.value


class TestInitialize:
    def test_gives_the_address_where_the_customer_pays(self, adapter: Gateway, vendor: Merchant) -> None:
        checkout = adapter.initialize(order(), deadline_s=2)
        assert checkout.url.startswith(f"{vendor.url}/checkout/paystack/")
        stored = vendor.verify("FND-1.1").json()["data"]
        assert (stored["requested_amount"], stored["currency"]) == (250000, "NGN")

    def test_a_used_reference_is_a_lost_link_and_no_refusal(self, adapter: Gateway, vendor: Merchant) -> None:
        adapter.initialize(order(), deadline_s=2)
        error = refused(lambda: adapter.initialize(order(), deadline_s=2))
        assert (error.outcome, error.code) == (Outcome.UNKNOWN, DUPLICATE_REFERENCE)

    def test_a_validation_error_is_a_definite_refusal(self, adapter: Gateway, vendor: Merchant) -> None:
        error = refused(lambda: adapter.initialize(order(amount="10000001.00"), deadline_s=2))
        assert (error.outcome, error.code) == (Outcome.DECLINED, "invalid_amount")

    @pytest.mark.parametrize(("amount", "currency"), [("2500", "JPY"), ("0.005", "NGN"), ("1.500", "KWD")])
    def test_what_it_cannot_be_told_is_never_sent(
        self, adapter: Gateway, vendor: Merchant, amount: str, currency: str
    ) -> None:
        error = refused(lambda: adapter.initialize(order(amount=amount, currency=currency), deadline_s=2))
        assert error.outcome is Outcome.DECLINED
        assert vendor.state()["paystack"]["transactions"] == []

    @pytest.mark.parametrize("kind", [*UNKNOWN_FAULTS, "timeout_before", "timeout_after"])
    def test_everything_unclear_is_unknown(self, adapter: Gateway, vendor: Merchant, kind: str) -> None:
        vendor.fault("paystack", "initialize", kind)
        assert refused(lambda: adapter.initialize(order(), deadline_s=0.5)).outcome is Outcome.UNKNOWN
        assert vendor.fired() == [1]

    def test_a_closed_door_is_not_sent(self, adapter: Gateway, settings: Settings) -> None:
        settings.PAYSTACK_BASE_URL = "http://127.0.0.1:9/paystack"
        assert refused(lambda: adapter.initialize(order(), deadline_s=2)).outcome is Outcome.NOT_SENT


class TestFetch:
    def read(self, adapter: Gateway) -> Reading:
        reading = adapter.fetch("FND-1.1", deadline_s=2)
        assert reading is not None
        return reading

    def test_an_unpaid_checkout_is_pending(self, adapter: Gateway, vendor: Merchant) -> None:
        adapter.initialize(order(), deadline_s=2)
        reading = self.read(adapter)
        assert (reading.outcome, reading.payment, reading.in_progress) == (Outcome.PENDING, None, False)

    def test_a_paid_one_tells_the_payment(self, adapter: Gateway, vendor: Merchant) -> None:
        adapter.initialize(order(), deadline_s=2)
        paid = vendor.control("paystack/pay", reference="FND-1.1", outcome="success")["transaction"]
        reading = self.read(adapter)
        assert reading.outcome is Outcome.SUCCEEDED
        assert reading.payment is not None
        assert reading.payment.id == str(paid["id"])
        assert (reading.payment.amount, reading.payment.currency) == (Decimal("2500.00"), "NGN")
        assert reading.payment.paid_at is not None
        assert abs((reading.payment.paid_at - datetime.now(UTC)).total_seconds()) < 60

    @pytest.mark.parametrize(("charged", "credited"), [(260000, "2500.00"), (100, "1.00")])
    def test_credits_the_lesser_of_asked_and_charged(
        self, adapter: Gateway, vendor: Merchant, charged: int, credited: str
    ) -> None:
        adapter.initialize(order(), deadline_s=2)
        vendor.control("paystack/pay", reference="FND-1.1", outcome="success", amount=charged)
        payment = self.read(adapter).payment
        assert payment is not None
        assert (payment.amount, payment.charged) == (Decimal(credited), Decimal(charged) / 100)

    def test_a_declined_one_failed(self, adapter: Gateway, vendor: Merchant) -> None:
        adapter.initialize(order(), deadline_s=2)
        vendor.control("paystack/pay", reference="FND-1.1", outcome="declined")
        assert self.read(adapter).outcome is Outcome.DECLINED

    def test_an_abandoned_one_is_still_pending(self, adapter: Gateway, vendor: Merchant) -> None:
        adapter.initialize(order(), deadline_s=2)
        vendor.control("paystack/pay", reference="FND-1.1", outcome="abandoned")
        assert self.read(adapter).outcome is Outcome.PENDING

    def test_an_unknown_reference_is_none(self, adapter: Gateway, vendor: Merchant) -> None:
        assert adapter.fetch("FND-nobody.1", deadline_s=2) is None

    @pytest.mark.parametrize("kind", [*UNKNOWN_FAULTS, "timeout_before", "timeout_after"])
    def test_everything_unclear_is_unknown(self, adapter: Gateway, vendor: Merchant, kind: str) -> None:
        adapter.initialize(order(), deadline_s=2)
        vendor.control("paystack/pay", reference="FND-1.1", outcome="success")
        vendor.fault("paystack", "verify", kind)
        assert refused(lambda: adapter.fetch("FND-1.1", deadline_s=0.5)).outcome is Outcome.UNKNOWN

    def test_keeps_no_customer_and_no_card(self, adapter: Gateway, vendor: Merchant) -> None:
        adapter.initialize(order(), deadline_s=2)
        vendor.control("paystack/pay", reference="FND-1.1", outcome="success")
        evidence = self.read(adapter).evidence
        assert evidence["gateway_response"] == "Successful"
        assert not {"customer", "authorization", "ip_address", "metadata", "log"} & set(evidence)
        assert "ada@example.com" not in str(evidence)
