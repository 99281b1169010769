"""Every fault of an answer: what the caller sees, and whether the vendor did the thing."""

import time

import httpx2
import pytest

from tests.sandbox.actors import HOLD_S, Merchant


def stored(merchant: Merchant) -> list[str]:
    return [row["reference"] for row in merchant.state()["paystack"]["transactions"]]


class TestTimeouts:
    @pytest.mark.parametrize(("kind", "left"), [("timeout_before", []), ("timeout_after", ["wal-1"])])
    def test_the_connection_is_held_and_cut(self, merchant: Merchant, kind: str, left: list[str]) -> None:
        merchant.fault("paystack", "initialize", kind)
        started = time.monotonic()

        with pytest.raises(httpx2.RemoteProtocolError, match="without sending a response"):
            merchant.initialize("wal-1")

        assert time.monotonic() - started >= HOLD_S
        assert stored(merchant) == left
        assert merchant.initialize("wal-2").status_code == 200

    def test_the_vendor_has_it_while_the_caller_still_waits(self, merchant: Merchant) -> None:
        merchant.fault("vtpass", "pay", "timeout_after", seconds=30)
        order = merchant.order()

        with pytest.raises(httpx2.ReadTimeout):
            merchant.http.post("/vtpass/api/pay", json=order, headers=merchant.vtpass_keys, timeout=0.3)

        assert merchant.requery(order["request_id"])["code"] == "000"

    def test_latency_answers_late_and_well(self, merchant: Merchant) -> None:
        merchant.fault("paystack", "verify", "latency", seconds=0.3)
        merchant.initialize()
        started = time.monotonic()

        assert merchant.verify().status_code == 200
        assert time.monotonic() - started >= 0.3


class TestErrors:
    @pytest.mark.parametrize(("kind", "left"), [("error_before", []), ("error_after", ["wal-1"])])
    def test_a_500_in_the_vendors_shape(self, merchant: Merchant, kind: str, left: list[str]) -> None:
        merchant.fault("paystack", "initialize", kind)

        response = merchant.initialize("wal-1")

        assert (response.status_code, response.json()["type"]) == (500, "api_error")
        assert stored(merchant) == left

    def test_vtpass_words_it_as_a_system_error(self, merchant: Merchant) -> None:
        merchant.fault("vtpass", "pay", "error_after")
        order = merchant.order()

        response = merchant.vtpass("pay", **order)

        assert (response.status_code, response.json()["code"]) == (500, "083")
        assert merchant.requery(order["request_id"])["code"] == "000"


class TestSpoiltAnswers:
    def test_reset_breaks_the_connection_after_the_thing_was_done(self, merchant: Merchant) -> None:
        merchant.fault("paystack", "initialize", "reset")

        with pytest.raises(httpx2.ReadError, match="reset"):
            merchant.initialize("wal-1")

        assert stored(merchant) == ["wal-1"]

    def test_garbage_is_a_page_of_html(self, merchant: Merchant) -> None:
        merchant.fault("paystack", "initialize", "garbage")

        response = merchant.initialize("wal-1")

        assert (response.status_code, response.headers["content-type"]) == (200, "text/html")
        with pytest.raises(ValueError, match="Expecting value"):
            response.json()
        assert stored(merchant) == ["wal-1"]

    def test_truncated_announces_more_than_it_sends(self, merchant: Merchant) -> None:
        merchant.fault("paystack", "initialize", "truncated")

        with pytest.raises(httpx2.RemoteProtocolError, match="complete message body"):
            merchant.initialize("wal-1")

        assert stored(merchant) == ["wal-1"]


class TestRefusals:
    def test_paystack(self, merchant: Merchant) -> None:
        for kind in ("rate_limited", "unauthorized", "float_empty"):
            merchant.fault("paystack", "initialize", kind)

        limited, unauthorized, empty = (merchant.initialize() for _ in range(3))

        assert limited.status_code == 429
        assert limited.headers["x-ratelimit-reset"] == "30"
        assert (unauthorized.status_code, unauthorized.json()["code"]) == (401, "invalid_Key")
        assert (empty.status_code, empty.json()["code"]) == (400, "insufficient_balance")
        assert stored(merchant) == []

    def test_vtpass(self, merchant: Merchant) -> None:
        for kind in ("rate_limited", "unauthorized", "float_empty"):
            merchant.fault("vtpass", "pay", kind)

        limited, unauthorized, empty = (merchant.vtpass("pay", **merchant.order()) for _ in range(3))

        assert limited.status_code == 429
        assert unauthorized.json()["code"] == "087"
        assert empty.json()["code"] == "018"
        assert merchant.state()["vtpass"]["orders"] == []

    @pytest.mark.parametrize(
        ("kind", "status"),
        [("error_before", 500), ("rate_limited", 429), ("unauthorized", 401), ("float_empty", 402)],
    )
    def test_verifier(self, merchant: Merchant, kind: str, status: int) -> None:
        merchant.fault("verifier", "identity", kind)

        response = merchant.http.get("/verifier/identity/kyc-1", headers=merchant.bearer)

        assert response.status_code == status

    def test_a_bad_key_is_refused_before_a_fault_is_used_up(self, merchant: Merchant) -> None:
        merchant.fault("paystack", "verify", "error_before")

        merchant.http.get("/paystack/transaction/verify/wal-1")

        assert merchant.fired() == [0]


class TestRules:
    def test_a_rule_fires_so_many_times(self, merchant: Merchant) -> None:
        merchant.fault("paystack", "verify", "error_before", times=2)

        assert [merchant.verify().status_code for _ in range(4)] == [500, 500, 404, 404]

    def test_null_fires_until_cleared(self, merchant: Merchant) -> None:
        merchant.fault("paystack", "verify", "error_before", times=None)

        assert {merchant.verify().status_code for _ in range(5)} == {500}
        merchant.http.delete("/_control/faults")
        assert merchant.verify().status_code == 404

    def test_it_matches_on_parts_of_the_request(self, merchant: Merchant) -> None:
        merchant.fault(
            "vtpass", "pay", "float_empty", times=None, match={"billersCode": "1111", "amount": "20"}
        )

        codes = [
            merchant.vtpass("pay", **merchant.order(meter, amount=amount)).json()["code"]
            for meter, amount in [("1111000000000", 2000), ("1010000000000", 2000), ("1111000000000", 3000)]
        ]

        assert codes == ["018", "000", "000"]

    def test_the_same_seed_draws_the_same_lots(self, merchant: Merchant) -> None:
        def draw(seed: int) -> list[int]:
            merchant.http.delete("/_control/faults")
            merchant.fault("paystack", "verify", "error_before", times=None, probability=0.5, seed=seed)
            return [merchant.verify().status_code for _ in range(20)]

        first = draw(7)

        assert first == draw(7)
        assert first != draw(8)
        assert {404, 500} == set(first)

    def test_every_operation_can_be_struck(self, merchant: Merchant) -> None:
        struck = {
            "paystack": ["initialize", "verify", "list", "banks", "resolve"],
            "vtpass": ["merchant_verify", "pay", "requery", "services", "variations", "balance"],
            "verifier": ["identity"],
        }

        for vendor, operations in struck.items():
            for operation in operations:
                assert merchant.fault(vendor, operation, "latency") > 0

        assert len(merchant.fired()) == 12
