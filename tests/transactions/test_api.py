"""The ledger's routes, in process."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.db import transaction as db
from rest_framework.test import APIClient

from fintech_core import clock
from tests.factories import UserFactory
from tests.transactions.money import PIN, fund, main_wallet, with_pin
from transactions.services import TransactionService
from users.models import User

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]


@pytest.fixture
def ada() -> User:
    """A sender with 100.00 and a PIN."""
    user = with_pin(UserFactory())
    fund(user, "100.00")
    return user


def transfer(client: APIClient, body: dict, key: str | None = None) -> object:
    headers = {"Idempotency-Key": key or str(uuid4())}
    return client.post("/api/v1/transactions/transfer", {"pin": PIN, **body}, format="json", headers=headers)


class TestTransfer:
    def test_answers_with_every_field(self, api: Api, ada: User) -> None:
        chidi = UserFactory(first_name="Chidi", last_name="Okafor")
        answer = transfer(
            api(ada), {"to": chidi.email, "amount": "40.00", "description": "rent", "metadata": {"a": "b"}}
        )
        assert answer.status_code == 201, answer.content
        body = answer.json()
        assert (body["amount"], body["fee"], body["total"], body["direction"]) == (
            "40.00",
            "0.00",
            "40.00",
            "out",
        )
        assert body["counterparty"] == {"name": "Chidi O."}
        assert (body["is_final"], body["failure"], body["refunds"], body["metadata"]) == (
            True,
            None,
            [],
            {"a": "b"},
        )
        seen = api(chidi).get(f"/api/v1/transactions/{body['id']}").json()
        assert (seen["direction"], seen["metadata"]) == ("in", {})

    def test_6_04_same_key_same_body_answers_the_same_without_a_pin(self, api: Api, ada: User) -> None:
        chidi = UserFactory()
        first = transfer(api(ada), {"to": chidi.email, "amount": "40.00"}, key="k-1")
        again = api(ada).post(
            "/api/v1/transactions/transfer", {"to": chidi.email, "amount": "40.00"}, format="json",
            headers={"Idempotency-Key": "k-1"},
        )  # fmt: skip
        assert again.json() == first.json()
        assert again.headers["Idempotent-Replayed"] == "true"
        assert main_wallet(ada).balance == 60

    def test_6_04_null_and_left_out_are_the_same_request(self, api: Api, ada: User) -> None:
        body = {"to": UserFactory().email, "amount": "40.00"}
        first = transfer(api(ada), body, key="k-1")
        nulls = {"currency": None, "description": None, "metadata": None, "pin": None}
        again = transfer(api(ada), {**body, **nulls}, key="k-1")
        assert (again.status_code, again.json()) == (201, first.json())
        assert main_wallet(ada).balance == 60

    def test_6_04_same_key_other_body_is_refused(self, api: Api, ada: User) -> None:
        chidi = UserFactory()
        transfer(api(ada), {"to": chidi.email, "amount": "40.00"}, key="k-1")
        other = transfer(api(ada), {"to": chidi.email, "amount": "41.00"}, key="k-1")
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert main_wallet(ada).balance == 60

    def test_a_rule_refusal_is_stored_and_replayed(self, api: Api, ada: User) -> None:
        chidi = UserFactory()
        first = transfer(api(ada), {"to": chidi.email, "amount": "100.01"}, key="k-2")
        assert (first.status_code, first.json()["code"]) == (422, "insufficient_funds")
        fund(ada, "50.00")
        again = transfer(api(ada), {"to": chidi.email, "amount": "100.01"}, key="k-2")
        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (422, "true")
        assert main_wallet(ada).balance == 150

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            ({"amount": 40}, 400, "invalid_amount"),
            ({"amount": "1e2"}, 400, "invalid_amount"),
            ({"amount": "1.005"}, 400, "invalid_amount"),
            ({"amount": "-1"}, 400, "invalid_amount"),
            ({"amount": "٣"}, 400, "invalid_amount"),
            ({"currency": "ngn"}, 400, "invalid_currency"),
            ({"currency": "XXX"}, 400, "invalid_currency"),
            ({"is_staff": True}, 400, "unknown_field"),
            ({"to": "not a person"}, 400, "invalid_recipient"),
            ({"to": "nobody@example.com"}, 404, "recipient_not_found"),
            ({"currency": "USD"}, 404, "not_found"),
            ({"pin": "9999"}, 403, "invalid_pin"),
            ({"pin": None}, 403, "pin_required"),
        ],
    )
    def test_bad_input_changes_nothing(
        self, api: Api, ada: User, change: dict, status: int, code: str
    ) -> None:
        chidi = UserFactory()
        answer = transfer(api(ada), {"to": chidi.email, "amount": "1.00", **change})
        body = answer.json()
        codes = {body["code"], *(error["code"] for error in body.get("errors", []))}
        assert answer.status_code == status, body
        assert code in codes
        assert (main_wallet(ada).balance, main_wallet(chidi).balance) == (100, 0)

    def test_without_a_key_is_refused(self, api: Api, ada: User) -> None:
        answer = api(ada).post(
            "/api/v1/transactions/transfer",
            {"to": "a@example.com", "amount": "1.00", "pin": PIN},
            format="json",
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")


class TestReading:
    def test_1_01_another_persons_wallet_and_transaction_are_not_found(self, api: Api, ada: User) -> None:
        bola = UserFactory()
        sent = transfer(api(ada), {"to": UserFactory().email, "amount": "1.00"}).json()
        for path in (f"/api/v1/wallets/{main_wallet(ada).pk}", f"/api/v1/transactions/{sent['id']}"):
            answer = api(bola).get(path)
            random = api(bola).get(path.rsplit("/", 1)[0] + f"/{uuid4()}")
            assert (answer.status_code, random.status_code) == (404, 404)
            assert {**answer.json(), "request_id": 0} == {**random.json(), "request_id": 0}

    def test_1_07_foreign_filters_are_unknown(self, api: Api, ada: User) -> None:
        for query in ("wallet=1", "user_id=2", "status=nonsense", "page_size=101"):
            assert api(ada).get(f"/api/v1/transactions?{query}").status_code == 400

    def test_entries_add_up_and_mask_the_other_side(self, api: Api, ada: User) -> None:
        chidi = UserFactory(first_name="Chidi", last_name="Okafor")
        sent = transfer(api(ada), {"to": chidi.email, "amount": "40.00"}).json()
        lines = api(ada).get(f"/api/v1/transactions/{sent['id']}/entries").json()["results"]
        assert lines == [
            {"account": "wallet:main", "direction": "debit", "amount": "40.00", "currency": "NGN",
             "balance_after": "60.00"},
            {"account": "wallet:Chidi O.", "direction": "credit", "amount": "40.00", "currency": "NGN",
             "balance_after": None},
        ]  # fmt: skip

    def test_history_runs_backwards(self, api: Api, ada: User) -> None:
        transfer(api(ada), {"to": UserFactory().email, "amount": "40.00"})
        lines = api(ada).get("/api/v1/transactions/history?currency=NGN").json()["results"]
        assert [(line["direction"], line["balance_after"]) for line in lines] == [
            ("out", "60.00"),
            ("in", "100.00"),
        ]

    def test_limits_show_used_and_left(self, api: Api, ada: User) -> None:
        transfer(api(ada), {"to": UserFactory().email, "amount": "40.00"})
        daily = api(ada).get("/api/v1/limits").json()["NGN"]["daily"]
        assert (daily["limit"], daily["used"], daily["remaining"]) == ("50000.00", "40.00", "49960.00")
        assert daily["resets_at"].endswith("Z")

    def test_wallet_has_an_entity_tag(self, api: Api, ada: User) -> None:
        first = api(ada).get("/api/v1/wallet")
        assert first.json()["available"] == "100.00"
        again = api(ada).get(
            "/api/v1/wallet/balance?currency=NGN", headers={"If-None-Match": first.headers["ETag"]}
        )
        assert again.status_code == 304

    def test_wallets_are_listed_newest_first(self, api: Api, ada: User) -> None:
        for currency in ("USD", "JPY"):
            api(ada).post("/api/v1/wallets", {"currency": currency}, format="json")
        listed = api(ada).get("/api/v1/wallets").json()["results"]
        assert [wallet["currency"] for wallet in listed] == ["JPY", "USD", "NGN"]

    def test_a_second_wallet_of_a_currency_is_refused(self, api: Api, ada: User) -> None:
        assert api(ada).post("/api/v1/wallets", {"currency": "USD"}, format="json").status_code == 201
        again = api(ada).post("/api/v1/wallets", {"currency": "USD"}, format="json")
        assert (again.status_code, again.json()["code"]) == (409, "wallet_exists")


class TestStaff:
    def test_5_01_customers_may_not(self, api: Api, ada: User) -> None:
        wallet = main_wallet(ada)
        answer = api(ada).post(
            f"/api/v1/admin/wallets/{wallet.pk}/freeze", {"reason": "because"}, format="json"
        )
        assert answer.status_code == 403
        assert main_wallet(ada).status == "active"

    def test_reverses_once_with_a_reason(self, api: Api, ada: User) -> None:
        staff = UserFactory(is_staff=True, is_superuser=True)
        sent = transfer(api(ada), {"to": UserFactory().email, "amount": "40.00"}).json()
        path = f"/api/v1/admin/transactions/{sent['id']}/reverse"
        first = api(staff).post(
            path, {"reason": "sent in error"}, format="json", headers={"Idempotency-Key": "r1"}
        )
        again = api(staff).post(
            path, {"reason": "sent in error"}, format="json", headers={"Idempotency-Key": "r2"}
        )
        assert (first.status_code, again.status_code, again.json()["code"]) == (201, 409, "already_reversed")
        assert main_wallet(ada).balance == 100
        assert api(ada).get(f"/api/v1/transactions/{sent['id']}").json()["reversed_by"] == first.json()["id"]


class TestRefund:
    """Staff give a part back over HTTP."""

    @staticmethod
    def ask(client: APIClient, transaction_id: str, query: str = "", **body: object) -> Any:
        return client.post(
            f"/api/v1/admin/transactions/{transaction_id}/refund{query}", {"reason": "goods came back", **body},
            format="json", headers={"Idempotency-Key": str(uuid4())},
        )  # fmt: skip

    def test_gives_a_part_and_then_the_rest(self, api: Api, ada: User) -> None:
        staff = api(UserFactory(is_staff=True, is_superuser=True))
        sent = transfer(api(ada), {"to": UserFactory().email, "amount": "40.00"}).json()
        part = self.ask(staff, sent["id"], amount="15.00")
        assert (part.status_code, part.json()["type"], part.json()["amount"]) == (201, "refund", "15.00")
        rest = self.ask(staff, sent["id"])
        assert rest.json()["amount"] == "25.00"
        assert main_wallet(ada).balance == 100
        shown = api(ada).get(f"/api/v1/transactions/{sent['id']}").json()
        assert sorted(shown["refunds"]) == sorted([part.json()["id"], rest.json()["id"]])
        more = self.ask(staff, sent["id"], amount="0.01")
        assert (more.status_code, more.json()["code"], more.json()["remaining"]) == (
            422, "refund_exceeds_amount", "0.00",
        )  # fmt: skip

    def test_a_dry_run_shows_it_and_keeps_nothing(self, api: Api, ada: User) -> None:
        staff = api(UserFactory(is_staff=True, is_superuser=True))
        sent = transfer(api(ada), {"to": UserFactory().email, "amount": "40.00"}).json()
        tried = self.ask(staff, sent["id"], "?dry_run=true", amount="15.00")
        assert (tried.status_code, tried.json()["dry_run"], tried.json()["amount"]) == (200, True, "15.00")
        assert main_wallet(ada).balance == 60

    def test_a_shortfall_needs_a_permission_of_its_own(self, api: Api, ada: User) -> None:
        chidi = UserFactory()
        sent = transfer(api(ada), {"to": chidi.email, "amount": "40.00"}).json()
        with db.atomic():
            TransactionService.transfer_money(
                sender=main_wallet(chidi),
                recipient=main_wallet(UserFactory()),
                amount=Decimal(30),
                now=clock.now(),
            )
        clerk = UserFactory(is_staff=True)
        clerk.user_permissions.add(Permission.objects.get(codename="refund_transaction"))
        spent = self.ask(api(clerk), sent["id"])
        assert (spent.status_code, spent.json()["code"]) == (422, "insufficient_funds")
        refused = self.ask(api(clerk), sent["id"], book_shortfall=True)
        assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
        assert main_wallet(ada).balance == 60
        clerk.user_permissions.add(Permission.objects.get(codename="book_shortfall"))
        booked = self.ask(api(User.objects.get(pk=clerk.pk)), sent["id"], book_shortfall=True)
        assert booked.status_code == 201
        assert (main_wallet(ada).balance, main_wallet(chidi).balance) == (100, 0)

    @pytest.mark.parametrize("permission", [None, "reverse_transaction", "book_shortfall"])
    def test_5_01_nobody_else_may(self, api: Api, ada: User, permission: str | None) -> None:
        sent = transfer(api(ada), {"to": UserFactory().email, "amount": "40.00"}).json()
        other = UserFactory(is_staff=permission is not None)
        if permission:
            other.user_permissions.add(Permission.objects.get(codename=permission))
        assert self.ask(api(other), sent["id"]).status_code == 403
        assert main_wallet(ada).balance == 60

    @pytest.mark.parametrize(
        "body", [{"amount": 15}, {"amount": "0.001"}, {"amount": "-1"}, {"reason": ""}, {"currency": "NGN"}]
    )
    def test_a_bad_body_is_400_and_changes_nothing(
        self, api: Api, ada: User, body: dict[str, object]
    ) -> None:
        staff = api(UserFactory(is_staff=True, is_superuser=True))
        sent = transfer(api(ada), {"to": UserFactory().email, "amount": "40.00"}).json()
        assert self.ask(staff, sent["id"], **body).status_code == 400
        assert self.ask(staff, str(uuid4())).status_code == 404
        assert main_wallet(ada).balance == 60
