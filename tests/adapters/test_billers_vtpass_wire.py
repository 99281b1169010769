"""What only VTpass's wire can say: its codes, naira, tokens and customers, and everything that it must not say."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from billers.providers import vtpass_reading as reading
from billers.providers.base import Customer, CustomerQuestion, PurchaseRequest, PurchaseResult
from billers.providers.vtpass import VTpass
from fintech_core.outcomes import Outcome, ProviderError
from tests.billers.bench import close_circuit
from tests.billers.scripted import Script, answer, scripted

VENDOR = VTpass()
REFERENCE = VENDOR.new_reference(datetime.now(UTC))
DECLINED, NOT_SENT, PENDING = Outcome.DECLINED, Outcome.NOT_SENT, Outcome.PENDING
UNKNOWN, REVERSED, SUCCEEDED = Outcome.UNKNOWN, Outcome.REVERSED, Outcome.SUCCEEDED

# Response codes as VTpass documents them, and what each may be taken for after /pay. No code alone is a success.
AFTER_PAY: dict[str, Outcome] = {
    **dict.fromkeys(("010", "011", "012", "013", "016", "017", "025", "026", "031", "032"), DECLINED),
    **dict.fromkeys(("018", "019", "034", "035", "085", "086", "091"), NOT_SENT),
    **dict.fromkeys(("021", "022", "023", "024", "027", "028", "087"), NOT_SENT),
    **dict.fromkeys(("014", "089", "099", "000", "001"), PENDING),
    **dict.fromkeys(("030", "044", "083", "015", "020", "029", "100", "", "16", "0000", "<html>"), UNKNOWN),
    "040": REVERSED,
}
# After a requery a refusal of the question says nothing about the order.
AFTER_REQUERY: dict[str, Outcome] = {
    **dict.fromkeys((*AFTER_PAY,), UNKNOWN),
    **dict.fromkeys(("089", "099", "000", "001"), PENDING),
    "016": DECLINED,
    "091": NOT_SENT,
    "040": REVERSED,
}
INNER = {
    "initiated": PENDING,
    "pending": PENDING,
    "delivered": SUCCEEDED,
    "failed": DECLINED,
    "reversed": REVERSED,
    "resolved": UNKNOWN,
    "Delivered": UNKNOWN,
    "successful": UNKNOWN,
    "": UNKNOWN,
}


@pytest.fixture
def script(settings: Settings) -> Iterator[Script]:
    """A vendor that answers by script."""
    with scripted(settings) as made:
        yield made
    close_circuit()


def buy(**changes: Any) -> PurchaseResult:
    facts: dict[str, Any] = {
        "reference": REFERENCE,
        "service_id": "ikeja-electric",
        "variation_code": "prepaid",
        "customer_id": "1111111111111",
        "amount": Decimal(10000),
        "phone": "08011111111",
        "category": "electricity",
    }
    return VENDOR.purchase(PurchaseRequest(**{**facts, **changes}))


def ask() -> PurchaseResult | None:
    return VENDOR.query(REFERENCE)


def outcome_of(call: Callable[[], PurchaseResult | None]) -> tuple[Outcome | None, str]:
    """Return what a call means for the order, however the adapter says it, and its code."""
    try:
        result = call()
    except ProviderError as error:
        return error.outcome, error.code
    return (None, "not_found") if result is None else (result.outcome, result.code)


class TestCodes:
    @pytest.mark.parametrize(("code", "outcome"), sorted(AFTER_PAY.items()))
    def test_a_code_after_pay(self, script: Script, code: str, outcome: Outcome) -> None:
        script.say(answer(code, None))
        assert outcome_of(buy)[0] is outcome

    @pytest.mark.parametrize(("code", "outcome"), sorted(AFTER_REQUERY.items()))
    def test_a_code_after_requery(self, script: Script, code: str, outcome: Outcome) -> None:
        script.say(answer(code, None))
        assert outcome_of(ask)[0] is (None if code == "015" else outcome)

    @pytest.mark.parametrize("code", ["000", "001"])
    @pytest.mark.parametrize(("status", "outcome"), sorted(INNER.items()))
    def test_a_processed_call_is_what_its_order_is(
        self, script: Script, code: str, status: str, outcome: Outcome
    ) -> None:
        script.say(answer(code, status))
        assert outcome_of(buy)[0] is outcome
        assert outcome_of(ask)[0] is outcome

    @pytest.mark.parametrize("code", [None, 0, 16, True, ["000"], {"code": "000"}])
    def test_a_code_that_is_no_text_is_unknown(self, script: Script, code: object) -> None:
        script.say(answer() | {"code": code})
        assert outcome_of(buy) == (UNKNOWN, "unlisted_code")

    @pytest.mark.parametrize("code", ["016", "018", "019", "040", "091"])
    def test_a_refusal_that_shows_a_delivery_is_unknown(self, script: Script, code: str) -> None:
        script.say(answer(code, "delivered"))
        assert outcome_of(buy) == (UNKNOWN, "contradiction")

    @pytest.mark.parametrize(
        "content", [None, [], "delivered", 1, {"transactions": []}, {"transactions": None}]
    )
    def test_success_without_an_order_is_pending(self, script: Script, content: object) -> None:
        script.say(answer(content=content))
        assert outcome_of(buy) == (PENDING, "no_details")


class TestOurOrder:
    @pytest.mark.parametrize("told", ["20261120another", "", None, 7, ["x"], ...])
    @pytest.mark.parametrize("status", ["delivered", "failed", "reversed", "pending"])
    def test_an_order_under_another_reference_is_unknown(
        self, script: Script, told: object, status: str
    ) -> None:
        script.say(answer(status=status, requestId=told))
        assert outcome_of(buy) == (UNKNOWN, "wrong_reference")
        assert outcome_of(ask) == (UNKNOWN, "wrong_reference")

    def test_a_bare_refusal_of_an_order_needs_no_reference(self, script: Script) -> None:
        script.say(answer("018", None, requestId=...))
        assert outcome_of(buy) == (NOT_SENT, "float_empty")
        script.say(answer("018", None, requestId="another"))
        assert outcome_of(buy) == (UNKNOWN, "wrong_reference")

    @pytest.mark.parametrize("code", ["016", "091", "040"])
    def test_a_bare_answer_to_a_question_gives_nothing_back(self, script: Script, code: str) -> None:
        script.say(answer(code, None, requestId=...))
        assert outcome_of(ask) == (UNKNOWN, "wrong_reference")


class TestBrokenAnswers:
    @pytest.mark.parametrize(
        "body",
        [
            b"", b"null", b"[]", b'"000"', b"<html>", b'{"code":"000"', b"\xff\xfe", b"{" * 3000,
            b'{"code":"016","code":"000"}', b'{"code":"000","amount":NaN}', b'{"code":"000","amount":1e999}',
        ],
    )  # fmt: skip
    def test_what_cannot_be_read_is_unknown_with_an_alarm(self, script: Script, body: bytes) -> None:
        script.say(body)
        for call in (buy, ask):
            with pytest.raises(ProviderError) as caught:
                call()
            assert (caught.value.outcome, caught.value.code, caught.value.alarm) == (
                UNKNOWN, "broken_body", True,
            )  # fmt: skip

    @pytest.mark.parametrize("status", [201, 302, 400, 404, 409, 429, 500, 502, 503])
    def test_another_status_than_200_is_unknown_whatever_the_body_says(
        self, script: Script, status: int
    ) -> None:
        script.say(answer("016", "failed"), status=status)
        assert outcome_of(buy)[0] is UNKNOWN
        assert outcome_of(ask)[0] is UNKNOWN

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_refused_key_is_unknown_with_an_alarm(self, script: Script, status: int) -> None:
        script.say(answer("087", None), status=status)
        with pytest.raises(ProviderError) as caught:
            buy()
        assert (caught.value.outcome, caught.value.code, caught.value.alarm) == (
            UNKNOWN, "account_refused", True,
        )  # fmt: skip


class TestOrders:
    """The fields of an order differ by product; a wrong one is refused, or pays for something else."""

    @pytest.mark.parametrize(
        ("changes", "fields"),
        [
            ({}, {"billersCode": "1111111111111", "variation_code": "prepaid", "phone": "08011111111"}),
            ({"service_id": "mtn", "variation_code": "", "category": "airtime", "customer_id": "08022222222"},
             {"phone": "08022222222"}),
            ({"service_id": "dstv", "variation_code": "dstv79", "category": "tv", "subscription": "change"},
             {"billersCode": "1111111111111", "variation_code": "dstv79", "subscription_type": "change",
              "phone": "08011111111"}),
            ({"service_id": "dstv", "variation_code": "dstv79", "category": "tv", "subscription": "renew"},
             {"billersCode": "1111111111111", "subscription_type": "renew", "phone": "08011111111"}),
            ({"service_id": "gotv", "variation_code": "gotv-max", "category": "tv"},
             {"billersCode": "1111111111111", "variation_code": "gotv-max", "subscription_type": "change",
              "phone": "08011111111"}),
            ({"service_id": "startimes", "variation_code": "nova", "category": "tv", "subscription": "renew"},
             {"billersCode": "1111111111111", "variation_code": "nova", "phone": "08011111111"}),
        ],
    )  # fmt: skip
    def test_exactly_the_fields_of_the_product_are_sent(
        self, script: Script, changes: dict[str, Any], fields: dict[str, str]
    ) -> None:
        script.say(answer())
        buy(**changes)
        service = changes.get("service_id", "ikeja-electric")
        common = {"request_id": REFERENCE, "serviceID": service, "amount": "10000"}
        assert script.asked == [("pay", {**common, **fields})]

    def test_only_a_meter_names_its_kind_when_it_is_verified(self, script: Script) -> None:
        script.say({"code": "000", "content": {"Customer_Name": "ADA"}})
        for category, service in (("electricity", "eko-electric"), ("tv", "dstv")):
            VENDOR.validate(CustomerQuestion(service, "prepaid", "1111", category), deadline_s=2)
        assert [body for _, body in script.asked] == [
            {"billersCode": "1111", "serviceID": "eko-electric", "type": "prepaid"},
            {"billersCode": "1111", "serviceID": "dstv"},
        ]


class TestNaira:
    @given(st.decimals(min_value="0.01", max_value="999999999", places=2))
    def test_survives_both_ways(self, amount: Decimal) -> None:
        assert reading.read_naira(reading.write_naira(amount)) == amount

    @pytest.mark.parametrize(
        ("value", "naira"),
        [
            ("2000", "2000"), (2000, "2000"), (Decimal("19.3"), "19.30"), ("900.00", "900"), (0, "0"),
            (Decimal("4.85"), "4.85"), ("2000.005", "2000.00"),
        ],
    )  # fmt: skip
    def test_reads_numbers_and_texts(self, value: object, naira: str) -> None:
        assert reading.read_naira(value) == Decimal(naira)

    @pytest.mark.parametrize(
        "value",
        [
            None, True, "", "N/A", "N2000", "-5", -5, "1e3", " 5", "5,000", "١٢", [5], {"amount": 5}, 10**12,
            "9" * 13, Decimal("NaN"), Decimal("Infinity"), 1.5,
        ],
    )  # fmt: skip
    def test_everything_else_is_no_amount(self, value: object) -> None:
        assert reading.read_naira(value) is None


class TestTokens:
    TOKEN = "26362054405982757802"

    @pytest.mark.parametrize(
        "body",
        [
            {"token": f"Token : {TOKEN}"},
            {"token": TOKEN},
            {"token": "N/A", "purchased_code": f"Token : {TOKEN}"},
            {"mainToken": TOKEN},
            {"Token": "2636-2054-4059-8275-7802"},
            {"purchased_code": "Token: 2636 2054 4059 8275 7802, Units: 79.9"},
            {"purchased_code": f"Token: {TOKEN} 79.9kWh"},
            {"purchased_code": f"Token: {TOKEN} 79 kWh"},
            {"purchased_code": f"Token: {TOKEN} 1860.47 naira"},
            {"purchased_code": f"Token: {TOKEN}."},
            {"tokens": [TOKEN, "1"]},
            {"cards": [{"Serial": "WRN1", "Pin": TOKEN}]},
            {"purchased_code": f"Serial No:WRN123456790, pin: {TOKEN}"},
            {"tokens": "x", "cards": "y", "token": None, "mainToken": 7, "purchased_code": f"Pin : {TOKEN}"},
        ],
    )
    def test_are_found_wherever_the_company_puts_them(self, body: dict[str, Any]) -> None:
        assert reading.read_token(body) == self.TOKEN

    def test_keep_their_zeros(self) -> None:
        assert reading.read_token({"tokens": ["0100070365657400875"]}) == "0100070365657400875"

    @pytest.mark.parametrize(
        "body",
        [
            {}, {"token": ""}, {"token": "N/A"}, {"token": 26362054405982757802}, {"token": "1234567"},
            {"token": "see your phone"}, {"tokens": [None, {}]}, {"cards": [None, {"Serial": "1"}]},
            {"purchased_code": "Serial No:WRN123456790"}, {"token": "٢" * 20}, {"token": "9" * 61},
            {"customerName": "26362054405982757802"},
        ],
    )  # fmt: skip
    def test_nothing_else_is_one(self, body: dict[str, Any]) -> None:
        assert reading.read_token(body) is None

    @given(st.text(alphabet="tokenpi :0123456789-.N/A", max_size=60), st.text(max_size=20))
    def test_no_text_breaks_the_search(self, likely: str, odd: str) -> None:
        found = reading.read_token({"token": odd, "tokens": [likely, odd], "purchased_code": likely})
        assert found is None or (found.isascii() and found.isdigit())

    @pytest.mark.parametrize(
        ("body", "units"),
        [
            ({"units": "79.9 kWh"}, "79.9 kWh"),
            ({"units": "N/A", "Units": Decimal("12.5")}, "12.5"),
            ({"mainTokenUnits": 27}, "27"),
            ({"PurchasedUnits": "x" * 99}, "x" * 40),
            ({"units": None}, ""),
        ],
    )
    def test_units_are_a_short_text(self, body: dict[str, Any], units: str) -> None:
        assert reading.read_units(body) == units


class TestText:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("ABULE EGBA, 7/9", "ABULE EGBA, 7/9"), (" N/A ", ""), (None, ""), (True, ""), (["x"], ""),
            ("a\x00b\nc", "a b c"), ("<script>", "script"), ("x" * 5000, "x" * 120), (7, "7"),
        ],
    )  # fmt: skip
    def test_foreign_text_is_plain_and_short(self, value: object, text: str) -> None:
        assert reading.read_text(value) == text

    @pytest.mark.parametrize(
        ("sentence", "shown"),
        [
            ("TRANSACTION SUCCESSFUL", "TRANSACTION SUCCESSFUL"),
            ("Token : 26362054405982757802", "Token : *"),
            ("sent to 0801 111 1111 today", "sent to * today"),
            ("error 083", "error 083"),
        ],
    )
    def test_long_numbers_are_masked_in_sentences(self, sentence: str, shown: str) -> None:
        assert reading.mask_numbers(sentence) == shown


class TestCustomers:
    def read(self, **content: Any) -> Customer:
        return reading.read_customer({"Customer_Name": "ADA OBI", **content})

    def test_what_is_not_said_is_nothing(self) -> None:
        assert self.read(Address="N/A", Minimum_Amount="", Due_Date="soon") == Customer(name="ADA OBI")

    def test_what_is_said_is_read(self) -> None:
        assert self.read(
            Min_Purchase_Amount="", Minimum_Amount="500", Maximum_Amount=9000, DUE_DATE="2026-12-02T00:00:00",
            Current_Bouquet="GOtv Max", Renewal_Amount=Decimal("1900.0"), WrongBillersCode=False, Can_Vend="yes",
        ) == Customer(
            name="ADA OBI", min_amount=Decimal(500), max_amount=Decimal(9000), current_product="GOtv Max",
            renewal_amount=Decimal(1900), due_on=date(2026, 12, 2),
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("content", "code"),
        [
            ({"error": "wrong"}, "customer_not_found"),
            ({"WrongBillersCode": True}, "customer_not_found"),
            ({"WrongBillersCode": "true"}, "customer_not_found"),
            ({"Customer_Name": "N/A"}, "customer_not_found"),
            ({"Customer_Name": None}, "customer_not_found"),
            ({"Can_Vend": " No "}, "cannot_vend"),
        ],
    )
    def test_a_wrong_number_comes_under_code_000_too(self, content: dict[str, Any], code: str) -> None:
        with pytest.raises(ProviderError) as caught:
            self.read(**content)
        assert (caught.value.outcome, caught.value.code) == (DECLINED, code)

    @pytest.mark.parametrize("content", [None, [], "ADA", 1])
    def test_no_content_is_unknown(self, content: object) -> None:
        with pytest.raises(ProviderError) as caught:
            reading.read_customer(content)
        assert (caught.value.outcome, caught.value.alarm) == (UNKNOWN, True)

    @pytest.mark.parametrize("code", ["010", "011", "012", "016", "030", "087", "099", ""])
    def test_a_refused_question_is_never_a_wrong_number(self, script: Script, code: str) -> None:
        script.say({"code": code, "content": {"error": "x"}})
        with pytest.raises(ProviderError) as caught:
            VENDOR.validate(CustomerQuestion("dstv", "", "1111", "tv"), deadline_s=2)
        assert caught.value.outcome is UNKNOWN


class TestRedaction:
    def test_looks_into_everything_and_keeps_its_shape(self) -> None:
        body = answer() | {"cards": [{"Pin": "1"}], "list": [{"Customer_Name": "ADA"}, 7], "token": ""}
        shown = VENDOR.redact(body)
        assert shown["list"] == [{"Customer_Name": "[redacted]"}, 7]
        assert (shown["cards"], shown["token"]) == ("[redacted]", "")
        assert shown["content"]["transactions"]["amount"] == "10000"
        assert not any(part in json.dumps(shown) for part in ("2636", "0801", "ada@", "ADA", "BROAD"))
