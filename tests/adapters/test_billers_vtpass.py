"""The contract of a vendor of bills, against the sandbox process: what may be concluded from every answer."""

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pytest_django import Settings

from billers.providers import registry
from billers.providers.base import BillProvider, CustomerQuestion, PurchaseRequest, PurchaseResult
from fintech_core.outcomes import Outcome, ProviderError
from tests.billers.bench import (
    ANSWER_LOST,
    BROKEN,
    DELIVERED,
    NEVER_ARRIVED,
    PENDING,
    POSTPAID,
    REFUSED,
    close_circuit,
    orders,
    vtpass,
)
from tests.sandbox.actors import Merchant, SandboxProcess

CLOSED_DOOR = "http://127.0.0.1:9/vtpass/api"
# After these nobody knows whether the vendor acted: it did, or it did not, and the answer does not say.
UNCLEAR = (
    "error_before",
    "error_after",
    "garbage",
    "truncated",
    "reset",
    "rate_limited",
    "timeout_before",
    "timeout_after",
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
    with vtpass(sandbox, settings) as actor:
        settings.VENDOR_READ_TIMEOUT_S = 0.7
        yield actor


@pytest.fixture(params=["vtpass"])
def adapter(request: pytest.FixtureRequest) -> BillProvider:
    """Every vendor that settings name."""
    return registry.provider(request.param)


def order(adapter: BillProvider, **changes: Any) -> PurchaseRequest:
    facts: dict[str, Any] = {
        "reference": adapter.new_reference(datetime.now(UTC)),
        "service_id": "ikeja-electric",
        "variation_code": "prepaid",
        "customer_id": DELIVERED,
        "amount": Decimal("2000.00"),
        "phone": "08011111111",
        "category": "electricity",
    }
    return PurchaseRequest(**{**facts, **changes})


def meter(customer_id: str = DELIVERED, service_id: str = "ikeja-electric") -> CustomerQuestion:
    return CustomerQuestion(service_id, "prepaid", customer_id, "electricity")


def refused(call: Callable[[], object]) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        call()
    return caught.value


def known(adapter: BillProvider, reference: str) -> PurchaseResult:
    result = adapter.query(reference)
    assert result is not None
    return result


def outcome_of(adapter: BillProvider, reference: str) -> Outcome | None:
    """Return how an order stands, however the adapter says it; None when the vendor does not know it."""
    try:
        result = adapter.query(reference)
    except ProviderError as error:
        return error.outcome
    return None if result is None else result.outcome


class TestValidate:
    def test_a_meter_tells_its_owner_and_the_least_amount(
        self, adapter: BillProvider, vendor: Merchant
    ) -> None:
        customer = adapter.validate(meter(), deadline_s=2)
        assert (customer.name, customer.address) == ("TESTMETER1", "ABULE EGBA BU ABULE")
        assert customer.min_amount == Decimal(500)
        assert (customer.max_amount, customer.renewal_amount) == (None, None)

    def test_a_smart_card_tells_its_package_and_when_it_is_due(
        self, adapter: BillProvider, vendor: Merchant
    ) -> None:
        customer = adapter.validate(CustomerQuestion("gotv", "gotv-max", "1212121212", "tv"), deadline_s=2)
        assert (customer.name, customer.current_product) == ("TEST CUSTOMER", "GOtv Smallie N1,900")
        assert customer.renewal_amount == Decimal(1900)
        assert customer.due_on is not None
        assert timedelta(days=10) < customer.due_on - datetime.now(UTC).date() < timedelta(days=14)

    @pytest.mark.parametrize("number", [REFUSED, "777777777777"])
    def test_a_number_that_nobody_has_is_declined(
        self, adapter: BillProvider, vendor: Merchant, number: str
    ) -> None:
        error = refused(lambda: adapter.validate(meter(number), deadline_s=2))
        assert (error.outcome, error.code) == (Outcome.DECLINED, "customer_not_found")

    def test_our_own_mistake_is_no_wrong_number(self, adapter: BillProvider, vendor: Merchant) -> None:
        error = refused(lambda: adapter.validate(meter(service_id="nepa"), deadline_s=2))
        assert (error.outcome, error.alarm) == (Outcome.UNKNOWN, True)

    @pytest.mark.parametrize("kind", [*UNCLEAR, "unauthorized"])
    def test_everything_unclear_is_unknown(self, adapter: BillProvider, vendor: Merchant, kind: str) -> None:
        vendor.fault("vtpass", "merchant_verify", kind)
        error = refused(lambda: adapter.validate(meter(), deadline_s=0.5))
        assert error.outcome is Outcome.UNKNOWN
        assert vendor.fired() == [1]

    def test_a_closed_door_is_not_sent(
        self, adapter: BillProvider, vendor: Merchant, settings: Settings
    ) -> None:
        settings.VTPASS_BASE_URL = CLOSED_DOOR
        assert refused(lambda: adapter.validate(meter(), deadline_s=2)).outcome is Outcome.NOT_SENT


class TestPurchase:
    def test_a_delivered_order_tells_token_units_and_money(
        self, adapter: BillProvider, vendor: Merchant
    ) -> None:
        request = order(adapter)
        result = adapter.purchase(request)
        [kept] = orders(vendor)
        assert (result.outcome, result.reference) == (Outcome.SUCCEEDED, request.reference)
        assert kept["request_id"] == request.reference
        assert (result.amount, result.cost, result.commission) == (Decimal(2000), Decimal(1970), Decimal(30))
        assert result.vendor_id == kept["transactionId"]
        assert result.token is not None
        assert (len(result.token), result.token.isdigit()) == (20, True)
        assert result.units.endswith(" kWh")

    @pytest.mark.parametrize("disco", ["ikeja-electric", "eko-electric", "abuja-electric", "ibadan-electric"])
    def test_every_company_words_its_token_its_own_way(
        self, adapter: BillProvider, vendor: Merchant, disco: str
    ) -> None:
        request = order(adapter, service_id=disco)
        paid = adapter.purchase(request)
        asked = known(adapter, request.reference)
        assert paid.token is not None
        assert paid.token.startswith("2636")
        assert (asked.token, asked.units) == (paid.token, paid.units)
        assert paid.units

    @pytest.mark.parametrize(
        "changes",
        [
            {"variation_code": "postpaid", "customer_id": POSTPAID},
            {"service_id": "mtn", "variation_code": "", "customer_id": "08011111111", "category": "airtime",
             "amount": Decimal(100)},
            {"service_id": "mtn-data", "variation_code": "mtn-10mb-100", "customer_id": "08011111111",
             "category": "data", "amount": Decimal(100)},
            {"service_id": "gotv", "variation_code": "gotv-smallie", "customer_id": "1212121212",
             "category": "tv", "amount": Decimal(1900)},
            {"service_id": "gotv", "variation_code": "gotv-max", "customer_id": "1212121212",
             "category": "tv", "amount": Decimal(1900), "subscription": "renew"},
            {"service_id": "startimes", "variation_code": "nova", "customer_id": "1212121212",
             "category": "tv", "amount": Decimal(2100), "subscription": "renew"},
        ],
    )  # fmt: skip
    def test_other_products_are_delivered_without_a_token(
        self, adapter: BillProvider, vendor: Merchant, changes: dict[str, Any]
    ) -> None:
        result = adapter.purchase(order(adapter, **changes))
        assert (result.outcome, result.token) == (Outcome.SUCCEEDED, None)
        assert result.amount == changes.get("amount", Decimal(2000))

    def test_kobo_survive_the_way(self, adapter: BillProvider, vendor: Merchant) -> None:
        assert adapter.purchase(order(adapter, amount=Decimal("2000.50"))).amount == Decimal("2000.50")

    def test_an_order_without_a_phone_goes_out_under_ours(
        self, adapter: BillProvider, vendor: Merchant, settings: Settings
    ) -> None:
        settings.VTPASS_CONTACT_PHONE = "08099999999"
        adapter.purchase(order(adapter, phone=""))
        assert [kept["phone"] for kept in orders(vendor)] == ["08099999999"]

    @pytest.mark.parametrize(
        ("changes", "outcome", "code"),
        [
            ({"customer_id": REFUSED}, Outcome.DECLINED, "refused"),
            ({"amount": Decimal(1)}, Outcome.DECLINED, "amount_too_small"),
            ({"amount": Decimal(99_000_000)}, Outcome.DECLINED, "amount_too_large"),
            ({"variation_code": "solar"}, Outcome.DECLINED, "product_unknown"),
            ({"service_id": "nepa"}, Outcome.DECLINED, "product_unknown"),
            ({"reference": "20200101120000abcdef"}, Outcome.NOT_SENT, "reference_refused"),
            ({"reference": "no-date-in-this-one"}, Outcome.NOT_SENT, "reference_refused"),
        ],
    )
    def test_a_definite_refusal_says_what_it_means_for_the_money(
        self, adapter: BillProvider, vendor: Merchant, changes: dict[str, Any], outcome: str, code: str
    ) -> None:
        error = refused(lambda: adapter.purchase(order(adapter, **changes)))
        assert (error.outcome, error.code) == (outcome, code)
        assert [kept["delivered"] for kept in orders(vendor)] in ([], [0])

    def test_an_empty_float_and_a_refused_account_are_not_sent_with_an_alarm(
        self, adapter: BillProvider, vendor: Merchant
    ) -> None:
        vendor.control("settings", vtpass_float=100)
        empty = refused(lambda: adapter.purchase(order(adapter)))
        vendor.fault("vtpass", "pay", "unauthorized")
        locked = refused(lambda: adapter.purchase(order(adapter)))
        assert (empty.outcome, empty.code, empty.alarm) == (Outcome.NOT_SENT, "float_empty", True)
        assert (locked.outcome, locked.code, locked.alarm) == (Outcome.NOT_SENT, "account_refused", True)
        assert orders(vendor) == []

    def test_the_same_again_within_seconds_is_not_sent(self, adapter: BillProvider, vendor: Merchant) -> None:
        vendor.control("settings", vtpass_duplicate_rule=True)
        adapter.purchase(order(adapter))
        error = refused(lambda: adapter.purchase(order(adapter)))
        assert (error.outcome, error.code) == (Outcome.NOT_SENT, "likely_duplicate")
        assert len(orders(vendor)) == 1

    def test_a_used_reference_was_seen_and_is_asked_about(
        self, adapter: BillProvider, vendor: Merchant
    ) -> None:
        request = order(adapter)
        adapter.purchase(request)
        again = adapter.purchase(request)
        assert (again.outcome, again.code, again.token) == (Outcome.PENDING, "reference_seen", None)
        assert len(orders(vendor)) == 1

    def test_an_order_under_way_is_pending(self, adapter: BillProvider, vendor: Merchant) -> None:
        assert adapter.purchase(order(adapter, customer_id=PENDING)).outcome is Outcome.PENDING

    @pytest.mark.parametrize("kind", UNCLEAR)
    def test_everything_unclear_is_unknown(self, adapter: BillProvider, vendor: Merchant, kind: str) -> None:
        vendor.fault("vtpass", "pay", kind)
        request = order(adapter)
        assert refused(lambda: adapter.purchase(request)).outcome is Outcome.UNKNOWN
        was_stored = kind in {"error_after", "garbage", "truncated", "reset", "timeout_after"}
        assert len(orders(vendor)) == int(was_stored)
        asked = adapter.query(request.reference)
        assert (asked is not None and asked.outcome is Outcome.SUCCEEDED) is was_stored

    @pytest.mark.parametrize(
        ("number", "then"), [(ANSWER_LOST, Outcome.SUCCEEDED), (NEVER_ARRIVED, None), (BROKEN, Outcome.DECLINED)]
    )  # fmt: skip
    def test_a_lost_answer_is_unknown_until_it_is_asked_for(
        self, adapter: BillProvider, vendor: Merchant, number: str, then: Outcome | None
    ) -> None:
        request = order(adapter, customer_id=number)
        assert refused(lambda: adapter.purchase(request)).outcome is Outcome.UNKNOWN
        assert outcome_of(adapter, request.reference) is then

    def test_a_closed_door_is_not_sent(
        self, adapter: BillProvider, vendor: Merchant, settings: Settings
    ) -> None:
        settings.VTPASS_BASE_URL = CLOSED_DOOR
        error = refused(lambda: adapter.purchase(order(adapter)))
        assert (error.outcome, error.code) == (Outcome.NOT_SENT, "connect_failed")

    @pytest.mark.parametrize("amount", ["0", "-1", "0.001", "2000.005"])
    def test_what_is_no_amount_of_naira_never_leaves(
        self, adapter: BillProvider, vendor: Merchant, amount: str
    ) -> None:
        with pytest.raises(ValueError, match="no payable amount"):
            adapter.purchase(order(adapter, amount=Decimal(amount)))
        assert orders(vendor) == []


class TestQuery:
    def test_an_unknown_reference_is_none(self, adapter: BillProvider, vendor: Merchant) -> None:
        assert adapter.query(adapter.new_reference(datetime.now(UTC))) is None

    def test_a_pending_order_is_pending_until_it_is_delivered(
        self, adapter: BillProvider, vendor: Merchant
    ) -> None:
        request = order(adapter, customer_id=PENDING)
        adapter.purchase(request)
        outcomes = [known(adapter, request.reference).outcome for _ in range(3)]
        assert outcomes == [Outcome.PENDING, Outcome.PENDING, Outcome.SUCCEEDED]

    @pytest.mark.parametrize(
        ("ending", "outcome"), [("failed", Outcome.DECLINED), ("reversed", Outcome.REVERSED)]
    )
    def test_how_the_vendors_staff_end_it_is_told(
        self, adapter: BillProvider, vendor: Merchant, ending: str, outcome: Outcome
    ) -> None:
        request = order(adapter, customer_id=PENDING)
        adapter.purchase(request)
        if ending == "reversed":
            vendor.control("vtpass/resolve", request_id=request.reference, outcome="delivered")
        vendor.control("vtpass/resolve", request_id=request.reference, outcome=ending)
        assert outcome_of(adapter, request.reference) is outcome

    @pytest.mark.parametrize("kind", [*UNCLEAR, "unauthorized", "float_empty"])
    def test_everything_unclear_is_unknown_and_the_next_question_tells(
        self, adapter: BillProvider, vendor: Merchant, kind: str
    ) -> None:
        request = order(adapter)
        paid = adapter.purchase(request)
        vendor.fault("vtpass", "requery", kind)
        assert refused(lambda: adapter.query(request.reference)).outcome is Outcome.UNKNOWN
        asked = known(adapter, request.reference)
        assert (asked.outcome, asked.token, asked.cost) == (Outcome.SUCCEEDED, paid.token, paid.cost)

    def test_a_closed_door_says_nothing_about_the_order(
        self, adapter: BillProvider, vendor: Merchant, settings: Settings
    ) -> None:
        request = order(adapter)
        adapter.purchase(request)
        settings.VTPASS_BASE_URL = CLOSED_DOOR
        error = refused(lambda: adapter.query(request.reference))
        assert (error.outcome, error.code) == (Outcome.UNKNOWN, "connect_failed")


class TestReferences:
    @pytest.mark.parametrize(
        ("now", "stamp"),
        [
            (datetime(2026, 11, 20, 22, 59, 59, tzinfo=UTC), "202611202359"),
            (datetime(2026, 11, 20, 23, 0, 0, tzinfo=UTC), "202611210000"),
            (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), "202701010030"),
        ],
    )
    def test_begin_with_the_minute_in_lagos(self, adapter: BillProvider, now: datetime, stamp: str) -> None:
        assert adapter.new_reference(now).startswith(stamp)

    def test_are_never_the_same(self, adapter: BillProvider) -> None:
        now = datetime.now(UTC)
        assert len({adapter.new_reference(now) for _ in range(1000)}) == 1000

    @pytest.mark.parametrize(("age_s", "is_old"), [(0, False), (179, False), (181, True), (86_400, True)])
    def test_are_good_for_three_minutes(self, adapter: BillProvider, age_s: int, is_old: bool) -> None:
        made_at = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)
        reference = adapter.new_reference(made_at)
        now = (made_at + timedelta(seconds=age_s)).astimezone(ZoneInfo("Asia/Tokyo"))
        assert adapter.reference_expired(reference, now) is is_old


class TestSecrets:
    """What is stored for staff, logged or printed shows no token and nobody's number or name."""

    def test_evidence_has_what_staff_need_and_nothing_else(
        self, adapter: BillProvider, vendor: Merchant
    ) -> None:
        result = adapter.purchase(order(adapter))
        assert set(result.evidence) <= {
            "code", "description", "status", "vendor_id", "amount", "total_amount", "commission",
        }  # fmt: skip
        shown = f"{result.evidence} {result!r}"
        for secret in (result.token, DELIVERED, "08011111111", "TESTMETER1", "sandbox@sandbox"):
            assert str(secret) not in shown

    def test_the_evidence_of_a_refusal_names_nobody(self, adapter: BillProvider, vendor: Merchant) -> None:
        error = refused(lambda: adapter.purchase(order(adapter, customer_id=REFUSED)))
        assert error.evidence["code"] == "016"
        assert REFUSED not in f"{error.evidence} {error}"

    def test_requests_print_no_customer(self, adapter: BillProvider) -> None:
        request = order(adapter)
        assert repr(request) == f"PurchaseRequest({request.reference})"
        assert DELIVERED not in repr(meter())

    @pytest.mark.parametrize("disco", ["ikeja-electric", "eko-electric", "abuja-electric", "ibadan-electric"])
    def test_redact_hides_tokens_names_and_numbers(
        self, adapter: BillProvider, vendor: Merchant, disco: str
    ) -> None:
        paid = vendor.vtpass("pay", **vendor.order(serviceID=disco, email="ada@example.com")).json()
        asked = vendor.requery(paid["requestId"])
        card = vendor.vtpass("merchant-verify", serviceID="gotv", billersCode="1212121212").json()
        verified = vendor.vtpass(
            "merchant-verify", serviceID=disco, billersCode=DELIVERED, type="prepaid"
        ).json()
        token = adapter.query(paid["requestId"])
        assert token is not None
        for body in (paid, asked, card, verified):
            shown = json.dumps(adapter.redact(body))
            for secret in (str(token.token), DELIVERED, "1212121212", "08011111111", "TESTMETER1", "CUSTOMER\"",
                           "ABULE EGBA", "sandbox@sandbox.vtpass.com"):  # fmt: skip
                assert secret not in shown

    def test_redact_keeps_what_the_order_was(self, adapter: BillProvider, vendor: Merchant) -> None:
        paid = vendor.vtpass("pay", **vendor.order()).json()
        kept = adapter.redact(paid)
        assert kept["code"] == "000"
        assert kept["requestId"] == paid["requestId"]
        assert kept["content"]["transactions"]["status"] == "delivered"


def test_every_vendor_of_the_settings_can_be_made() -> None:
    assert registry.vendors() == ["vtpass"]
    assert registry.sells_in("vtpass", "NGN")
    assert not registry.sells_in("vtpass", "USD")
    assert not registry.sells_in("nobody", "NGN")


@pytest.fixture(autouse=True)
def _closed_circuit() -> Iterator[None]:
    """Let no test's failures count in the next."""
    close_circuit()
    yield
    close_circuit()
