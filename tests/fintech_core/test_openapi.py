"""The OpenAPI document says what is sent: real answers of every kind of route, held to it."""

from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings

from tests.billers import bench
from tests.described import check_described, described, document
from tests.factories import StaffFactory, UserFactory
from tests.payments.gateways import new_intent
from tests.transactions.money import PIN, fund, main_wallet, with_pin
from tests.transactions.story import cashback_draft, happened
from tests.transactions.test_undoing_by_two import fifty_alone, sent
from tests.users.people import sign_up
from transactions.drafts import Post
from users.models import User

pytestmark = pytest.mark.django_db
__all__ = ["fifty_alone"]
NEEDED = {"at": "2026-11-22T12:00:00Z", "from": "2026-11-01", "to": "2026-11-02"}


def routes_without_ids() -> list[str]:
    """Return every path that is read and names no object."""
    return [path for path, item in document()["paths"].items() if "get" in item and "{" not in path]


@pytest.fixture(autouse=True)
def _unlimited(settings: Settings) -> None:
    settings.RATE_LIMITS = False


@pytest.fixture
def ada() -> User:
    """A customer with money, cashback, a bill, a funding under way, and messages."""
    user = with_pin(UserFactory())
    fund(user, "20000.00")
    happened(Post(cashback_draft(user, "50.00")))
    bench.new_payment(user, amount="500.00")
    new_intent(user)
    return user


class TestReading:
    @pytest.mark.parametrize("path", routes_without_ids())
    def test_a_route_without_an_id_answers_as_described(self, ada: User, path: str) -> None:
        client = described(StaffFactory(is_superuser=True) if "/admin/" in path else ada)
        parameters = document()["paths"][path]["get"].get("parameters", ())
        required = [one["name"] for one in parameters if one.get("required")]
        query = {"to": ada.email} if "/sandbox/" in path else {name: NEEDED[name] for name in required}
        answer = client.get(path, query)
        assert answer.status_code in {200, 404}, answer.content
        assert answer.status_code == 200 or path.endswith("/kyc")

    @pytest.mark.parametrize("path", ["/transactions", "/wallets", "/notifications", "/transactions/history"])
    def test_the_first_page_and_the_last_have_a_link_that_leads_nowhere(self, ada: User, path: str) -> None:
        client = described(ada)
        first = client.get(f"/api/v1{path}", {"page_size": 1}).json()
        assert first["previous"] is None
        after = first
        while after["next"]:
            after = client.get(after["next"]).json()
        assert after["next"] is None

    def test_objects_are_as_described(self, ada: User) -> None:
        client = described(ada)
        for listed, shown in (
            ("/transactions", "/transactions/{}"), ("/transactions", "/transactions/{}/entries"),
            ("/bills/payments", "/bills/payments/{}"), ("/payments/intents", "/payments/intents/{}"),
            ("/wallets", "/wallets/{}"),
        ):  # fmt: skip
            rows = client.get(f"/api/v1{listed}").json()["results"]
            assert rows, listed
            for row in rows:
                assert client.get(f"/api/v1{shown.format(row['id'])}").status_code == 200

    def test_a_wallet_that_has_not_changed_is_304(self, ada: User) -> None:
        client = described(ada)
        for path in ("/wallet", "/wallet/balance", f"/wallets/{main_wallet(ada).pk}", "/notifications"):
            seen = client.get(f"/api/v1{path}")["ETag"]
            assert client.get(f"/api/v1{path}", headers={"If-None-Match": seen}).status_code == 304

    def test_receipts_of_what_was_and_of_what_never_was(self, ada: User) -> None:
        client, movement = described(ada), fund(ada, "5.00")
        receipt = client.get(f"/api/v1/transactions/{movement.pk}/receipt").json()
        code = receipt["verify_url"].rpartition("/")[2]
        assert described().get(f"/api/v1/receipts/{code}").json()["result"] == "real"
        unknown = described().get("/api/v1/receipts/AAAA-AAAA-AAAA").json()
        assert (unknown["result"], unknown["type"]) == ("not_real", None)


class TestWriting:
    def test_signing_up_and_in(self) -> None:
        client = described()
        body = sign_up()
        made = client.post("/api/v1/auth/register", body, format="json")
        assert (made.status_code, made.json()["user"]["kyc_status"]) == (201, "none")
        again = {"email": body["email"], "password": body["password"]}
        entered = client.post("/api/v1/auth/login", again, format="json").json()
        renewed = client.post("/api/v1/auth/refresh", {"refresh": entered["refresh"]}, format="json").json()
        ended = client.post("/api/v1/auth/logout", {"refresh": renewed["refresh"]}, format="json")
        assert ended.status_code == 204

    @pytest.mark.parametrize("query", ["", "?dry_run=true"])
    def test_sending_money(self, ada: User, query: str) -> None:
        client, chidi = described(ada), UserFactory()
        for path, body in (
            ("/transactions/transfer", {"to": chidi.email, "amount": "1.00"}),
            ("/transactions/transfer/bulk", {"items": [{"to": chidi.email, "amount": "1.00"}]}),
            ("/cashback/redeem", {"amount": "10.00"}),
        ):
            pin = {} if path.startswith("/cashback") else {"pin": PIN}
            answer = client.post(
                f"/api/v1{path}{query}",
                {**body, **pin},
                format="json",
                headers={"Idempotency-Key": str(uuid4())},
            )
            assert answer.status_code == (200 if query else 201), answer.content

    @pytest.mark.usefixtures("fifty_alone")
    @pytest.mark.parametrize("verb", ["reverse", "refund"])
    def test_what_needs_a_second_person(self, verb: str) -> None:
        maker, checker = (described(StaffFactory(is_superuser=True)) for _ in range(2))
        path = f"/api/v1/admin/transactions/{sent().pk}/{verb}"
        body = {"reason": "sent in error"}
        tried = maker.post(f"{path}?dry_run=true", body, format="json")
        assert (tried.status_code, tried.json()["approval_id"]) == (200, None)
        made = maker.post(path, body, format="json", headers={"Idempotency-Key": "k"})
        assert made.status_code == 202
        waiting = f"/api/v1/admin/approvals/{made.json()['approval_id']}"
        assert maker.get(waiting).json()["direction"] is None
        assert checker.post(f"{waiting}/approve?dry_run=true", {}, format="json").status_code == 200
        assert checker.post(f"{waiting}/approve", {}, format="json").status_code == 200

    def test_a_correction(self, ada: User) -> None:
        maker, checker = (described(StaffFactory(is_superuser=True)) for _ in range(2))
        body = {
            "wallet": str(main_wallet(ada).pk), "direction": "debit", "amount": "3.00", "reason": "Case 1",
        }  # fmt: skip
        path = "/api/v1/admin/adjustments"
        assert maker.post(f"{path}?dry_run=true", body, format="json").status_code == 200
        made = maker.post(path, body, format="json", headers={"Idempotency-Key": "k"}).json()
        waiting = f"/api/v1/admin/approvals/{made['approval_id']}"
        assert maker.get(waiting).json()["direction"] == "debit"
        assert checker.post(f"{waiting}/reject", {"reason": "not so"}, format="json").status_code == 200


class TestRefusing:
    def test_every_refusal_is_the_described_problem(self, ada: User) -> None:
        client, nobody = described(ada), described()
        transfer, key = "/api/v1/transactions/transfer", {"Idempotency-Key": "k"}
        rich = {"to": UserFactory().email, "amount": "40000.00", "pin": PIN}
        found = [
            nobody.get("/api/v1/wallet"),
            nobody.post("/api/v1/auth/login", {"email": "a@example.com", "password": "x"}, format="json"),
            client.get(f"/api/v1/transactions/{uuid4()}"),
            client.get("/api/v1/transactions", {"nonsense": "1"}),
            client.get("/api/v1/admin/approvals"),
            client.post(transfer, {"to": "x", "amount": 1}, format="json", headers=key),
            client.post(transfer, rich, format="json"),
            client.post(transfer, rich, format="json", headers=key),
            client.post(f"{transfer}?dry_run=true", rich, format="json"),
        ]
        assert [answer.status_code for answer in found] == [401, 401, 404, 400, 403, 400, 400, 422, 422]

    def test_an_answer_that_is_not_as_described_is_noticed(self, api: Any, ada: User) -> None:
        for change in ({"balance": 5}, {"as_of": None}, {"added": "x"}):
            answer = api(ada).get("/api/v1/wallet")
            told = {**answer.json(), **change}
            answer.json = lambda told=told: told
            with pytest.raises(AssertionError):
                check_described(answer)
