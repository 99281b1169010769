"""Funding over HTTP: what a client sees, once for each key, and never of somebody else's."""

from collections.abc import Callable
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from pytest_django import Settings
from rest_framework.test import APIClient

from payments import tasks
from payments.models import CheckoutAttempt, PaymentIntent
from tests.factories import UserFactory
from tests.payments.gateways import pay, started_intent
from tests.sandbox.actors import Merchant, eventually
from tests.transactions.money import main_wallet
from users.models import User

pytestmark = pytest.mark.usefixtures("committed_db")

Clients = Callable[..., APIClient]
FIELDS = {
    "id", "reference", "status", "gateway", "amount", "currency", "fee", "checkout_url", "expires_at",
    "transaction_id", "is_final", "next_poll_at", "created_at",
}  # fmt: skip


@pytest.fixture
def ada() -> User:
    return UserFactory()


def fund(client: APIClient, key: str = "key-1", path: str = "wallet/fund", wait: int = 0, **body: Any) -> Any:
    headers = {"Idempotency-Key": key, "Prefer": f"wait={wait}"}
    return client.post(f"/api/v1/{path}", {"amount": "2500.00", **body}, format="json", headers=headers)


class TestFund:
    def test_a_slow_gateway_is_202_and_says_where_to_look(
        self, api: Clients, ada: User, vendor: Merchant
    ) -> None:
        response = fund(api(ada))
        assert (response.status_code, set(response.json())) == (202, FIELDS)
        body = response.json()
        assert (body["status"], body["checkout_url"], body["is_final"]) == ("pending", None, False)
        assert response["Location"] == f"/api/v1/payments/intents/{body['id']}"
        assert api(ada).get(response["Location"]).json()["reference"] == body["reference"]

    def test_waits_for_the_worker_and_answers_201(self, api: Clients, ada: User, vendor: Merchant) -> None:
        def work() -> None:
            try:
                eventually(PaymentIntent.objects.exists)
                tasks.start_checkout(str(PaymentIntent.objects.get().pk))
            finally:
                connection.close()

        worker = Thread(target=work)
        worker.start()
        response = fund(api(ada), wait=8)
        worker.join()
        assert response.status_code == 201
        assert response.json()["checkout_url"].startswith(f"{vendor.url}/checkout/paystack/")

    def test_two_routes_are_one_operation(self, api: Clients, ada: User, vendor: Merchant) -> None:
        first = fund(api(ada))
        again = fund(api(ada), path="payments/intents")
        assert (again.status_code, again["Idempotent-Replayed"]) == (202, "true")
        assert again.json()["id"] == first.json()["id"]
        tasks.start_checkout(first.json()["id"])
        assert fund(api(ada)).status_code == 201
        assert PaymentIntent.objects.count() == CheckoutAttempt.objects.count() == 1

    def test_a_key_with_another_amount_is_refused(self, api: Clients, ada: User, vendor: Merchant) -> None:
        fund(api(ada))
        assert fund(api(ada), amount="1.00").json()["code"] == "idempotency_key_reused"
        assert PaymentIntent.objects.count() == 1

    def test_what_the_gateway_refuses_is_422_for_good(
        self, api: Clients, ada: User, vendor: Merchant
    ) -> None:
        first = fund(api(ada), amount="10000001.00")
        tasks.start_checkout(first.json()["id"])
        for _ in range(2):
            response = fund(api(ada), amount="10000001.00")
            assert (response.status_code, response.json()["code"]) == (422, "checkout_declined")
            assert response.json()["intent_id"] == first.json()["id"]

    @pytest.mark.parametrize(
        "body",
        [
            {"amount": 2500}, {"amount": "-1"}, {"amount": "1.001"}, {"gateway": "stripe"}, {"extra": 1},
            {"callback_url": "javascript:alert(1)"}, {"callback_url": 7}, {"currency": "XXX"},
        ],
    )  # fmt: skip
    def test_an_invalid_body_is_400_and_makes_nothing(
        self, api: Clients, ada: User, body: dict[str, Any]
    ) -> None:
        response = fund(api(ada), **body)
        assert (response.status_code, response.json()["code"]) == (400, "validation_error")
        assert PaymentIntent.objects.count() == 0

    def test_needs_a_key_and_a_person(self, api: Clients, ada: User) -> None:
        response = api(ada).post("/api/v1/wallet/fund", {"amount": "1.00"}, format="json")
        assert response.json()["code"] == "idempotency_key_missing"
        assert fund(api()).status_code == 401

    def test_a_currency_without_a_wallet_is_404(self, api: Clients, ada: User) -> None:
        assert fund(api(ada), currency="USD").status_code == 404
        assert PaymentIntent.objects.count() == 0


class TestIntent:
    def test_simulating_success_pays_it(self, api: Clients, ada: User, vendor: Merchant) -> None:
        intent = started_intent(ada)
        path = f"/api/v1/payments/intents/{intent.pk}"
        response = api(ada).post(f"{path}/simulate", {"outcome": "success"}, format="json")
        body = response.json()
        assert (response.status_code, body["status"], body["is_final"]) == (200, "succeeded", True)
        assert (body["next_poll_at"], str(main_wallet(ada).balance)) == (None, "2500.0000")
        assert api(ada).get(f"/api/v1/transactions/{body['transaction_id']}").json()["type"] == "funding"
        again = api(ada).post(f"{path}/simulate", {"outcome": "success"}, format="json")
        assert again.json()["status"] == "succeeded"
        assert api(ada).post(f"{path}/cancel").json()["code"] == "intent_already_paid"

    @pytest.mark.parametrize(("outcome", "status"), [("failed", "failed"), ("abandoned", "pending")])
    def test_simulating_no_success(
        self, api: Clients, ada: User, vendor: Merchant, outcome: str, status: str
    ) -> None:
        path = f"/api/v1/payments/intents/{started_intent(ada).pk}/simulate"
        body = api(ada).post(path, {"outcome": outcome}, format="json").json()
        assert (body["status"], body["is_final"]) == (status, False)
        assert main_wallet(ada).balance == 0

    @pytest.mark.parametrize("where", ["live", "production"])
    def test_simulation_is_not_there_but_in_the_sandbox(
        self, api: Clients, ada: User, vendor: Merchant, settings: Settings, where: str
    ) -> None:
        intent = started_intent(ada)
        if where == "live":
            settings.PAYSTACK_BASE_URL = "https://api.paystack.co"
        else:
            settings.PRODUCTION = True
        path = f"/api/v1/payments/intents/{intent.pk}/simulate"
        assert api(ada).post(path, {"outcome": "success"}, format="json").status_code == 404

    def test_verify_credits_and_cancel_cancels(self, api: Clients, ada: User, vendor: Merchant) -> None:
        paid, unpaid = started_intent(ada), started_intent(ada)
        pay(vendor, paid)
        assert api(ada).post(f"/api/v1/payments/intents/{paid.pk}/verify").json()["status"] == "succeeded"
        for _ in range(2):
            answer = api(ada).post(f"/api/v1/payments/intents/{unpaid.pk}/cancel")
            assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")

    @pytest.mark.parametrize("action", ["verify", "cancel"])
    def test_a_silent_gateway_is_503_and_changes_nothing(
        self, api: Clients, ada: User, vendor: Merchant, action: str
    ) -> None:
        intent = started_intent(ada)
        vendor.fault("paystack", "verify", "garbage")
        response = api(ada).post(f"/api/v1/payments/intents/{intent.pk}/{action}")
        assert (response.status_code, response.json()["code"]) == (503, "gateway_unavailable")
        assert response["Retry-After"] == "5"
        intent.refresh_from_db()
        assert intent.status == "pending"

    def test_somebody_elses_intent_is_not_there(self, api: Clients, ada: User, vendor: Merchant) -> None:
        intent, stranger = started_intent(ada), UserFactory()
        for method, suffix in (("get", ""), ("post", "/verify"), ("post", "/cancel"), ("post", "/simulate")):
            call = getattr(api(stranger), method)
            answers = [
                call(f"/api/v1/payments/intents/{pk}{suffix}", {"outcome": "success"}, format="json")
                if suffix == "/simulate"
                else call(f"/api/v1/payments/intents/{pk}{suffix}")
                for pk in (intent.pk, uuid4())
            ]
            assert [answer.status_code for answer in answers] == [404, 404]
            assert {answer.json()["code"] for answer in answers} == {"not_found"}
        assert api(stranger).get("/api/v1/payments/intents").json()["results"] == []

    def test_lists_newest_first_and_filters(self, api: Clients, ada: User, vendor: Merchant) -> None:
        first, second = started_intent(ada), started_intent(ada)
        api(ada).post(f"/api/v1/payments/intents/{first.pk}/cancel")

        def listed(query: str = "") -> list[str]:
            return [row["id"] for row in api(ada).get(f"/api/v1/payments/intents{query}").json()["results"]]

        assert listed() == [str(second.pk), str(first.pk)]
        assert listed("?status=cancelled") == [str(first.pk)]
        assert listed(f"?reference={second.reference}&currency=NGN") == [str(second.pk)]
        assert listed("?created_before=2020-01-01T00:00:00Z") == []
        refusal = api(ada).get("/api/v1/payments/intents?colour=red").json()
        assert refusal["errors"][0]["code"] == "unknown_parameter"
