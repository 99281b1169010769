"""``?dry_run=true``: the real work, told and undone. Commits are real here, and every table is compared whole."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from django.db import connection
from pytest_django import Settings
from rest_framework.response import Response
from rest_framework.test import APIClient

from fintech_core import circuit, clock, dry_run, lua
from fintech_core.api import LOOKUPS, ApiViewSet
from fintech_core.idempotency import Answer
from tests.described import check_described
from tests.factories import ManagerFactory, StaffFactory, UserFactory
from tests.flows.abuse.routes import money_posts
from tests.transactions.money import PIN, fund, main_wallet, with_pin
from tests.transactions.story import cashback_draft, happened, keep_apart, transfer_draft
from transactions.drafts import Post
from transactions.enums import Direction
from transactions.models import Transaction
from transactions.services.adjustments import request_adjustment
from transactions.services.conversions import quote_conversion
from users.models import User
from wallet.services import freeze_wallet, open_wallet

pytestmark = pytest.mark.usefixtures("committed_db")
Api = Callable[..., APIClient]


@pytest.fixture
def ada(settings: Settings) -> User:
    """A sender with 20,000.00, cashback of 50.00 and a PIN."""
    settings.RATE_LIMITS = False
    user = with_pin(UserFactory())
    fund(user, "20000.00")
    happened(Post(cashback_draft(user, "50.00")))
    return user


def everything() -> dict[str, str]:
    """Return a digest of every row of every table."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        digests = {}
        for table in tables:
            name = connection.ops.quote_name(table)
            cursor.execute(
                f"SELECT coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') FROM {name} t"
            )
            digests[table] = cursor.fetchone()[0]
    return digests


def post(client: APIClient, path: str, body: dict[str, Any], **headers: str) -> Response:
    return client.post(f"/api/v1{path}", body, format="json", headers=headers)


def bill(**changes: Any) -> dict[str, Any]:
    facts = {
        "biller": "ikeja-electric",
        "product": "prepaid",
        "customer_id": "1111111111111",
        "amount": "1000.00",
    }
    return {**facts, **changes}


def requests_of(ada: User, chidi: User) -> dict[str, dict[str, Any]]:
    """Return a good body for each money POST of a customer, by its path as the URL map has it."""
    open_wallet(user=ada, currency="USD")
    quote = quote_conversion(
        user=ada, from_currency="NGN", to_currency="USD", amount=Decimal(1_000), now=clock.now()
    )
    return {
        "/transactions/transfer": {"to": chidi.email, "amount": "40.00"},
        "/transactions/transfer/bulk": {"items": [{"to": chidi.email, "amount": "40.00"}]},
        "/wallet/convert": {"quote_id": str(quote.pk)},
        "/wallet/fund": {"amount": "1000.00"},
        "/payments/intents": {"amount": "1000.00"},
        "/bills/pay": bill(),
        "/payments/pay-bill": bill(),
        "/cashback/redeem": {"amount": "10.00"},
    }


def staff_requests(ada: User, chidi: User) -> dict[str, tuple[UUID | None, dict[str, Any]]]:
    """Return the object and a good body for each money POST of staff, by its path as the URL map has it."""
    sent = happened(Post(transfer_draft(main_wallet(ada), main_wallet(chidi), "40.00")))
    wallet = main_wallet(ada)
    asked = request_adjustment(
        wallet=wallet, direction=Direction.DEBIT, amount=Decimal(30), effective_at=None, reason="Case 1",
        maker=ManagerFactory(), now=clock.now(),
    )  # fmt: skip
    return {
        "/admin/adjustments": (
            None,
            {"wallet": str(wallet.pk), "direction": "debit", "amount": "30.00", "reason": "Case 2"},
        ),
        "/admin/approvals/{pk}/approve": (asked.pk, {}),
        "/admin/transactions/{pk}/refund": (sent.pk, {"amount": "15.00", "reason": "sent in error"}),
        "/admin/transactions/{pk}/reverse": (sent.pk, {"reason": "sent in error"}),
    }


class TestEveryMoneyPost:
    def test_answers_200_without_key_and_pin_and_keeps_nothing(self, api: Api, ada: User) -> None:
        chidi, customer, staff = UserFactory(), api(ada), api(StaffFactory(is_superuser=True))
        of_staff, of_customers = staff_requests(ada, chidi), requests_of(ada, chidi)
        assert money_posts() == of_customers.keys() | of_staff.keys()
        requests = [(customer, path, body) for path, body in of_customers.items()]
        requests += [(staff, path.replace("{pk}", str(pk)), body) for path, (pk, body) in of_staff.items()]
        for client, path, body in requests:
            before = everything()
            answer = post(client, f"{path}?dry_run=true", body)
            assert answer.status_code == 200, (path, answer.content)
            assert answer.json()["dry_run"] is True
            check_described(answer)
            assert everything() == before, path

    def test_staff_see_the_wallets_of_whom_it_concerns(self, api: Api, ada: User) -> None:
        chidi, staff = UserFactory(), api(StaffFactory(is_superuser=True))
        requests = staff_requests(ada, chidi)
        adas, chidis = str(main_wallet(ada).pk), str(main_wallet(chidi).pk)
        for path, left in (
            ("/admin/adjustments", {adas: "19960.00"}),
            ("/admin/approvals/{pk}/approve", {adas: "19930.00"}),
            ("/admin/transactions/{pk}/refund", {adas: "19975.00", chidis: "25.00"}),
            ("/admin/transactions/{pk}/reverse", {adas: "20000.00", chidis: "0.00"}),
        ):
            pk, body = requests[path]
            told = post(staff, f"{path.replace('{pk}', str(pk))}?dry_run=true", body).json()
            main = {
                row["wallet_id"]: row["balance"] for row in told["balances_after"] if row["kind"] == "main"
            }
            assert main == left, path

    def test_what_concerns_nobody_shows_no_wallet(self, api: Api, ada: User) -> None:
        apart = keep_apart()
        staff = StaffFactory(is_superuser=True)
        path = f"/admin/transactions/{apart.pk}/reverse?dry_run=true"
        told = post(api(staff), path, {"reason": "sent in error"})
        assert (told.status_code, told.json()["balances_after"]) == (200, [])

    def test_an_approval_that_would_be_refused_says_so(self, api: Api, ada: User) -> None:
        chidi, staff = UserFactory(), api(StaffFactory(is_superuser=True))
        pk, _ = staff_requests(ada, chidi)["/admin/approvals/{pk}/approve"]
        happened(Post(transfer_draft(main_wallet(ada), main_wallet(chidi), "19940.00")))
        before = everything()
        answer = post(staff, f"/admin/approvals/{pk}/approve?dry_run=true", {})
        assert (answer.status_code, answer.json()["code"], answer.json()["dry_run"]) == (
            422,
            "insufficient_funds",
            True,
        )
        assert everything() == before

    def test_tells_what_the_real_one_then_does(self, api: Api, ada: User) -> None:
        chidi, client = UserFactory(), api(ada)
        body = {"to": chidi.email, "amount": "40.00", "description": "rent"}
        tried = post(client, "/transactions/transfer?dry_run=true", body).json()
        real = post(client, "/transactions/transfer", {**body, "pin": PIN}, **{"Idempotency-Key": "k"}).json()
        assert tried.pop("dry_run") is True
        after = {wallet["kind"]: wallet["available"] for wallet in tried.pop("balances_after")}
        assert after == {"main": "19960.00", "cashback": "50.00"}
        own = {"id", "reference", "created_at", "completed_at"}
        assert {name: tried[name] for name in tried.keys() - own} == {
            name: real[name] for name in real.keys() - own
        }
        assert f"{main_wallet(ada).balance:.2f}" == after["main"]

    def test_a_bill_shows_fee_and_what_is_held(self, api: Api, ada: User) -> None:
        tried = post(api(ada), "/bills/pay?dry_run=true", bill()).json()
        assert (tried["amount"], tried["dry_run"]) == ("1000.00", True)
        main = next(wallet for wallet in tried["balances_after"] if wallet["kind"] == "main")
        assert (main["balance"], main["held"]) == ("20000.00", tried["total"])


class TestPin:
    @pytest.mark.parametrize("pin", [{}, {"pin": "0000"}, {"pin": PIN}])
    def test_is_neither_needed_nor_looked_at(self, api: Api, ada: User, pin: dict[str, str]) -> None:
        chidi, before = UserFactory(), everything()
        before = everything()
        for _ in range(6):
            body = {"to": chidi.email, "amount": "1.00", **pin}
            assert post(api(ada), "/transactions/transfer?dry_run=true", body).status_code == 200
        assert everything() == before


class TestKey:
    @pytest.mark.parametrize("key", ["k-1", "", "not visible: é", "x" * 300])
    def test_is_ignored_whatever_it_is(self, api: Api, ada: User, key: str) -> None:
        chidi = UserFactory()
        body = {"to": chidi.email, "amount": "1.00"}
        before = everything()
        answer = post(api(ada), "/transactions/transfer?dry_run=true", body, **{"Idempotency-Key": key})
        assert (answer.status_code, "Idempotent-Replayed" in answer.headers) == (200, False)
        assert everything() == before

    def test_a_used_key_neither_replays_nor_clashes(self, api: Api, ada: User) -> None:
        chidi, client = UserFactory(), api(ada)
        key = {"Idempotency-Key": "k-1"}
        real = post(
            client, "/transactions/transfer", {"to": chidi.email, "amount": "1.00", "pin": PIN}, **key
        )
        before = everything()
        tried = post(
            client, "/transactions/transfer?dry_run=true", {"to": chidi.email, "amount": "2.00"}, **key
        )
        assert (tried.status_code, tried.json()["amount"]) == (200, "2.00")
        assert tried.json()["id"] != real.json()["id"]
        assert everything() == before


class TestRefusals:
    def test_are_those_of_the_real_one_and_say_dry_run(self, api: Api, ada: User) -> None:
        chidi, client = UserFactory(), api(ada)
        cases: list[tuple[str, dict[str, Any], int, str]] = [
            ("/transactions/transfer", {"to": chidi.email, "amount": "20000.01"}, 422, "insufficient_funds"),
            ("/transactions/transfer", {"to": chidi.email, "amount": "50000.01"}, 422, "insufficient_funds"),
            ("/transactions/transfer", {"to": ada.email, "amount": "1.00"}, 422, "same_wallet"),
            (
                "/transactions/transfer",
                {"to": "nobody@example.com", "amount": "1.00"},
                404,
                "recipient_not_found",
            ),
            ("/transactions/transfer", {"to": chidi.email, "amount": 1}, 400, "validation_error"),
            ("/cashback/redeem", {"amount": "50.01"}, 422, "insufficient_funds"),
            ("/bills/pay", bill(amount="0.01"), 422, "amount_not_allowed"),
        ]
        before = everything()
        for path, body, status, code in cases:
            answer = post(client, f"{path}?dry_run=true", body)
            told = answer.json()
            assert (answer.status_code, told["code"], told["dry_run"]) == (status, code, True), told
            assert answer.headers["Content-Type"] == "application/problem+json"
        assert everything() == before

    def test_a_frozen_wallet_is_refused_alike(self, api: Api, ada: User) -> None:
        freeze_wallet(wallet_id=main_wallet(ada).pk, actor=StaffFactory(), reason="fraud alert")
        chidi, before = UserFactory(), everything()
        before = everything()
        answer = post(api(ada), "/transactions/transfer?dry_run=true", {"to": chidi.email, "amount": "1.00"})
        assert (answer.status_code, answer.json()["code"], answer.json()["dry_run"]) == (
            403,
            "wallet_frozen",
            True,
        )
        assert everything() == before

    def test_without_signing_in_nothing_is_tried(self, api: Api, ada: User) -> None:
        answer = post(api(), "/transactions/transfer?dry_run=true", {"to": ada.email, "amount": "1.00"})
        assert (answer.status_code, answer.json()["dry_run"]) == (401, True)


class TestParameter:
    @pytest.mark.parametrize("value", ["TRUE", "1", "", "yes", " true", "true&dry_run=false"])
    def test_anything_else_than_true_and_false_is_refused(self, api: Api, ada: User, value: str) -> None:
        chidi, before = UserFactory(), Transaction.objects.count()
        body = {"to": chidi.email, "amount": "1.00", "pin": PIN}
        path = f"/transactions/transfer?dry_run={value}"
        answer = post(api(ada), path, body, **{"Idempotency-Key": str(uuid4())})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "dry_run")
        assert Transaction.objects.count() == before

    def test_false_is_the_real_thing(self, api: Api, ada: User) -> None:
        chidi = UserFactory()
        body = {"to": chidi.email, "amount": "1.00", "pin": PIN}
        answer = post(api(ada), "/transactions/transfer?dry_run=false", body, **{"Idempotency-Key": "k"})
        assert (answer.status_code, "dry_run" in answer.json()) == (201, False)
        assert main_wallet(chidi).balance == 1

    def test_other_routes_do_not_know_it(self, api: Api, ada: User) -> None:
        client = api(ada)
        lookup = post(client, "/transactions/transfer/lookup?dry_run=true", {"to": ada.email})
        listed = client.get("/api/v1/transactions?dry_run=true")
        for answer in (lookup, listed):
            assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "unknown_parameter")


class TestRate:
    def test_counts_with_the_lookups_and_not_with_the_transfers(
        self, api: Api, ada: User, settings: Settings
    ) -> None:
        chidi, client = UserFactory(), api(ada)
        settings.RATE_LIMITS = True
        body = {"to": chidi.email, "amount": "1.00"}
        for _ in range(LOOKUPS.limit // 2):
            assert post(client, "/transactions/transfer?dry_run=true", body).status_code == 200
            assert post(client, "/transactions/transfer/lookup", {"to": chidi.email}).status_code == 200
        answer = post(client, "/transactions/transfer?dry_run=true", body)
        assert (answer.status_code, answer.json()["dry_run"]) == (429, True)
        assert "recipient_lookup" in answer.headers["RateLimit-Policy"]
        real = post(client, "/transactions/transfer", {**body, "pin": PIN}, **{"Idempotency-Key": "k"})
        assert real.status_code == 201
        assert f"r={29}" in real.headers["RateLimit"]


class TestOutsideTheDatabase:
    def test_the_probe_of_an_open_circuit_is_not_used_up(self, settings: Settings) -> None:
        from django_redis import get_redis_connection

        state = lua.key("circuit", "{rehearsed}", "state")
        redis = get_redis_connection("default")
        redis.hset(state, "opened_at", 1)
        try:
            for _ in range(2):
                assert dry_run.rehearse(lambda: circuit.allows("rehearsed"), user_ids=[uuid4()])[0] is True
            assert circuit.allows("rehearsed") is True
            assert circuit.allows("rehearsed") is False
        finally:
            redis.delete(state)

    def test_it_is_running_only_while_it_runs(self) -> None:
        def refuse() -> None:
            assert dry_run.is_running()
            raise LookupError

        with pytest.raises(LookupError):
            dry_run.rehearse(refuse, user_ids=[uuid4()])
        assert not dry_run.is_running()


class TestDeclared:
    def test_who_answers_without_declaring_it_is_stopped_at_the_first_request(self) -> None:
        class Undeclared(ApiViewSet):
            action = "create"

        with pytest.raises(Exception, match="is not in its money_actions"):
            Undeclared().answer_once(operation="x", body={}, work=lambda: Answer(201, {}))
        with pytest.raises(Exception, match="is not in its money_actions"):
            Undeclared().answer_by_state(work=lambda: Answer(200, {}), concerning=())

    def test_who_answers_in_a_group_without_one_is_stopped_at_the_first_request(self) -> None:
        class Groupless(ApiViewSet):
            action = "create"
            money_actions: ClassVar = frozenset({"create"})

        nothing: Any = None
        with pytest.raises(Exception, match="is not in its groups"):
            Groupless().answer_in_group(operation="x", body={}, gate=nothing, task=nothing, work=nothing)
