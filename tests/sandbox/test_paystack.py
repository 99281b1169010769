"""Paystack: initialize, verify, list, keys, the checkout page."""

import json
from typing import Any

import pytest

from tests.sandbox.actors import Merchant


class TestKeys:
    def test_a_live_looking_key_is_refused_and_stores_nothing(self, merchant: Merchant) -> None:
        response = merchant.http.post(
            "/paystack/transaction/initialize",
            json={"email": "ada@example.com", "amount": 100, "reference": "r-1"},
            headers={"Authorization": "Bearer sk_live_0123"},
        )

        assert response.status_code == 401
        assert response.json()["code"] == "invalid_Key"
        assert "only test keys" in response.json()["message"]
        assert merchant.state()["paystack"]["transactions"] == []

    @pytest.mark.parametrize(
        "header", [{}, {"Authorization": "Bearer pk_test_1"}, {"Authorization": "Basic x"}]
    )
    def test_anything_but_a_secret_test_key_is_401(self, merchant: Merchant, header: dict[str, str]) -> None:
        response = merchant.http.get("/paystack/transaction", headers=header)

        assert (response.status_code, response.json()["status"]) == (401, False)


class TestInitialize:
    def test_it_hands_out_a_checkout_address(self, merchant: Merchant) -> None:
        response = merchant.initialize("wal-01JD8Z6Q3M.1")

        data = response.json()["data"]
        assert response.headers["x-sandbox"] == "fintech-core"
        assert data["reference"] == "wal-01JD8Z6Q3M.1"
        assert data["authorization_url"] == f"{merchant.url}/checkout/paystack/{data['access_code']}"

    @pytest.mark.parametrize("amount", [250000, "250000"])
    def test_the_amount_may_be_a_number_or_a_text(self, merchant: Merchant, amount: int | str) -> None:
        merchant.initialize(amount=amount)

        assert merchant.verify().json()["data"]["requested_amount"] == 250000

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"email": ""}, "missing_params"),
            ({"email": "ada"}, "invalid_email_address"),
            ({"amount": None}, "missing_params"),
            ({"amount": 0}, "invalid_amount"),
            ({"amount": 12.5}, "invalid_amount"),
            ({"amount": True}, "invalid_amount"),
            ({"amount": "1e5"}, "invalid_amount"),
            ({"amount": 10_000_000_01}, "invalid_amount"),
            ({"currency": "EUR"}, "unsupported_currency"),
            ({"reference": "wal_1"}, "invalid_reference"),
            ({"channels": "card"}, "invalid_params"),
            ({"channels": [["card"]]}, "invalid_params"),
            ({"currency": ["NGN"]}, "unsupported_currency"),
            ({"callback_url": "javascript:alert(1)"}, "invalid_params"),
        ],
    )
    def test_bad_input_is_refused_with_a_code(
        self, merchant: Merchant, change: dict[str, Any], code: str
    ) -> None:
        response = merchant.initialize(**change)

        assert (response.status_code, response.json()["code"]) == (400, code)
        assert merchant.state()["paystack"]["transactions"] == []

    def test_a_reference_is_taken_once(self, merchant: Merchant) -> None:
        merchant.initialize("wal-1", amount=100)

        response = merchant.initialize("wal-1", amount=999)

        assert (response.status_code, response.json()["code"]) == (400, "duplicate_reference")
        assert [row["amount"] for row in merchant.state()["paystack"]["transactions"]] == [100]

    def test_an_unreadable_body_is_refused(self, merchant: Merchant) -> None:
        response = merchant.http.post(
            "/paystack/transaction/initialize", content=b"[" * 5000, headers=merchant.bearer
        )

        assert response.status_code == 400


class TestVerify:
    def test_before_the_customer_acts_it_says_abandoned(self, merchant: Merchant) -> None:
        merchant.initialize()

        data = merchant.verify().json()["data"]

        assert (data["status"], data["paid_at"], data["domain"]) == ("abandoned", None, "test")

    def test_an_unknown_reference_is_404(self, merchant: Merchant) -> None:
        response = merchant.verify("never-seen")

        assert (response.status_code, response.json()["code"]) == (404, "transaction_not_found")

    @pytest.mark.parametrize(
        ("outcome", "status", "amount", "currency"),
        [
            ("success", "success", 250000, "NGN"),
            ("less", "success", 100, "NGN"),
            ("wrong_currency", "success", 250000, "KES"),
            ("declined", "failed", 250000, "NGN"),
            ("abandoned", "abandoned", 250000, "NGN"),
        ],
    )
    def test_each_outcome_shows(
        self, merchant: Merchant, outcome: str, status: str, amount: int, currency: str
    ) -> None:
        merchant.initialize()
        merchant.control("paystack/pay", reference="wal-1", outcome=outcome)

        data = merchant.verify().json()["data"]

        assert (data["status"], data["amount"], data["currency"]) == (status, amount, currency)
        assert data["requested_amount"] == 250000
        assert (data["paid_at"] is not None) == (status == "success")
        assert data["id"] > 2**32

    def test_a_fee_on_top_makes_the_amount_larger_than_the_one_asked(self, merchant: Merchant) -> None:
        merchant.initialize(amount=30050)
        merchant.control("paystack/pay", reference="wal-1", outcome="success", amount=40333)

        data = merchant.verify().json()["data"]

        assert (data["amount"], data["requested_amount"], data["fees"]) == (40333, 30050, 10283)

    @pytest.mark.parametrize(
        ("sent", "told"), [(None, ""), ({"intent": "fi-1"}, {"intent": "fi-1"}), ('{"a": 1}', '{"a": 1}')]
    )
    def test_metadata_comes_back_as_it_went_or_as_an_empty_text(
        self, merchant: Merchant, sent: object, told: object
    ) -> None:
        merchant.initialize(metadata=sent)

        assert merchant.verify().json()["data"]["metadata"] == told

    def test_a_declined_checkout_can_still_be_paid_and_a_paid_one_not_again(self, merchant: Merchant) -> None:
        merchant.initialize()
        merchant.control("paystack/pay", reference="wal-1", outcome="declined")
        merchant.control("paystack/pay", reference="wal-1", outcome="success")

        again = merchant.http.post(
            "/_control/paystack/pay", json={"reference": "wal-1", "outcome": "success"}
        )

        assert again.status_code == 409
        assert [row["payments"] for row in merchant.state()["paystack"]["transactions"]] == [1]


class TestList:
    def test_it_pages_newest_first_and_filters(self, merchant: Merchant) -> None:
        for number in range(3):
            merchant.initialize(f"wal-{number}")
        merchant.control("paystack/pay", reference="wal-1", outcome="success")

        def listed(query: str) -> tuple[list[str], Any]:
            answer = merchant.http.get(f"/paystack/transaction?{query}", headers=merchant.bearer).json()
            return [item["reference"] for item in answer["data"]], answer["meta"]

        assert listed("perPage=2")[0] == ["wal-2", "wal-1"]
        assert listed("perPage=2&page=2") == (
            ["wal-0"],
            {"total": 3, "total_volume": 250000, "skipped": 2, "perPage": 2, "page": 2, "pageCount": 2},
        )
        assert listed("status=success")[0] == ["wal-1"]
        assert listed("to=2020-01-01")[0] == []
        assert len(listed("from=2020-01-01T00:00:00.000Z&to=2999-12-31")[0]) == 3


class TestBanks:
    def test_the_list_and_a_name_check(self, merchant: Merchant) -> None:
        banks = merchant.http.get("/paystack/bank?country=nigeria", headers=merchant.bearer).json()["data"]
        found = merchant.http.get(
            "/paystack/bank/resolve?account_number=0022728151&bank_code=058", headers=merchant.bearer
        ).json()
        missing = merchant.http.get(
            "/paystack/bank/resolve?account_number=9990000000&bank_code=058", headers=merchant.bearer
        )

        assert "058" in {bank["code"] for bank in banks}
        assert len({bank["id"] for bank in banks}) == len(banks)
        assert found["data"]["account_name"]
        assert missing.status_code == 422


class TestCheckoutPage:
    def test_it_shows_what_is_paid_and_every_button(self, merchant: Merchant) -> None:
        page = merchant.http.get(merchant.checkout_path(amount=5000000)).text

        assert "₦50,000.00" in page
        assert "wal-1" in page
        assert "Test mode" in page
        for outcome in ("success", "less", "wrong_currency", "declined", "abandoned"):
            assert f'value="{outcome}"' in page

    def test_it_escapes_what_the_merchant_sent(self, merchant: Merchant) -> None:
        page = merchant.http.get(merchant.checkout_path(email="<b>@example.com")).text

        assert "<b>@" not in page
        assert "&lt;b&gt;@example.com" in page

    def test_paying_sends_the_browser_back_with_both_names_of_the_reference(self, merchant: Merchant) -> None:
        path = merchant.checkout_path(callback_url="https://app.example.com/back?step=2")

        response = merchant.http.post(f"{path}/act", data={"outcome": "success"})

        assert response.status_code == 303
        assert (
            response.headers["location"] == "https://app.example.com/back?step=2&trxref=wal-1&reference=wal-1"
        )
        assert merchant.verify().json()["data"]["status"] == "success"

    def test_leaving_goes_to_the_cancel_address(self, merchant: Merchant) -> None:
        metadata = {"cancel_action": "https://app.example.com/cancel"}
        path = merchant.checkout_path(
            callback_url="https://app.example.com/back", metadata=json.dumps(metadata)
        )

        response = merchant.http.post(f"{path}/act", data={"outcome": "abandoned"})

        assert response.headers["location"] == "https://app.example.com/cancel"
        assert merchant.verify().json()["data"]["status"] == "abandoned"

    def test_without_a_callback_it_shows_the_result(self, merchant: Merchant) -> None:
        path = merchant.checkout_path()

        declined = merchant.http.post(f"{path}/act", data={"outcome": "declined"})
        paid = merchant.http.post(f"{path}/act", data={"outcome": "success"})
        again = merchant.http.post(f"{path}/act", data={"outcome": "success"})

        assert "Payment declined" in declined.text
        assert "Payment successful" in paid.text
        assert "Already paid" in again.text
        assert "<form" not in again.text
        assert [row["payments"] for row in merchant.state()["paystack"]["transactions"]] == [1]

    def test_nonsense_changes_nothing(self, merchant: Merchant) -> None:
        path = merchant.checkout_path()

        unknown_outcome = merchant.http.post(f"{path}/act", data={"outcome": "free"})
        unknown_code = merchant.http.post("/checkout/paystack/nobody/act", data={"outcome": "success"})

        assert (unknown_outcome.status_code, unknown_code.status_code) == (400, 404)
        assert merchant.verify().json()["data"]["status"] == "abandoned"
