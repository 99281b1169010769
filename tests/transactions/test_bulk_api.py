"""Sending to many people over the API, in process."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from rest_framework.test import APIClient

from fintech_core import clock
from fintech_core.models import IdempotencyRecord
from notifications.models import Event
from tests.factories import StaffFactory, UnverifiedUserFactory, UserFactory
from tests.transactions.money import PIN, fund, main_wallet, with_pin
from transactions import limits, switches
from transactions.models import BulkTransfer, BulkTransferItem, Transaction
from transactions.services.bulk_items import MAX_UNKNOWN
from transactions.verification import verify
from users.models import User
from wallet.services import freeze_wallet, open_wallet

pytestmark = pytest.mark.django_db
ROUTE = "/api/v1/transactions/transfer/bulk"
Api = Callable[..., APIClient]


@pytest.fixture(autouse=True)
def sound_ledger() -> Iterator[None]:
    """Re-prove the ledger after each test."""
    limits.forget()
    switches.forget()
    yield
    with connection.cursor() as cursor:
        # A thousand new items, planned by what was last known of tables that were empty, take seconds to prove.
        cursor.execute("SET LOCAL statement_timeout = 0")
    assert verify().findings == ()


@pytest.fixture
def ada() -> User:
    """A sender with 1,000.00 and a PIN."""
    user = with_pin(UserFactory())
    fund(user, "1000.00")
    return user


def to(person: User | str, amount: str, **more: str) -> dict[str, str]:
    return {"to": person if isinstance(person, str) else person.email, "amount": amount, **more}


def send(client: APIClient, items: list[Any], *, key: str | None = None, **body: Any) -> Any:
    headers = {"Idempotency-Key": key or str(uuid4())}
    return client.post(ROUTE, {"items": items, "pin": PIN, **body}, format="json", headers=headers)


def best_effort(client: APIClient, items: list[Any], *, key: str | None = None, **body: Any) -> Any:
    return send(client, items, key=key, mode="best_effort", **body)


def outcomes(answer: Any) -> list[str]:
    return [
        result["failure"]["code"] if result["failure"] else result["status"]
        for result in answer.json()["results"]
    ]


def balances(*people: User) -> list[Decimal]:
    return [main_wallet(person).balance for person in people]


class TestAllOrNothing:
    def test_sends_to_everybody_in_one_transaction(self, api: Api, ada: User) -> None:
        chidi, bola = UserFactory(), UserFactory()
        answer = send(
            api(ada), [to(chidi, "100.00", reference="rent/11"), to(bola, "50.50", description="lunch")]
        )
        assert answer.status_code == 201, answer.content
        body = answer.json()
        assert (body["succeeded"], body["failed"], body["amount"], body["is_final"]) == (2, 0, "150.50", True)
        assert [set(result) for result in body["results"]] == [
            {"index", "reference", "status", "transaction_id", "failure"}
        ] * 2
        assert body["results"][0]["reference"] == "rent/11"
        assert balances(ada, chidi, bola) == [Decimal("849.50"), 100, Decimal("50.50")]
        first, second = (Transaction.objects.get(pk=result["transaction_id"]) for result in body["results"])
        assert (first.reference, first.type, first.status) == ("rent/11", "transfer", "completed")
        assert (second.reference, second.description) == (body["results"][1]["reference"], "lunch")
        assert first.created_at == second.created_at

    def test_one_that_cannot_be_sent_stops_all_and_each_learns_its_own_reason(
        self, api: Api, ada: User
    ) -> None:
        chidi, bola, staff = UserFactory(), UserFactory(), StaffFactory()
        freeze_wallet(wallet_id=main_wallet(bola).pk, actor=staff, reason="x")
        items = [to(chidi, "1.00"), to(bola, "2.00"), to("nobody@example.com", "3.00"), to(ada, "4.00")]
        answer = send(api(ada), [*items, to(chidi, "1000.00")])
        assert (answer.status_code, answer.json()["code"]) == (422, "bulk_transfer_failed")
        assert outcomes(answer) == [
            "not_sent", "recipient_cannot_receive", "recipient_not_found", "same_wallet", "insufficient_funds",
        ]  # fmt: skip
        assert balances(ada, chidi, bola) == [1000, 0, 0]
        assert not BulkTransfer.objects.exists()
        assert not Event.objects.filter(type="transfer.received").exists()

    def test_a_refusal_is_stored_and_replayed(self, api: Api, ada: User) -> None:
        chidi = UserFactory()
        first = send(api(ada), [to(chidi, "1000.01")], key="k")
        fund(ada, "500.00")
        again = send(api(ada), [to(chidi, "1000.01")], key="k")
        assert (again.status_code, again.json()["results"]) == (422, first.json()["results"])
        assert again.headers["Idempotent-Replayed"] == "true"
        assert balances(ada, chidi) == [1500, 0]

    def test_the_same_key_answers_the_same_without_a_pin_and_sends_once(self, api: Api, ada: User) -> None:
        chidi = UserFactory()
        first = send(api(ada), [to(chidi, "10.00"), to(chidi, "20.00")], key="k")
        again = api(ada).post(
            ROUTE, {"items": [to(chidi, "10.00"), to(chidi, "20.00")]}, format="json",
            headers={"Idempotency-Key": "k"},
        )  # fmt: skip
        assert (again.status_code, again.json()) == (201, first.json())
        other = send(api(ada), [to(chidi, "20.00"), to(chidi, "10.00")], key="k")
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert balances(ada, chidi) == [970, 30]

    def test_the_senders_own_refusals_are_those_of_a_single_transfer(self, api: Api, ada: User) -> None:
        chidi, staff, new = UserFactory(), StaffFactory(), with_pin(UnverifiedUserFactory())
        fund(new, "10.00")
        answer = send(api(new), [to(chidi, "1.00")])
        assert (answer.status_code, answer.json()["code"]) == (403, "kyc_required")
        freeze_wallet(wallet_id=main_wallet(ada).pk, actor=staff, reason="x")
        answer = send(api(ada), [to(chidi, "1.00")])
        assert (answer.status_code, answer.json()["code"]) == (403, "wallet_frozen")
        answer = send(api(ada), [to(chidi, "1.00")], currency="USD")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert not IdempotencyRecord.objects.exists()
        assert balances(ada, new, chidi) == [1000, 10, 0]

    def test_the_day_counts_all_of_them_together(self, api: Api, ada: User) -> None:
        chidi = UserFactory()
        fund(ada, "60000.00")
        answer = send(api(ada), [to(chidi, "25000.00"), to(chidi, "25000.01")])
        assert outcomes(answer) == ["not_sent", "limit_exceeded"]
        assert main_wallet(ada).spent_today == 0


class TestBestEffort:
    def test_sends_what_can_be_sent(self, api: Api, ada: User) -> None:
        chidi, bola, staff = UserFactory(), UserFactory(), StaffFactory()
        freeze_wallet(wallet_id=main_wallet(bola).pk, actor=staff, reason="x")
        items = [to(chidi, "900.00"), to(bola, "2.00"), to("nobody@example.com", "3.00"), to(chidi, "100.01")]
        answer = best_effort(api(ada), [*items, to(chidi, "100.00")])
        assert answer.status_code == 201, answer.content
        assert outcomes(answer) == [
            "completed", "recipient_cannot_receive", "recipient_not_found", "insufficient_funds", "completed",
        ]  # fmt: skip
        assert (answer.json()["succeeded"], answer.json()["failed"]) == (2, 3)
        assert balances(ada, chidi, bola) == [0, 1000, 0]

    def test_lesson_27_a_reference_is_refused_item_by_item(self, api: Api, ada: User) -> None:
        chidi = UserFactory()
        best_effort(api(ada), [to(chidi, "1.00", reference="old")])
        answer = best_effort(
            api(ada),
            [to(chidi, "1.00", reference="new"), to(chidi, "2.00", reference="new"), to(chidi, "4.00", reference="old"),
             to(chidi, "8.00")],
        )  # fmt: skip
        assert outcomes(answer) == ["completed", "duplicate_reference", "duplicate_reference", "completed"]
        assert balances(ada, chidi) == [990, 10]

    def test_none_succeeded_is_422_and_replays_the_same(self, api: Api, ada: User) -> None:
        chidi = UserFactory()
        answer = best_effort(api(ada), [to(chidi, "1000.01"), to("nobody@example.com", "1.00")], key="k")
        assert (answer.status_code, answer.json()["code"]) == (422, "bulk_transfer_failed")
        assert outcomes(answer) == ["insufficient_funds", "recipient_not_found"]
        fund(ada, "500.00")
        again = best_effort(api(ada), [to(chidi, "1000.01"), to("nobody@example.com", "1.00")], key="k")
        assert (again.status_code, again.json()["results"]) == (422, answer.json()["results"])
        assert balances(ada, chidi) == [1500, 0]

    @pytest.mark.parametrize("query", ["", "?dry_run=true"])
    @pytest.mark.parametrize("to_whom", ["nobody@example.com", "bola@example.com"])
    def test_a_refusal_names_its_request_whether_items_fail_at_once_or_later(
        self, api: Api, ada: User, to_whom: str, query: str
    ) -> None:
        UserFactory(email="bola@example.com")
        body = {"items": [to(to_whom, "1000.01")], "mode": "best_effort", "pin": PIN}
        headers = {"Idempotency-Key": "k", "X-Request-ID": "request-0001"}
        answer = api(ada).post(f"{ROUTE}{query}", body, format="json", headers=headers)
        assert (answer.status_code, answer.json()["request_id"]) == (422, "request-0001")
        assert balances(ada) == [1000]

    def test_an_unverified_sender_sends_nothing(self, api: Api) -> None:
        chidi, new = UserFactory(), with_pin(UnverifiedUserFactory())
        fund(new, "10.00")
        answer = best_effort(api(new), [to(chidi, "1.00")])
        assert (answer.status_code, outcomes(answer)) == (422, ["kyc_required"])
        assert balances(new, chidi) == [10, 0]

    def test_many_chunks_end_in_one_answer(self, api: Api, ada: User) -> None:
        people = [UserFactory() for _ in range(7)]
        answer = best_effort(api(ada), [to(people[number % 7], "1.00") for number in range(250)])
        assert (answer.status_code, answer.json()["succeeded"]) == (201, 250)
        assert [result["index"] for result in answer.json()["results"]] == list(range(250))
        assert Transaction.objects.filter(from_user=ada).values("created_at").distinct().count() == 3
        assert balances(ada) == [750]

    def test_everybody_is_told_once(self, api: Api, ada: User) -> None:
        chidi = UserFactory()
        best_effort(api(ada), [to(chidi, "1.00"), to(chidi, "2.00"), to("nobody@example.com", "3.00")])
        assert Event.objects.filter(type="transfer.received", user_id=chidi.pk).count() == 2
        [done] = Event.objects.filter(type="bulk_transfer.completed")
        assert done.user_id == ada.pk
        assert {**done.payload, "bulk_transfer_id": 0} == {
            "bulk_transfer_id": 0, "amount": "3.00", "currency": "NGN", "succeeded": 2, "failed": 1,
        }  # fmt: skip

    def test_nobody_waits_who_does_not_want_to(self, api: Api, ada: User) -> None:
        chidi = UserFactory()
        headers = {"Idempotency-Key": "k", "Prefer": "wait=0"}
        body = {"items": [to(chidi, "1.00")], "pin": PIN, "mode": "best_effort"}
        first = api(ada).post(ROUTE, body, format="json", headers=headers)
        assert (first.status_code, first.json()["status"], outcomes(first)) == (
            202,
            "processing",
            ["pending"],
        )
        assert balances(ada, chidi) == [1000, 0]
        shown = api(ada).get(first.headers["Location"])
        assert {**shown.json(), "next_poll_at": 0} == {**first.json(), "next_poll_at": 0}
        again = api(ada).post(ROUTE, body, format="json", headers={"Idempotency-Key": "k"})
        assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
        assert balances(ada, chidi) == [999, 1]
        assert api(ada).get(first.headers["Location"]).json() == again.json()


class TestReferences:
    @pytest.mark.parametrize("mode", ["all_or_nothing", "best_effort"])
    def test_a_reference_of_somebody_else_was_refused(self, api: Api, ada: User, mode: str) -> None:
        """Everybody numbers their invoices from one, and whoever came second learnt that another had."""
        chidi, bola = with_pin(UserFactory()), UserFactory()
        fund(chidi, "10.00")
        mine = send(api(ada), [to(bola, "1.00", reference="invoice-1")], mode=mode)
        tried = api(chidi).post(
            f"{ROUTE}?dry_run=true", {"items": [to(bola, "2.00", reference="invoice-1")]}, format="json"
        )
        assert (tried.status_code, outcomes(tried)) == (200, ["completed"])
        theirs = send(api(chidi), [to(bola, "2.00", reference="invoice-1")], mode=mode)
        for answer in (mine, theirs):
            assert (answer.status_code, outcomes(answer)) == (201, ["completed"]), answer.content
            assert answer.json()["results"][0]["reference"] == "invoice-1"
        assert balances(ada, chidi, bola) == [999, 8, 3]

    def test_who_receives_under_a_reference_may_send_under_it(self, api: Api, ada: User) -> None:
        chidi = with_pin(UserFactory())
        send(api(ada), [to(chidi, "5.00", reference="loan")])
        assert send(api(chidi), [to(ada, "5.00", reference="loan")]).status_code == 201
        assert balances(ada, chidi) == [1000, 0]

    @pytest.mark.parametrize("mode", ["all_or_nothing", "best_effort"])
    def test_ones_own_is_refused_item_by_item_whatever_the_currency(
        self, api: Api, ada: User, mode: str
    ) -> None:
        chidi = UserFactory()
        open_wallet(user=ada, currency="USD")
        open_wallet(user=chidi, currency="USD")
        fund(ada, "10.00", "USD")
        send(api(ada), [to(chidi, "1.00", reference="rent")])
        items = [to(chidi, "2.00", reference="rent"), to(chidi, "4.00", reference="more")]
        answer = send(api(ada), items, mode=mode, currency="USD")
        beside = "completed" if mode == "best_effort" else "not_sent"
        assert outcomes(answer) == ["duplicate_reference", beside]
        assert Transaction.objects.filter(from_user=ada, reference="rent").count() == 1
        assert main_wallet(ada, "USD").balance == (6 if mode == "best_effort" else 10)

    def test_one_that_was_refused_is_free_again(self, api: Api, ada: User) -> None:
        chidi = UserFactory()
        best_effort(api(ada), [to(chidi, "1000.01", reference="big"), to(chidi, "1.00")])
        assert outcomes(best_effort(api(ada), [to(chidi, "1.00", reference="big")])) == ["completed"]

    def test_ones_own_stands_wherever_the_sender_looks(self, api: Api, ada: User) -> None:
        chidi, bola = with_pin(UserFactory()), UserFactory()
        fund(chidi, "10.00")
        send(api(chidi), [to(bola, "2.00", reference="invoice-1")])
        made = send(api(ada), [to(bola, "1.00", reference="invoice-1")]).json()["results"][0]
        client, movement = api(ada), f"/api/v1/transactions/{made['transaction_id']}"
        today = clock.business_day(clock.now()).isoformat()
        statement = f"/api/v1/wallet/statement?currency=NGN&from={today}&to={today}"
        assert client.get(movement).json()["reference"] == "invoice-1"
        assert client.get(f"{movement}/receipt").json()["reference"] == "invoice-1"
        assert "invoice-1" in {line["reference"] for line in client.get(statement).json()["lines"]}
        found = client.get("/api/v1/transactions?reference=invoice-1").json()["results"]
        assert [row["id"] for row in found] == [made["transaction_id"]]
        [told] = Event.objects.filter(
            type="transfer.received", payload__transaction_id=made["transaction_id"]
        )
        assert told.payload["reference"] == "invoice-1"


class TestBadRequests:
    @pytest.mark.parametrize(
        ("items", "field", "code"),
        [
            ([], "items", "empty"),
            ("x", "items", "not_a_list"),
            ([None], "items.0", "null"),
            ([{"to": "a@example.com"}], "items.0.amount", "required"),
            ([{"to": "a@example.com", "amount": 5}], "items.0.amount", "invalid_amount"),
            ([{"to": "a@example.com", "amount": "1.005"}], "items.0.amount", "invalid_amount"),
            ([{"to": "a@example.com", "amount": "1.00", "fee": "0"}], "items.0.fee", "unknown_field"),
            ([{"to": "somebody", "amount": "1.00"}], "items.0.to", "invalid_recipient"),
            ([{"to": "a@example.com", "amount": "1.00", "reference": "no spaces"}], "items.0.reference",
             "invalid_reference"),
            ([{"to": "a@example.com", "amount": "1.00", "reference": "TRX-01M7YEKSERFRRA0M2D2WKS8VFB"}],
             "items.0.reference", "invalid_reference"),
            ([{"to": "a@example.com", "amount": "1.00", "reference": "BILL-01M7YEKSERFRRA0M2D2WKS8VFB"}],
             "items.0.reference", "invalid_reference"),
            ([{"to": "a@example.com", "amount": "1.00", "currency": "USD"}], "items.0.currency", "unknown_field"),
            ([{"to": "a@example.com", "amount": "1.00"}] * 1_001, "items", "max_length"),
        ],
    )  # fmt: skip
    def test_are_refused_whole(self, api: Api, ada: User, items: Any, field: str, code: str) -> None:
        answer = send(api(ada), items)
        errors = {error["field"]: error["code"] for error in answer.json().get("errors", [])}
        assert (answer.status_code, errors.get(field)) == (400, code), answer.json()
        assert not BulkTransferItem.objects.exists()

    def test_amounts_are_read_in_the_currency_of_the_whole(self, api: Api, ada: User) -> None:
        items = [to("a@example.com", "1.005")]
        assert send(api(ada), items, currency="KWD").json()["code"] == "not_found"
        assert send(api(ada), [to("a@example.com", "1.5")], currency="JPY").status_code == 400

    def test_a_key_and_a_pin_are_needed(self, api: Api, ada: User) -> None:
        items = [to(UserFactory(), "1.00")]
        missing = api(ada).post(ROUTE, {"items": items, "pin": PIN}, format="json")
        assert (missing.status_code, missing.json()["code"]) == (400, "idempotency_key_missing")
        for pin, code in ((None, "pin_required"), ("9999", "invalid_pin")):
            body = {"items": items} if pin is None else {"items": items, "pin": pin}
            answer = api(ada).post(ROUTE, body, format="json", headers={"Idempotency-Key": str(uuid4())})
            assert (answer.status_code, answer.json()["code"]) == (403, code)
        assert balances(ada) == [1000]

    def test_512_kb_are_read_here_and_no_more(self, api: Api, ada: User) -> None:
        chidi = UserFactory()
        items = [to(chidi, "0.01", description="x" * 200) for _ in range(1_000)]
        assert send(api(ada), items).status_code == 201
        too_long = {"items": items, "pin": PIN, "padding": "x" * 300_000}
        answer = api(ada).post(ROUTE, too_long, format="json", headers={"Idempotency-Key": str(uuid4())})
        assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")

    @pytest.mark.parametrize("mode", ["all_or_nothing", "best_effort"])
    def test_a_list_of_strangers_is_not_told_apart(self, api: Api, ada: User, mode: str) -> None:
        chidi = UserFactory()
        strangers = [to(f"stranger{number}@example.com", "1.00") for number in range(MAX_UNKNOWN + 1)]
        answer = send(api(ada), [to(chidi, "1.00"), *strangers], mode=mode)
        assert (answer.status_code, answer.json()["code"]) == (422, "too_many_unknown_recipients")
        assert chidi.email not in answer.content.decode()
        assert balances(ada, chidi) == [1000, 0]

    def test_1_01_somebody_elses_bulk_is_not_found(self, api: Api, ada: User) -> None:
        made = best_effort(api(ada), [to(UserFactory(), "1.00")]).json()
        answer = api(UserFactory()).get(f"{ROUTE}/{made['id']}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert api(ada).get(f"{ROUTE}/{made['id']}").status_code == 200

    def test_while_money_out_is_stopped_nothing_is_accepted(self, api: Api, ada: User) -> None:
        staff = StaffFactory()
        switches.stop_money_out(actor=staff, reason="x")
        switches.forget()
        for mode in ("all_or_nothing", "best_effort"):
            answer = send(api(ada), [to(UserFactory(), "1.00")], mode=mode)
            assert (answer.status_code, answer.json()["code"]) == (503, "money_out_paused")
        assert not BulkTransfer.objects.exists()


class TestDryRun:
    def try_out(self, client: APIClient, items: list[Any], **body: Any) -> Any:
        return client.post(f"{ROUTE}?dry_run=true", {"items": items, **body}, format="json")

    @pytest.mark.parametrize("mode", ["all_or_nothing", "best_effort"])
    def test_tells_every_result_and_sends_nothing(self, api: Api, ada: User, mode: str) -> None:
        chidi = UserFactory()
        answer = self.try_out(api(ada), [to(chidi, "1.00")] * 130, mode=mode)
        assert (answer.status_code, answer.json()["dry_run"]) == (200, True), answer.content
        assert (answer.json()["succeeded"], outcomes(answer)) == (130, ["completed"] * 130)
        assert answer.json()["balances_after"][0]["balance"] == "870.00"
        assert balances(ada, chidi) == [1000, 0]
        assert not BulkTransfer.objects.exists()

    @pytest.mark.parametrize("mode", ["all_or_nothing", "best_effort"])
    def test_tells_every_refusal(self, api: Api, ada: User, mode: str) -> None:
        answer = self.try_out(api(ada), [to(UserFactory(), "1000.01"), to(ada, "1.00")], mode=mode)
        assert (answer.status_code, answer.json()["code"]) == (422, "bulk_transfer_failed")
        assert (answer.json()["dry_run"], outcomes(answer)) == (True, ["insufficient_funds", "same_wallet"])
        assert balances(ada) == [1000]
        assert not BulkTransfer.objects.exists()
