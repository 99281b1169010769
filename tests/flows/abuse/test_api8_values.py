"""API8, security misconfiguration, first part: amounts, currencies, dates and texts."""

from typing import Any

import pytest

from tests.flows.abuse.conftest import Refusals
from tests.flows.abuse.routes import routes
from tests.flows.abuse.tables import (
    AMOUNTS,
    BILL_ROUTES,
    CURRENCIES,
    DATES,
    INSTANTS,
    MONEY,
    NULL_IS_NOTHING,
    PRICED,
    SOME_AMOUNTS,
)

TRANSFER = "/transactions/transfer"
OTHERS = sorted(set(PRICED) - {TRANSFER})
LISTS = ["/transactions", "/payments/intents", "/bills/payments"]
KYC = {"tier": 1, "document_type": "bvn", "document_number": "22222222222", "date_of_birth": "1990-05-01"}
TEXTS = ["a\u0000b", "\u0000"]


def refuse_amount(refused: Refusals, path: str, amount: Any) -> None:
    """Send an amount that is none, and find it refused by its name."""
    refused(
        "ada", "POST", path, {**PRICED[path], "amount": amount},
        status=400, code="validation_error", fields={"amount": "null" if amount is None else "invalid_amount"},
    )  # fmt: skip


class TestAmounts:
    @pytest.mark.parametrize("amount", AMOUNTS["8.01"], ids=repr)
    def test_8_01_nothing_negative_and_nothing_endless(self, refused: Refusals, amount: Any) -> None:
        refuse_amount(refused, TRANSFER, amount)

    @pytest.mark.parametrize("amount", AMOUNTS["8.03"], ids=repr)
    def test_8_03_no_number_and_no_part_of_a_kobo(self, refused: Refusals, amount: Any) -> None:
        refuse_amount(refused, TRANSFER, amount)

    @pytest.mark.parametrize("amount", AMOUNTS["8.05"], ids=repr)
    def test_8_05_no_other_type_and_no_name_of_a_number(self, refused: Refusals, amount: Any) -> None:
        refuse_amount(refused, TRANSFER, amount)

    @pytest.mark.parametrize("amount", AMOUNTS["8.07"], ids=lambda amount: ascii(amount)[:24])
    def test_8_07_no_other_spelling(self, refused: Refusals, amount: Any) -> None:
        refuse_amount(refused, TRANSFER, amount)

    @pytest.mark.parametrize("path", OTHERS)
    @pytest.mark.parametrize("amount", SOME_AMOUNTS, ids=lambda amount: ascii(amount)[:24])
    def test_8_07_nor_on_any_other_route(self, refused: Refusals, path: str, amount: Any) -> None:
        if amount is not None or path not in NULL_IS_NOTHING:
            refuse_amount(refused, path, amount)

    @pytest.mark.parametrize("name", ["amount_min", "amount_max"])
    @pytest.mark.parametrize(
        "amount", ["-0", "00", "-1", "1e5", "1.005", "NaN", "1,000", "%D9%A5", "5%0a", "", "9" * 900]
    )
    @pytest.mark.parametrize("path", ["/transactions", "/bills/payments"])
    def test_8_07_nor_in_a_filter(self, refused: Refusals, path: str, name: str, amount: str) -> None:
        refused(
            "ada", "GET", f"{path}?{name}={amount}",
            status=400, code="validation_error", fields={name: "invalid_amount"},
        )  # fmt: skip


class TestCurrencies:
    @pytest.mark.parametrize(
        "path", ["/transactions/transfer", "/wallets", "/wallet/fund", "/cashback/redeem", "/bills/pay"]
    )
    @pytest.mark.parametrize("currency", CURRENCIES, ids=ascii)
    def test_8_09_a_currency_is_spelled_one_way(self, refused: Refusals, path: str, currency: Any) -> None:
        refused(
            "ada", "POST", path, {**MONEY.get(path, {}), "currency": currency},
            status=400, code="validation_error", fields={"currency": "invalid_currency"},
        )  # fmt: skip

    def test_8_09_a_currency_that_is_needed_is_not_null(self, refused: Refusals) -> None:
        refused(
            "ada", "POST", "/wallets", {"currency": None},
            status=400, code="validation_error", fields={"currency": "null"},
        )  # fmt: skip

    @pytest.mark.parametrize(
        "path",
        ["/wallet", "/wallet/balance", "/transactions", "/transactions/history", "/bills/payments", "/cashback/summary",
         "/cashback/history"],
    )  # fmt: skip
    @pytest.mark.parametrize("currency", ["ngn", "XXX", "NGN%20", "%E2%82%A6", "", "NGN,USD", "NGN%0a"])
    def test_8_09_nor_another_way_in_a_query(self, refused: Refusals, path: str, currency: str) -> None:
        refused(
            "ada", "GET", f"{path}?currency={currency}",
            status=400, code="validation_error", fields={"currency": "invalid_currency"},
        )  # fmt: skip

    @pytest.mark.parametrize("currency", ["JPY", "KWD", "USD"])
    def test_8_09_an_amount_has_its_currencys_decimals(self, refused: Refusals, currency: str) -> None:
        amount = {"JPY": "1.0", "KWD": "1.0001", "USD": "1.001"}[currency]
        body = {**MONEY[TRANSFER], "amount": amount, "currency": currency}
        refused(
            "ada",
            "POST",
            TRANSFER,
            body,
            status=400,
            code="validation_error",
            fields={"amount": "invalid_amount"},
        )

    @pytest.mark.parametrize("path", ["/bills/pay", "/payments/pay-bill"])
    def test_8_09_a_bill_is_paid_in_its_products_currency(self, refused: Refusals, path: str) -> None:
        body = {**MONEY[path], "currency": "USD"}
        refused("ada", "POST", path, body, status=422, code="currency_not_supported")

    def test_8_09_no_money_of_a_currency_without_a_wallet(self, refused: Refusals) -> None:
        body = {**MONEY[TRANSFER], "currency": "USD"}
        refused("ada", "POST", TRANSFER, body, status=404, code="not_found")


class TestDates:
    @pytest.mark.parametrize("day", DATES, ids=ascii)
    def test_8_11_a_birth_date_is_a_past_day(self, refused: Refusals, day: Any) -> None:
        body = {**KYC, "date_of_birth": day}
        answer = refused("nneka", "POST", "/users/me/kyc", body, status=400, code="validation_error")
        assert "date_of_birth" in answer.fields

    @pytest.mark.parametrize("path", LISTS)
    @pytest.mark.parametrize("name", ["created_after", "created_before"])
    @pytest.mark.parametrize("instant", INSTANTS)
    def test_8_11_a_bound_is_an_instant(self, refused: Refusals, path: str, name: str, instant: str) -> None:
        answer = refused("ada", "GET", f"{path}?{name}={instant}", status=400, code="validation_error")
        assert name in answer.fields


class TestTexts:
    @pytest.mark.parametrize(
        ("who", "method", "path", "body", "name"),
        [
            ("nobody", "POST", "/auth/login", {"email": "a@example.com", "password": "x"}, "email"),
            ("nobody", "POST", "/auth/login", {"email": "a@example.com", "password": "x"}, "password"),
            ("nobody", "POST", "/auth/refresh", {}, "refresh"),
            ("ada", "PATCH", "/users/me", {}, "first_name"),
            ("ada", "PATCH", "/users/me", {}, "language"),
            ("nneka", "POST", "/users/me/kyc", KYC, "document_number"),
            ("nneka", "POST", "/users/me/kyc", {**KYC, "tier": 2, "document_type": "passport"}, "address"),
            ("nneka", "POST", "/users/me/kyc", KYC, "document_type"),
            ("ada", "POST", TRANSFER, MONEY[TRANSFER], "to"),
            ("ada", "POST", TRANSFER, MONEY[TRANSFER], "description"),
            ("ada", "POST", TRANSFER, MONEY[TRANSFER], "pin"),
            ("ada", "POST", "/transactions/transfer/lookup", {}, "to"),
            ("ada", "POST", "/wallet/fund", MONEY["/wallet/fund"], "gateway"),
            ("ada", "POST", "/wallet/fund", MONEY["/wallet/fund"], "callback_url"),
            *(
                ("ada", "POST", path, PRICED[path], name)
                for path in BILL_ROUTES
                for name in ("biller", "product", "customer_id", "phone", "quote_id", "subscription", "pin")
                if path != "/bills/validate" or name in PRICED[path]
            ),
            ("staff", "POST", "/admin/wallets/{bola_wallet}/freeze", {}, "reason"),
            ("staff", "POST", "/admin/transactions/{bola_transaction}/reverse", {}, "reason"),
        ],
    )
    @pytest.mark.parametrize(
        "value", [*TEXTS, 5, True, ["x"], {"x": "y"}, "x" * 60_000], ids=lambda value: ascii(value)[:16]
    )
    def test_8_15_a_text_is_a_text_without_nul_and_of_a_measure(
        self, refused: Refusals, who: str, method: str, path: str, body: dict[str, Any], name: str, value: Any
    ) -> None:
        answer = refused(who, method, path, {**body, name: value}, status=400, code="validation_error")
        assert name in answer.fields

    @pytest.mark.parametrize("tier", ["1", 1.0, 0, 4, -1, True, None, [], 10**20, "one", 1.5])
    def test_8_05_a_tier_is_a_whole_number(self, refused: Refusals, tier: Any) -> None:
        body = {**KYC, "tier": tier}
        answer = refused("nneka", "POST", "/users/me/kyc", body, status=400, code="validation_error")
        assert "tier" in answer.fields

    @pytest.mark.parametrize(
        "name", ["Ada\u202eObi", "Ada\nObi", "Ada\tObi", "\u200b", "Ada\u0007", "\ud7ff\ue000", " ", ""]
    )
    def test_8_15_a_name_is_printable(self, refused: Refusals, name: str) -> None:
        body = {"first_name": name}
        answer = refused("ada", "PATCH", "/users/me", body, status=400, code="validation_error")
        assert "first_name" in answer.fields

    @pytest.mark.parametrize(
        "text",
        ["'; DROP TABLE wallet_wallet;--", "%", "_", "\\", "%' OR '1'='1", "{{7*7}}", "${7*7}", "٪", "../../etc/passwd",
         "<script>alert(1)</script>"],
    )  # fmt: skip
    @pytest.mark.parametrize("name", ["search", "reference"])
    def test_8_15_a_search_finds_text_and_nothing_by_pattern(self, cast: Any, name: str, text: str) -> None:
        answer = cast.ada.get("/transactions", **{name: text})
        assert answer.status_code == 200
        assert all(text in row["description"] for row in answer.json()["results"])


class TestQueries:
    LISTED = [route for route in routes() if route.method == "GET" and "{" not in route.path]

    @pytest.mark.parametrize("route", LISTED, ids=str)
    def test_8_15_a_query_is_utf_8_without_nul(self, refused: Refusals, route: Any) -> None:
        who = "staff" if route.path.startswith("/admin/") else "ada"
        for query in ("x=%00", "%00=x", "x=a%00b", "x=%ff", "x=%c3%28", "x=%ed%a0%80", "%fe=1"):
            refused(who, "GET", f"{route.path}?{query}", status=400, code="malformed_request")

    @pytest.mark.parametrize(
        "path", ["/transactions", "/wallet", "/payments/intents", "/transactions/history", "/bills/payments"]
    )
    def test_8_15_a_parameter_stands_once(self, refused: Refusals, path: str) -> None:
        for query in (
            "currency=NGN&currency=USD",
            "currency=NGN&currency=NGN",
            "currency=NGN&%63urrency=USD",
        ):
            refused(
                "ada",
                "GET",
                f"{path}?{query}",
                status=400,
                code="validation_error",
                fields={"currency": "invalid"},
            )

    @pytest.mark.parametrize(
        "path",
        [
            "/transactions",
            "/wallets",
            "/notifications",
            "/payments/intents",
            "/auth/sessions",
            "/transactions/history",
            "/bills/payments",
            "/cashback/history",
        ],
    )
    @pytest.mark.parametrize(
        "cursor",
        ["abc", "%00", "cD0lMDA=", "cD1ub3c=", "cD0yMDI2LTAyLTMw", "bz0tMQ==", "bz1hYmM=", "cj14", "ł",
         "cD0nIE9SIDE9MQ==", "cD05OTk5OTktMDEtMDEgMDA6MDA6MDArMDA6MDA=",
         "cD0yMDI2LTAxLTAxVDAwJTNBMDAlM0EwMCUyQjIzJTNBNTk="],
    )  # fmt: skip
    def test_8_15_a_cursor_was_made_here(self, refused: Refusals, path: str, cursor: str) -> None:
        text = cursor.replace("ł", "%C5%82").replace("=", "%3D")
        code = "malformed_request" if cursor == "%00" else "validation_error"
        refused("ada", "GET", f"{path}?cursor={text}", status=400, code=code)

    @pytest.mark.parametrize(
        "cursor", ["abc", "cD0A", "cD0lMDA%3D", "bz0tMQ%3D%3D", "bz1hYmM%3D", "cj14", "%C5%82"]
    )
    def test_8_15_nor_is_one_of_a_list_by_name(self, refused: Refusals, cursor: str) -> None:
        """Its cursors hold a name, and any text may be one but what a database cannot hold."""
        refused("ada", "GET", f"/billers?cursor={cursor}", status=400, code="validation_error")
