"""The control API: strict about its fields, silent about secrets."""

from typing import Any

import pytest

from tests.sandbox.actors import SECRET_KEY, Merchant, SandboxProcess


class TestStrictness:
    @pytest.mark.parametrize(
        ("path", "body", "sentence"),
        [
            ("faults", {"vendor": "paystack", "operation": "verify", "kind": "latency", "time": 1}, "'time'"),
            ("faults", {"vendor": "stripe", "operation": "verify", "kind": "latency"}, "vendor must be"),
            ("faults", {"vendor": "paystack", "operation": "pay", "kind": "latency"}, "operation must be"),
            ("faults", {"vendor": "paystack", "operation": "verify", "kind": "sloth"}, "kind must be"),
            ("faults", {"vendor": "paystack", "operation": "verify", "kind": "webhook_drop"}, "webhook"),
            ("faults", {"vendor": "vtpass", "kind": "webhook_bad_signature"}, "does not sign"),
            ("faults", {"vendor": "verifier", "kind": "webhook_drop"}, "sends no webhooks"),
            (
                "faults",
                {"vendor": "paystack", "operation": "verify", "kind": "reset", "times": 0},
                "at least 1",
            ),
            ("faults", {"vendor": "paystack", "operation": "verify", "kind": "reset", "match": "x"}, "match"),
            (
                "faults",
                {"vendor": "paystack", "operation": "verify", "kind": "reset", "probability": 2},
                "from 0 to 1",
            ),
            ("clock", {}, "advance_s"),
            ("clock", {"advance_s": -1}, "advance_s"),
            ("clock", {"advance_s": 1, "unit": "h"}, "'unit'"),
            ("settings", {"vtpass_duplicate_rule": "on"}, "true or false"),
            ("webhooks", {"vendor": "paystack", "url": "localhost/hook"}, "absolute"),
            ("paystack/pay", {"reference": "r", "outcome": "maybe"}, "outcome must be"),
            ("vtpass/resolve", {"request_id": "r"}, "outcome must be"),
            ("reset", {"all": True}, "'all'"),
        ],
    )
    def test_a_mistake_is_400_with_a_sentence(
        self, merchant: Merchant, path: str, body: dict[str, Any], sentence: str
    ) -> None:
        response = merchant.http.post(f"/_control/{path}", json=body)

        assert response.status_code == 400
        assert sentence in response.json()["error"]
        assert merchant.state()["faults"] == []

    @pytest.mark.parametrize("body", [b"[1]", b"{", b'"x"', b'{"advance_s": NaN}', b"\xff", b"[" * 9000])
    def test_what_is_no_object_is_400(self, merchant: Merchant, body: bytes) -> None:
        assert merchant.http.post("/_control/clock", content=body).status_code == 400

    def test_unknown_things_are_404(self, merchant: Merchant) -> None:
        missing = {
            "paystack/pay": {"reference": "nobody", "outcome": "success"},
            "vtpass/resolve": {"request_id": "nobody", "outcome": "failed"},
            "deliveries/999999/resend": {},
            "deliveries/x/resend": {},
            "nothing": {},
        }

        for path, body in missing.items():
            assert merchant.http.post(f"/_control/{path}", json=body).status_code == 404, path

    def test_an_order_that_ended_cannot_end_otherwise(self, merchant: Merchant) -> None:
        order = merchant.order("9990000000000")
        merchant.vtpass("pay", **order)

        response = merchant.http.post(
            "/_control/vtpass/resolve", json={"request_id": order["request_id"], "outcome": "delivered"}
        )

        assert response.status_code == 409
        assert merchant.state()["vtpass"]["delivered"] == []

    def test_a_page_from_elsewhere_may_not_call_it(self, merchant: Merchant) -> None:
        merchant.initialize()

        refused = merchant.http.post("/_control/reset", headers={"Origin": "https://evil.example"})

        assert refused.status_code == 403
        assert len(merchant.state()["paystack"]["transactions"]) == 1


class TestState:
    def test_reset_empties_everything_and_ids_go_on(self, merchant: Merchant) -> None:
        merchant.initialize()
        merchant.control("clock", advance_s=60)
        merchant.control("settings", hold_s=3, vtpass_float=1)
        before = merchant.verify().json()["data"]["id"]

        merchant.control("reset")

        state = merchant.state()
        assert state["paystack"]["transactions"] == state["faults"] == []
        assert (state["clock"]["offset_s"], state["vtpass"]["float"]) == (0, 5_000_000)
        assert merchant.http.get("/_control/requests").json() == {"requests": []}
        merchant.initialize()
        assert merchant.verify().json()["data"]["id"] > before

    def test_requests_tell_what_came_of_each_and_no_secret(
        self, merchant: Merchant, running_sandbox: SandboxProcess
    ) -> None:
        merchant.fault("paystack", "verify", "error_after")
        merchant.initialize(metadata={"note": f"key {SECRET_KEY}"})
        merchant.verify()
        merchant.vtpass("pay", **merchant.order())

        requests = merchant.http.get("/_control/requests").json()["requests"]

        assert [(row["vendor"], row["operation"], row["status"], row["fault"]) for row in requests] == [
            ("paystack", "initialize", 200, None),
            ("paystack", "verify", 500, "error_after"),
            ("vtpass", "pay", 200, None),
        ]
        assert requests[0]["headers"]["authorization"] == "[redacted]"
        assert requests[2]["headers"]["secret-key"] == "[redacted]"
        assert SECRET_KEY not in str(requests)
        assert SECRET_KEY not in merchant.http.get("/_control/state").text.replace(f"key {SECRET_KEY}", "")
        assert SECRET_KEY not in running_sandbox.log()
        later = merchant.http.get(f"/_control/requests?after_id={requests[0]['id']}").json()["requests"]
        assert later == requests[1:]

    def test_the_clock_moves_what_the_vendors_write(self, merchant: Merchant) -> None:
        merchant.control("clock", advance_s=366 * 86400)
        merchant.initialize()

        year = int(merchant.verify().json()["data"]["created_at"][:4])

        assert merchant.state()["clock"]["offset_s"] == 366 * 86400
        assert str(year) == merchant.state()["clock"]["now"][:4]


class TestFrontPage:
    def test_it_says_what_is_guessed(self, merchant: Merchant) -> None:
        page = merchant.http.get("/")

        assert page.headers["x-sandbox"] == "fintech-core"
        for word in ("documented", "observed", "guessed", "2010", "3000", "4000", "5000", "webhook_reorder"):
            assert word in page.text
        assert "http://" not in page.text
        assert "https://" not in page.text
