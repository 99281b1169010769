"""The identity verifier: decides by the first digit, once per reference, and forgets the number."""

from typing import Any

import httpx2
import pytest

from tests.sandbox.actors import Merchant, SandboxProcess


def ask(merchant: Merchant, **change: Any) -> httpx2.Response:
    body = {
        "reference": "kyc-1",
        "document_type": "bvn",
        "document_number": "22222222222",
        "date_of_birth": "1990-05-01",
        "first_name": "Ada",
        "last_name": "Obi",
        **change,
    }
    return merchant.http.post("/verifier/identity", json=body, headers=merchant.bearer)


class TestIdentity:
    @pytest.mark.parametrize(
        ("number", "status"),
        [("22345678901", "approved"), ("12345678901", "rejected"), ("02345678901", "review")],
    )
    def test_the_first_digit_decides(self, merchant: Merchant, number: str, status: str) -> None:
        answer = ask(merchant, document_number=number).json()

        assert (answer["reference"], answer["status"]) == ("kyc-1", status)
        assert answer["reason"]

    def test_a_repeat_gets_the_same_answer_and_other_data_a_conflict(self, merchant: Merchant) -> None:
        first = ask(merchant)

        again = ask(merchant)
        other = ask(merchant, document_number="12222222222")
        shown = merchant.http.get("/verifier/identity/kyc-1", headers=merchant.bearer)

        assert first.json() == again.json() == shown.json()
        assert other.status_code == 409
        assert len(merchant.state()["verifier"]["checks"]) == 1

    def test_an_unknown_reference_is_404(self, merchant: Merchant) -> None:
        response = merchant.http.get("/verifier/identity/nobody", headers=merchant.bearer)

        assert response.status_code == 404

    @pytest.mark.parametrize(
        "change",
        [
            {"reference": ""},
            {"reference": "a b"},
            {"document_type": "passport"},
            {"document_number": "2222222222"},
            {"document_number": 22222222222},
            {"date_of_birth": "01/05/1990"},
            {"first_name": " "},
            {"last_name": None},
        ],
    )
    def test_bad_input_is_400_and_stores_nothing(self, merchant: Merchant, change: dict[str, Any]) -> None:
        response = ask(merchant, **change)

        assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")
        assert merchant.state()["verifier"]["checks"] == []

    @pytest.mark.parametrize("key", ["", "Bearer sk_live_1", "Bearer something"])
    def test_only_test_keys_get_in(self, merchant: Merchant, key: str) -> None:
        response = merchant.http.get("/verifier/identity/kyc-1", headers={"Authorization": key})

        assert response.status_code == 401

    def test_the_number_is_nowhere(self, merchant: Merchant, running_sandbox: SandboxProcess) -> None:
        ask(merchant, document_number="22987654321")

        seen = [merchant.http.get(f"/_control/{page}").text for page in ("state", "requests")]

        assert "kyc-1" in seen[0]
        assert all("22987654321" not in text for text in [*seen, running_sandbox.log()])
        assert not running_sandbox.book_holds(b"22987654321")
