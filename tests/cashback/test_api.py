"""The routes of cashback, in process: history, summary, redeeming."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from rest_framework.test import APIClient

from cashback.models import Reward
from notifications.models import Event
from tests.cashback.offers import (
    ELECTRICITY,
    books,
    cashback_wallet,
    earn,
    held,
    pay,
    payer,
    purse,
    running,
    settle,
)
from tests.cashback.scenes import dropped_reward
from tests.factories import StaffFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from transactions.models import Transaction
from users.models import User
from wallet.services import ensure_cashback_wallet, freeze_wallet, open_wallet

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]
HISTORY, REWARDS, SUMMARY, REDEEM = (
    f"/api/v1/{path}"
    for path in ("cashback/history", "rewards/history", "cashback/summary", "cashback/redeem")
)


@pytest.fixture
def ada() -> User:
    """A customer with ₦100.00 of cashback and an empty main wallet."""
    user: User = UserFactory(kyc_tier=3)
    earn(user, "100.00")
    return user


def redeem(client: APIClient, body: Any = None, *, key: str | None = None, path: str = REDEEM) -> Any:
    """Redeem under a fresh key unless one is given."""
    headers = {"Idempotency-Key": key or str(uuid4())}
    return client.post(path, {} if body is None else body, format="json", headers=headers)


def codes(answer: Any) -> set[str]:
    """Return every code of a problem."""
    body = answer.json()
    return {body["code"], *(error["code"] for error in body.get("errors", []))}


class TestRedeem:
    def test_everything_answers_with_the_transaction(self, api: Api, ada: User) -> None:
        answer = redeem(api(ada))
        assert answer.status_code == 201, answer.content
        body = answer.json()
        shown = (
            "type",
            "status",
            "direction",
            "amount",
            "fee",
            "total",
            "currency",
            "is_final",
            "description",
        )
        assert [body[name] for name in shown] == [
            "cashback_redemption", "completed", "self", "100.00", "0.00", "100.00", "NGN", True, "Cashback redeemed",
        ]  # fmt: skip
        assert purse(ada) == (100, 0)
        assert api(ada).get(f"/api/v1/transactions/{body['id']}").json() == body

    @pytest.mark.parametrize(
        ("body", "moved"),
        [({"amount": "0.01"}, "0.01"), ({"amount": "40"}, "40.00"), ({"amount": "100.00", "currency": "NGN"}, "100.00"),
         ({"amount": None}, "100.00"), ({"currency": "NGN"}, "100.00")],
    )  # fmt: skip
    def test_a_part_or_nothing_said(self, api: Api, ada: User, body: dict[str, Any], moved: str) -> None:
        answer = redeem(api(ada), body)
        assert (answer.status_code, answer.json()["amount"]) == (201, moved)
        assert purse(ada) == (Decimal(moved), 100 - Decimal(moved))

    def test_no_pin_is_asked_for(self, api: Api, ada: User) -> None:
        assert not api(ada).get("/api/v1/users/me").json()["has_pin"]
        assert redeem(api(ada)).status_code == 201

    def test_6_04_the_same_key_is_one_effect_and_one_answer(self, api: Api, ada: User) -> None:
        first = redeem(api(ada), {"amount": "40.00"}, key="r-1")
        before = books()
        again = redeem(api(ada), {"amount": "40.00"}, key="r-1")
        assert (again.status_code, again.json()) == (201, first.json())
        assert again.headers["Idempotent-Replayed"] == "true"
        assert books() == before
        assert purse(ada) == (40, 60)

    def test_6_04_null_and_nothing_are_the_same_body(self, api: Api, ada: User) -> None:
        redeem(api(ada), {"amount": None}, key="r-1")
        assert redeem(api(ada), {}, key="r-1").headers["Idempotent-Replayed"] == "true"

    def test_6_04_the_same_key_with_another_body_is_refused(self, api: Api, ada: User) -> None:
        redeem(api(ada), {"amount": "40.00"}, key="r-1")
        before = books()
        answer = redeem(api(ada), {"amount": "41.00"}, key="r-1")
        assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
        assert books() == before

    def test_somebody_elses_key_is_their_own(self, api: Api, ada: User) -> None:
        chidi = UserFactory(kyc_tier=3)
        earn(chidi, "7.00")
        redeem(api(ada), key="r-1")
        assert redeem(api(chidi), key="r-1").json()["amount"] == "7.00"

    def test_a_refusal_by_rule_is_kept_and_told_with_its_facts(self, api: Api, ada: User) -> None:
        first = redeem(api(ada), {"amount": "100.01"}, key="r-1")
        assert first.status_code == 422
        facts = {
            name: first.json()[name] for name in ("code", "available", "required", "currency", "retryable")
        }
        assert facts == {
            "code": "insufficient_funds", "available": "100.00", "required": "100.01", "currency": "NGN",
            "retryable": False,
        }  # fmt: skip
        earn(ada, "50.00")
        assert redeem(api(ada), {"amount": "100.01"}, key="r-1").headers["Idempotent-Replayed"] == "true"
        assert purse(ada) == (0, 150)

    def test_nothing_to_redeem_opens_no_wallet(self, api: Api) -> None:
        user = UserFactory()
        before = books()
        answer = redeem(api(user))
        assert (answer.status_code, answer.json()["code"], answer.json()["available"]) == (
            422,
            "insufficient_funds",
            "0.00",
        )
        assert books() == before

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({"amount": 40}, 400, "invalid_amount"),
            ({"amount": 0.5}, 400, "invalid_amount"),
            ({"amount": True}, 400, "invalid_amount"),
            ({"amount": "0"}, 400, "invalid_amount"),
            ({"amount": "0.00"}, 400, "invalid_amount"),
            ({"amount": "-1"}, 400, "invalid_amount"),
            ({"amount": "1e2"}, 400, "invalid_amount"),
            ({"amount": "1.005"}, 400, "invalid_amount"),
            ({"amount": ""}, 400, "invalid_amount"),
            ({"amount": "٣"}, 400, "invalid_amount"),
            ({"amount": [], "currency": "NGN"}, 400, "invalid_amount"),
            ({"currency": "ngn"}, 400, "invalid_currency"),
            ({"currency": "XXX"}, 400, "invalid_currency"),
            ({"currency": "USD"}, 404, "not_found"),
            ({"amount": "1", "wallet": "x"}, 400, "unknown_field"),
            ({"pin": "5083"}, 400, "unknown_field"),
            ([{}], 400, "malformed_json"),
            ("all", 400, "malformed_json"),
            ({"amount": "100.01"}, 422, "insufficient_funds"),
            ({"amount": "999999999999999.99"}, 422, "insufficient_funds"),
        ],
    )
    def test_8_01_bad_input_changes_nothing(
        self, api: Api, ada: User, body: Any, status: int, code: str
    ) -> None:
        before = books()
        answer = redeem(api(ada), body)
        assert answer.status_code == status, answer.content
        assert code in codes(answer)
        assert books() == before

    def test_an_unknown_parameter_is_refused(self, api: Api, ada: User) -> None:
        before = books()
        answer = redeem(api(ada), path=f"{REDEEM}?amount=1.00")
        assert (answer.status_code, codes(answer)) == (400, {"validation_error", "unknown_parameter"})
        assert books() == before

    def test_a_dry_run_tells_the_answer_and_moves_nothing(self, api: Api, ada: User) -> None:
        before = books()
        tried = api(ada).post(f"{REDEEM}?dry_run=true", {"amount": "40.00"}, format="json")
        refused = api(ada).post(f"{REDEEM}?dry_run=true", {"amount": "100.01"}, format="json")
        assert (tried.status_code, tried.json()["dry_run"], tried.json()["amount"]) == (200, True, "40.00")
        assert (refused.status_code, refused.json()["dry_run"], refused.json()["code"]) == (
            422,
            True,
            "insufficient_funds",
        )
        assert books() == before

    def test_without_a_key_is_refused(self, api: Api, ada: User) -> None:
        before = books()
        answer = api(ada).post(REDEEM, {}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")
        assert books() == before

    @pytest.mark.parametrize(
        ("which", "stop"), [("cashback", "frozen"), ("cashback", "no_debit"), ("main", "frozen")]
    )
    def test_6_10_a_stopped_wallet_is_403_and_may_be_tried_again(
        self, api: Api, ada: User, which: str, stop: str
    ) -> None:
        wallet = cashback_wallet(ada) if which == "cashback" else main_wallet(ada)
        freeze_wallet(wallet_id=wallet.pk, actor=StaffFactory(), reason="alert", status=stop)
        before = books()
        answer = redeem(api(ada), key="r-1")
        assert (answer.status_code, answer.json()["code"]) == (403, "wallet_frozen")
        assert answer.json()["wallet_status"] == stop
        assert books() == before
        assert "Idempotent-Replayed" not in redeem(api(ada), key="r-1").headers

    def test_a_full_main_wallet_is_422(self, api: Api, ada: User) -> None:
        User.objects.filter(pk=ada.pk).update(kyc_tier=0)
        fund(ada, "49950.00")
        before = books()
        answer = redeem(api(ada))
        assert (answer.status_code, answer.json()["code"]) == (422, "recipient_cannot_receive")
        assert books() == before

    @pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
    def test_other_verbs_are_refused(self, api: Api, ada: User, method: str) -> None:
        before = books()
        assert getattr(api(ada), method)(REDEEM).status_code == 405
        assert books() == before


class TestHistory:
    @pytest.mark.parametrize("path", [HISTORY, REWARDS])
    def test_a_reward_has_every_field(self, api: Api, path: str) -> None:
        user = payer()
        reward = pay(user, "10000.00", **ELECTRICITY)
        assert reward is not None
        page = api(user).get(path).json()
        assert (page["next"], page["previous"]) == (None, None)
        assert page["results"] == [
            {
                "id": str(reward.pk),
                "status": "earned",
                "amount": "100.00",
                "currency": "NGN",
                "campaign": {"code": "electricity-1-percent", "name": "1 % back on electricity"},
                "trigger": "bill_payment",
                "trigger_id": str(reward.trigger_id),
                "transaction_id": str(reward.transaction_id),
                "created_at": reward.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            }
        ]

    def test_the_transaction_of_a_reward_opens(self, api: Api, ada: User) -> None:
        [row] = api(ada).get(HISTORY).json()["results"]
        shown = api(ada).get(f"/api/v1/transactions/{row['transaction_id']}").json()
        assert (shown["type"], shown["direction"], shown["amount"]) == ("cashback", "in", row["amount"])

    def test_newest_first_page_by_page(self, api: Api) -> None:
        user, start = payer(), datetime(2026, 5, 1, tzinfo=UTC)
        running()
        for number in range(5):
            settle(held(user, f"{100 + number * 10}.00"), now=start + timedelta(hours=number))
        first = api(user).get(HISTORY, {"page_size": 2}).json()
        assert [row["amount"] for row in first["results"]] == ["14.00", "13.00"]
        second = api(user).get(first["next"]).json()
        third = api(user).get(second["next"]).json()
        assert [row["amount"] for row in second["results"]] == ["12.00", "11.00"]
        assert ([row["amount"] for row in third["results"]], third["next"]) == (["10.00"], None)
        assert api(user).get(third["previous"]).json()["results"] == second["results"]

    def test_1_01_nobody_sees_anybody_elses(self, api: Api, ada: User) -> None:
        bola = UserFactory(kyc_tier=3)
        assert api(bola).get(HISTORY).json()["results"] == []
        earn(bola, "3.00")
        assert [row["amount"] for row in api(bola).get(HISTORY).json()["results"]] == ["3.00"]
        assert [row["amount"] for row in api(ada).get(HISTORY).json()["results"]] == ["100.00"]

    def test_status_and_currency_filter(self, api: Api) -> None:
        user = payer()
        running()
        pay(user, "100.00")
        dropped_reward(user, code="small", budget=Decimal("2.00"))

        def shown(**query: str) -> list[str]:
            return [row["status"] for row in api(user).get(HISTORY, query).json()["results"]]

        assert shown() == ["earned", "dropped", "earned"]
        assert shown(status="dropped") == ["dropped"]
        assert shown(status="earned", currency="NGN") == ["earned", "earned"]
        assert shown(status="cancelled") == shown(currency="USD") == []

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ({"user_id": "2"}, "unknown_parameter"),
            ({"campaign": "x"}, "unknown_parameter"),
            ({"amount": "1.00"}, "unknown_parameter"),
            ({"status": "lost"}, "invalid_choice"),
            ({"status": ""}, "invalid_choice"),
            ({"currency": "ngn"}, "invalid_currency"),
            ({"page_size": "0"}, "invalid"),
            ({"page_size": "101"}, "invalid"),
            ({"page_size": "two"}, "invalid"),
            ({"cursor": "x"}, "invalid"),
        ],
    )
    @pytest.mark.parametrize("path", [HISTORY, REWARDS])
    def test_1_07_a_query_that_is_not_known_is_refused(
        self, api: Api, ada: User, path: str, query: dict[str, str], code: str
    ) -> None:
        answer = api(ada).get(path, query)
        assert answer.status_code == 400, answer.content
        assert code in codes(answer)

    def test_its_queries_do_not_grow_with_its_rows(
        self, api: Api, ada: User, django_assert_num_queries: Any
    ) -> None:
        for _ in range(3):
            earn(ada, "1.00")
        client = api(ada)
        with django_assert_num_queries(1):
            assert len(client.get(HISTORY).json()["results"]) == 4


class TestSummary:
    def test_before_the_first_reward_everything_is_nought(self, api: Api) -> None:
        user = UserFactory()
        before = books()
        assert api(user).get(SUMMARY).json() == {
            "currency": "NGN",
            "pending": "0.00",
            "available": "0.00",
            "lifetime": "0.00",
            "expiring_soon": "0.00",
        }
        assert books() == before

    def test_redeeming_lowers_what_is_available_and_not_what_was_earned(self, api: Api, ada: User) -> None:
        redeem(api(ada), {"amount": "30.25"})
        shown = api(ada).get(SUMMARY).json()
        assert (shown["available"], shown["lifetime"], shown["pending"]) == ("69.75", "100.00", "0.00")

    def test_what_waits_for_a_frozen_wallet_is_pending(self, api: Api) -> None:
        user = UserFactory(kyc_tier=3)
        wallet = ensure_cashback_wallet(user_id=user.pk, currency="NGN")
        freeze_wallet(wallet_id=wallet.pk, actor=StaffFactory(), reason="alert")
        earn(user, "12.00")
        shown = api(user).get(SUMMARY).json()
        assert (shown["pending"], shown["available"], shown["lifetime"]) == ("12.00", "0.00", "12.00")

    def test_a_currency_has_its_own_decimals_and_its_own_sum(self, api: Api, ada: User) -> None:
        open_wallet(user=ada, currency="USD")
        shown = api(ada).get(SUMMARY, {"currency": "USD"}).json()
        assert (shown["currency"], shown["available"], shown["lifetime"]) == ("USD", "0.00", "0.00")

    def test_1_01_it_sums_up_its_owners(self, api: Api, ada: User) -> None:
        assert api(UserFactory()).get(SUMMARY).json()["lifetime"] == "0.00"

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ({"currency": "ngn"}, "invalid_currency"),
            ({"status": "earned"}, "unknown_parameter"),
            ({"page_size": "1"}, "unknown_parameter"),
        ],
    )
    def test_a_query_that_is_not_known_is_refused(
        self, api: Api, ada: User, query: dict[str, str], code: str
    ) -> None:
        answer = api(ada).get(SUMMARY, query)
        assert answer.status_code == 400
        assert code in codes(answer)


@pytest.mark.parametrize("path", [HISTORY, REWARDS, SUMMARY, REDEEM])
def test_2_01_nobody_gets_in_without_signing_in(api: Api, path: str) -> None:
    before = books()
    answer = redeem(api(), path=path) if path == REDEEM else api().get(path)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert books() == before


def test_1_01_redeeming_takes_only_from_ones_own(api: Api, ada: User) -> None:
    bola = UserFactory()
    assert redeem(api(bola), {"amount": "1.00"}).status_code == 422
    assert (purse(ada), purse(bola)) == ((0, 100), (0, 0))
    assert Reward.objects.count() == 1
    assert not Transaction.objects.filter(type="cashback_redemption").exists()
    assert not Event.objects.filter(type="cashback.redeemed").exists()
