"""VTpass: catalogue, validation, pay and requery with every magic number and code."""

import time
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest

from tests.sandbox.actors import HOLD_S, Merchant, Receiver


def inner(answer: Any) -> Any:
    return answer["content"]["transactions"]


class TestKeys:
    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"api-key": "test"},
            {"api-key": "test", "public-key": "PK_1"},
            {"api-key": "live-key", "secret-key": "SK_1"},
            {"api-key": "test", "secret-key": "SK_live"},
        ],
    )
    def test_missing_or_live_looking_keys_answer_087(
        self, merchant: Merchant, headers: dict[str, str]
    ) -> None:
        response = merchant.http.post("/vtpass/api/pay", json=merchant.order(), headers=headers)

        assert (response.status_code, response.json()["code"]) == (200, "087")
        assert merchant.state()["vtpass"]["orders"] == []

    def test_reading_asks_for_the_public_key(self, merchant: Merchant) -> None:
        answer = merchant.http.get(
            "/vtpass/api/balance", headers={"api-key": "test", "secret-key": "SK_1"}
        ).json()

        assert answer["code"] == "087"
        assert merchant.vtpass_get("balance")["contents"]["balance"] == 5_000_000


class TestCatalogue:
    def test_services_are_listed_by_category(self, merchant: Merchant) -> None:
        categories = {entry["identifier"] for entry in merchant.vtpass_get("service-categories")["content"]}
        discos = merchant.vtpass_get("services?identifier=electricity-bill")["content"]

        assert categories == {"airtime", "data", "tv-subscription", "electricity-bill"}
        assert len(discos) == 12
        assert isinstance(discos[0]["minimium_amount"], str)
        assert isinstance(discos[0]["maximum_amount"], int)

    def test_variations_come_under_both_spellings(self, merchant: Merchant) -> None:
        content = merchant.vtpass_get("service-variations?serviceID=dstv")["content"]

        assert content["variations"] == content["varations"]
        assert content["variations"][0] == {
            "variation_code": "dstv-padi",
            "name": "DStv Padi N4,400",
            "variation_amount": "4400.00",
            "fixedPrice": "Yes",
        }

    def test_an_unknown_service_is_012(self, merchant: Merchant) -> None:
        assert merchant.vtpass_get("service-variations?serviceID=nepa")["code"] == "012"


class TestMerchantVerify:
    @pytest.mark.parametrize("prefix", ["1111", "1010", "2010", "3000", "4000", "5000"])
    def test_magic_meters_are_known(self, merchant: Merchant, prefix: str) -> None:
        answer = merchant.vtpass(
            "merchant-verify", serviceID="ikeja-electric", billersCode=prefix + "012345678", type="prepaid"
        ).json()

        assert answer["code"] == "000"
        assert answer["content"]["Customer_Name"] == "TESTMETER1"
        assert answer["content"]["WrongBillersCode"] is False

    @pytest.mark.parametrize(("number", "is_flagged"), [("9990001112223", False), ("6660001112223", True)])
    def test_other_meters_are_wrong_inside_a_000(
        self, merchant: Merchant, number: str, is_flagged: bool
    ) -> None:
        answer = merchant.vtpass(
            "merchant-verify", serviceID="eko-electric", billersCode=number, type="postpaid"
        ).json()

        assert answer["code"] == "000"
        assert "Customer_Name" not in answer["content"]
        assert answer["content"]["error"]
        assert answer["content"].get("WrongBillersCode", False) is is_flagged

    def test_a_smart_card_tells_its_bouquet(self, merchant: Merchant) -> None:
        content = merchant.vtpass("merchant-verify", serviceID="gotv", billersCode="1212121212").json()[
            "content"
        ]

        assert content["Current_Bouquet_Code"] == "gotv-smallie"
        assert content["Renewal_Amount"] == 1900

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({}, "011"),
            ({"serviceID": "nepa", "billersCode": "1111"}, "012"),
            ({"serviceID": "eko-electric", "billersCode": "1111111", "type": "solar"}, "011"),
        ],
    )
    def test_bad_input_has_a_code(self, merchant: Merchant, body: dict[str, str], code: str) -> None:
        assert merchant.vtpass("merchant-verify", **body).json()["code"] == code


class TestMagicNumbers:
    def test_1111_is_delivered_with_a_token_that_requery_repeats(self, merchant: Merchant) -> None:
        order = merchant.order("1111111111111")

        paid = merchant.vtpass("pay", **order).json()
        asked = merchant.requery(order["request_id"])

        assert (paid["code"], inner(paid)["status"]) == ("000", "delivered")
        assert paid["token"].startswith("Token : 2636")
        assert len(paid["token"].removeprefix("Token : ")) == 20
        assert asked["token"] == paid["token"]
        assert (inner(paid)["amount"], paid["amount"], inner(asked)["amount"]) == ("2000", 2000, 2000)
        assert (inner(paid)["commission"], inner(paid)["total_amount"]) == (30, 1970)
        assert merchant.vtpass_get("balance")["contents"]["balance"] == 5_000_000 - 1970

    def test_1010_postpaid_is_delivered_without_a_token(self, merchant: Merchant) -> None:
        paid = merchant.vtpass("pay", **merchant.order("1010101010101", variation_code="postpaid")).json()

        assert inner(paid)["status"] == "delivered"
        assert paid["purchased_code"] == ""
        assert "token" not in paid

    def test_2010_is_delivered_at_the_third_requery_and_told_by_webhook(
        self, merchant: Merchant, inbox: Receiver
    ) -> None:
        order = merchant.order("2010000000000")

        paid = merchant.vtpass("pay", **order).json()
        asked = [merchant.requery(order["request_id"]) for _ in range(3)]

        assert (paid["code"], inner(paid)["status"]) == ("000", "pending")
        assert [(answer["code"], inner(answer)["status"]) for answer in asked] == [
            ("099", "pending"),
            ("000", "pending"),
            ("000", "delivered"),
        ]
        assert b'"transaction-update"' in inbox.wait_for(1)[0].body

    def test_3000_is_delivered_but_the_answer_is_lost(self, merchant: Merchant) -> None:
        order = merchant.order("3000000000000")
        started = time.monotonic()

        with pytest.raises(httpx2.RemoteProtocolError):
            merchant.vtpass("pay", **order)

        assert time.monotonic() - started >= HOLD_S
        assert inner(merchant.requery(order["request_id"]))["status"] == "delivered"
        assert [row["delivered"] for row in merchant.state()["vtpass"]["orders"]] == [1]

    def test_4000_never_arrives(self, merchant: Merchant) -> None:
        order = merchant.order("4000000000000")

        with pytest.raises(httpx2.RemoteProtocolError):
            merchant.vtpass("pay", **order)

        assert merchant.requery(order["request_id"])["code"] == "015"
        assert merchant.state()["vtpass"] == {"float": 5_000_000, "orders": [], "delivered": []}

    def test_5000_answers_a_broken_body_and_has_failed(self, merchant: Merchant) -> None:
        order = merchant.order("5000000000000")

        response = merchant.vtpass("pay", **order)

        with pytest.raises(ValueError, match="Expecting value"):
            response.json()
        asked = merchant.requery(order["request_id"])
        assert (asked["code"], inner(asked)["status"]) == ("016", "failed")
        assert merchant.state()["vtpass"]["float"] == 5_000_000

    @pytest.mark.parametrize("number", ["9990000000000", "7770000000000"])
    def test_999_and_unknown_numbers_are_refused(self, merchant: Merchant, number: str) -> None:
        order = merchant.order(number)

        paid = merchant.vtpass("pay", **order).json()

        assert (paid["code"], inner(paid)["status"]) == ("016", "failed")
        assert merchant.requery(order["request_id"])["code"] == "016"
        assert merchant.state()["vtpass"]["delivered"] == []

    def test_an_ordinary_phone_gets_airtime_and_data(self, merchant: Merchant) -> None:
        airtime = {
            "request_id": merchant.request_id(),
            "serviceID": "mtn",
            "amount": 20,
            "phone": "08031234567",
        }
        data = merchant.order(
            "08031234567", serviceID="mtn-data", variation_code="mtn-100mb-1000", amount="1"
        )

        bought = [inner(merchant.vtpass("pay", **body).json()) for body in (airtime, data)]

        assert [(entry["status"], entry["amount"]) for entry in bought] == [
            ("delivered", 20),
            ("delivered", 1000),
        ]
        assert bought[0]["total_amount"] == 19.3

    def test_a_tv_renewal_names_its_amount(self, merchant: Merchant) -> None:
        order = merchant.order("1212121212", serviceID="gotv", subscription_type="renew", amount="1900")
        del order["variation_code"]

        assert inner(merchant.vtpass("pay", **order).json())["status"] == "delivered"

    @pytest.mark.parametrize(
        ("disco", "name", "units"),
        [
            ("eko-electric", "mainToken", "mainTokenUnits"),
            ("abuja-electric", "Token", "PurchasedUnits"),
            ("ibadan-electric", "Token", "Units"),
        ],
    )
    def test_some_discos_name_token_and_units_differently(
        self, merchant: Merchant, disco: str, name: str, units: str
    ) -> None:
        paid = merchant.vtpass("pay", **merchant.order(serviceID=disco)).json()

        assert paid[name].endswith(paid["purchased_code"].removeprefix("Token : "))
        assert float(paid[units]) > 0


class TestCodes:
    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"variation_code": "solar"}, "010"),
            ({"phone": ""}, "011"),
            ({"billersCode": None}, "011"),
            ({"amount": "12,5"}, "011"),
            ({"amount": True}, "011"),
            ({"serviceID": "nepa"}, "012"),
            ({"amount": "499.99"}, "013"),
            ({"amount": 1000000.01}, "017"),
            ({"request_id": "abc"}, "085"),
            ({"request_id": "202001011200abc"}, "086"),
            ({"request_id": "209913321260abc"}, "086"),
        ],
    )
    def test_a_refusal_has_a_code_and_stores_nothing(
        self, merchant: Merchant, change: dict[str, Any], code: str
    ) -> None:
        order = merchant.order(**change)

        assert merchant.vtpass("pay", **order).json()["code"] == code
        assert merchant.state()["vtpass"]["orders"] == []

    def test_a_request_id_is_taken_once(self, merchant: Merchant) -> None:
        order = merchant.order()
        merchant.vtpass("pay", **order)

        assert merchant.vtpass("pay", **order).json()["code"] == "014"
        assert [row["times"] for row in merchant.state()["vtpass"]["delivered"]] == [1]

    def test_the_request_id_is_read_in_lagos_time(self, merchant: Merchant) -> None:
        utc_hour = datetime.now(ZoneInfo("UTC")).strftime("%Y%m%d%H%M") + "utc"

        assert merchant.vtpass("pay", **merchant.order(request_id=utc_hour)).json()["code"] == "086"

    def test_it_is_read_by_either_clock_when_the_sandbox_is_ahead(self, merchant: Merchant) -> None:
        merchant.control("clock", advance_s=86400)
        tomorrow = datetime.now(ZoneInfo("Africa/Lagos")) + timedelta(days=1)
        ids = [merchant.request_id(), tomorrow.strftime("%Y%m%d%H%M") + "b"]

        codes = [merchant.vtpass("pay", **merchant.order(request_id=name)).json()["code"] for name in ids]

        assert codes == ["000", "000"]

    def test_an_empty_float_is_018(self, merchant: Merchant) -> None:
        merchant.control("settings", vtpass_float=1969.99)
        order = merchant.order()

        assert merchant.vtpass("pay", **order).json()["code"] == "018"
        assert merchant.requery(order["request_id"])["code"] == "015"
        merchant.control("settings", vtpass_float=1970)
        assert merchant.vtpass("pay", **order).json()["code"] == "000"
        assert merchant.vtpass_get("balance")["contents"]["balance"] == 0

    def test_the_likely_duplicate_rule_is_off_until_switched_on(self, merchant: Merchant) -> None:
        def code(**change: Any) -> str:
            return str(merchant.vtpass("pay", **merchant.order(**change)).json()["code"])

        assert [code(), code()] == ["000", "000"]
        merchant.control("settings", vtpass_duplicate_rule=True)
        assert [code(), code(amount="2001")] == ["019", "000"]
        merchant.control("clock", advance_s=31)
        assert code() == "000"


class TestResolvedByStaff:
    def test_a_reversal_gives_the_cost_back_and_is_told(self, merchant: Merchant, inbox: Receiver) -> None:
        order = merchant.order()
        merchant.vtpass("pay", **order)

        merchant.control("vtpass/resolve", request_id=order["request_id"], outcome="reversed")
        merchant.control("vtpass/resolve", request_id=order["request_id"], outcome="reversed")

        assert merchant.state()["vtpass"]["float"] == 5_000_000
        assert merchant.requery(order["request_id"])["code"] == "040"
        assert b'"wallet_credit_id"' in inbox.wait_for(1)[0].body
