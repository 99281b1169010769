"""What a customer sees of a credit that had to wait: one movement that says so, and its release as a wallet's line."""

import re
from collections.abc import Callable
from decimal import Decimal
from itertools import chain
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from notifications.models import Event
from tests.cashback.offers import pay, payer, running
from tests.factories import StaffFactory, UnverifiedUserFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.parked import reverse
from tests.transactions.story import happened, transfer_draft
from tests.transactions.test_pages import ids, pages
from transactions import selectors
from transactions.drafts import Post
from transactions.models import ParkedCredit, Transaction
from transactions.services.releasing import release_for
from transactions.verification import verify
from users.models import User
from users.names import masked_name
from wallet.models import Wallet
from wallet.services import ensure_cashback_wallet, freeze_wallet, unfreeze_wallet

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]
MOVEMENTS = "/api/v1/transactions"
OVER_THE_CAP = "50000.01"


def shown(client: APIClient, **query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = client.get(MOVEMENTS, query).json()["results"]
    return rows


def one(client: APIClient, movement: object) -> dict[str, Any]:
    row: dict[str, Any] = client.get(f"{MOVEMENTS}/{movement}").json()
    return row


def arrived(rows: list[dict[str, Any]]) -> Decimal:
    """Add up what came in, without what still waits, less what went out: as a customer would."""
    sides = {"in": 1, "out": -1, "self": 0}
    waiting = [row for row in rows if row["parked_credit"] and row["parked_credit"]["status"] == "parked"]
    return sum(
        (sides[row["direction"]] * Decimal(row["total"]) for row in rows if row not in waiting), Decimal(0)
    )


def land(user: User) -> Transaction:
    """Let a user's wallet take more, and with that the one credit that waits; return its release."""
    User.objects.filter(pk=user.pk).update(kyc_tier=1)
    return released(user)


def released(user: User) -> Transaction:
    assert release_for(owner_id=user.pk) == 1
    found = ParkedCredit.objects.select_related("released_by").latest("released_at").released_by
    assert found is not None
    return found


def freeze(wallet: Wallet) -> None:
    freeze_wallet(wallet_id=wallet.pk, actor=StaffFactory(), reason="fraud alert")


def unfreeze(wallet: Wallet) -> None:
    unfreeze_wallet(wallet_id=wallet.pk, actor=StaffFactory(), reason="cleared")


@pytest.fixture
def ada() -> User:
    """Somebody of tier 0, for whom more came than may land."""
    user: User = UnverifiedUserFactory()
    fund(user, OVER_THE_CAP)
    return user


@pytest.fixture
def refunded() -> tuple[User, User, Transaction]:
    """Somebody whose wallet is frozen, who had sent 40.00 of 100.00 to the second, and that transfer."""
    customer, receiver = UserFactory(), UserFactory(first_name="Chidi", last_name="Okafor")
    fund(customer, "100.00")
    original = happened(Post(transfer_draft(main_wallet(customer), main_wallet(receiver), "40.00")))
    freeze(main_wallet(customer))
    return customer, receiver, original


def give_back(client: APIClient, original: Transaction) -> dict[str, Any]:
    answer = client.post(
        f"/api/v1/admin/transactions/{original.pk}/refund", {"reason": "never delivered"}, format="json",
        headers={"Idempotency-Key": str(uuid4())},
    )  # fmt: skip
    assert answer.status_code == 201, answer.content
    body: dict[str, Any] = answer.json()
    return body


@pytest.fixture
def staff(api: Api) -> APIClient:
    member = StaffFactory()
    member.user_permissions.add(Permission.objects.get(codename="refund_transaction"))
    return api(member)


class TestFunding:
    def test_that_waits_is_one_movement_that_says_so(self, api: Api, ada: User) -> None:
        (row,) = shown(api(ada))
        told = row["parked_credit"]
        assert (row["type"], row["status"], row["direction"], row["is_final"]) == (
            "funding", "completed", "in", True,
        )  # fmt: skip
        assert told == {
            "id": str(ParkedCredit.objects.get().pk), "status": "parked", "reason": "balance_cap",
            "parked_by": row["id"], "parked_at": row["created_at"], "released_by": None, "released_at": None,
            "reversed_by": None, "reversed_at": None,
        }  # fmt: skip
        assert arrived([row]) == main_wallet(ada).balance == 0
        assert one(api(ada), row["id"]) == row

    def test_that_landed_is_the_same_one_movement(self, api: Api, ada: User) -> None:
        (before,) = shown(api(ada))
        release = land(ada)
        (row,) = shown(api(ada))
        told = row["parked_credit"]
        assert (told["status"], told["released_by"]) == ("released", str(release.pk))
        assert told["released_at"] >= told["parked_at"]
        assert {**row, "parked_credit": None} == {**before, "parked_credit": None}
        assert arrived([row]) == main_wallet(ada).balance == Decimal(OVER_THE_CAP)

    def test_the_release_is_the_wallets_line_and_leads_to_its_credit(self, api: Api, ada: User) -> None:
        release = land(ada)
        (line,) = api(ada).get(f"{MOVEMENTS}/history").json()["results"]
        assert (line["transaction_id"], line["direction"]) == (str(release.pk), "in")
        (credit,), row = shown(api(ada)), one(api(ada), release.pk)
        assert row["direction"] == "self"
        assert row["parked_credit"] == credit["parked_credit"]
        assert row["parked_credit"]["parked_by"] == credit["id"] != row["id"]

    def test_its_events_name_the_movement_that_the_list_shows(self, api: Api, ada: User) -> None:
        land(ada)
        (row,) = shown(api(ada))
        events = Event.objects.filter(type__startswith="credit.").order_by("id")
        assert [event.type for event in events] == ["credit.parked", "credit.released"]
        named = {"transaction_id": row["id"], "reference": row["reference"]}
        named |= {"parked_credit_id": row["parked_credit"]["id"]}
        for event in events:
            assert named.items() <= event.payload.items()

    def test_has_one_receipt(self, api: Api, ada: User) -> None:
        (row,) = shown(api(ada))
        first = api(ada).get(f"{MOVEMENTS}/{row['id']}/receipt").json()
        for movement in (row["id"], land(ada).pk):
            assert api(ada).get(f"{MOVEMENTS}/{movement}/receipt").json() == first

    def test_is_nobody_elses(self, api: Api, ada: User) -> None:
        release = land(ada)
        for path in ("", "/entries", "/receipt"):
            assert api(UserFactory()).get(f"{MOVEMENTS}/{release.pk}{path}").status_code == 404

    def test_that_lands_at_once_has_waited_for_nothing(self, api: Api) -> None:
        user = UserFactory()
        fund(user, "10.00")
        (row,) = shown(api(user))
        assert row["parked_credit"] is None


class TestRefund:
    def test_that_waits_and_lands_stays_the_refund_of_its_payment(
        self, api: Api, staff: APIClient, refunded: tuple[User, User, Transaction]
    ) -> None:
        customer, _, original = refunded
        made = give_back(staff, original)
        for status in ("parked", "released"):
            row, _, _ = rows = shown(api(customer))
            assert (row["id"], row["refund_of"], row["counterparty"]) == (
                made["id"], str(original.pk), {"name": "Chidi O."},
            )  # fmt: skip
            assert (row["direction"], row["parked_credit"]["status"]) == ("in", status)
            assert arrived(rows) == main_wallet(customer).balance
            assert one(api(customer), original.pk)["refunds"] == [made["id"]]
            if status == "parked":
                unfreeze(main_wallet(customer))
                assert one(api(customer), released(customer).pk)["parked_credit"]["parked_by"] == made["id"]
        assert main_wallet(customer).balance == 100
        assert verify().findings == ()

    def test_tells_staff_that_it_waits_and_its_giver_nothing_of_it(
        self, api: Api, staff: APIClient, refunded: tuple[User, User, Transaction]
    ) -> None:
        customer, receiver, original = refunded
        made = give_back(staff, original)
        assert (made["parked_credit"]["status"], made["parked_credit"]["reason"]) == (
            "parked",
            "wallet_frozen",
        )
        unfreeze(main_wallet(customer))
        for _ in range(2):
            given, _ = rows = shown(api(receiver))
            assert (given["id"], given["direction"], given["parked_credit"]) == (made["id"], "out", None)
            assert arrived(rows) == main_wallet(receiver).balance == 0
            release_for(owner_id=customer.pk)

    def test_shows_its_giver_the_receivers_wallet_where_it_stands_in_suspense(
        self, api: Api, staff: APIClient, refunded: tuple[User, User, Transaction]
    ) -> None:
        customer, receiver, original = refunded
        path = f"/api/v1/transactions/{give_back(staff, original)['id']}/entries"
        seen = {person: api(person).get(path).json() for person in (customer, receiver)}
        accounts = {person: [line["account"] for line in lines["results"]] for person, lines in seen.items()}
        assert accounts[customer] == ["wallet:Chidi O.", "suspense"]
        assert accounts[receiver] == ["wallet:main", f"wallet:{masked_name(customer)}"]

    def test_that_lands_at_once_says_so_to_staff(
        self, staff: APIClient, refunded: tuple[User, User, Transaction]
    ) -> None:
        customer, _, original = refunded
        unfreeze(main_wallet(customer))
        assert give_back(staff, original)["parked_credit"] is None


class TestReference:
    def test_of_a_release_as_the_wallets_history_tells_it_finds_the_credit(self, api: Api, ada: User) -> None:
        land(ada)
        (line,) = api(ada).get(f"{MOVEMENTS}/history").json()["results"]
        (credit,) = shown(api(ada))
        assert line["reference"] != credit["reference"]
        for reference in (line["reference"], credit["reference"]):
            assert shown(api(ada), reference=reference) == [credit]

    def test_goes_together_with_other_filters(self, api: Api, ada: User) -> None:
        reference = land(ada).reference
        assert len(shown(api(ada), reference=reference, type="funding", amount_min=OVER_THE_CAP)) == 1
        assert shown(api(ada), reference=reference, type="refund") == []
        assert shown(api(ada), reference=reference, amount_min="50000.02") == []

    def test_of_the_way_back_finds_the_reversal(self, api: Api, ada: User) -> None:
        land(ada)
        (credit,) = shown(api(ada))
        reverse(Transaction.objects.get(pk=credit["id"]))
        (reversal, credit) = shown(api(ada))
        lines = api(ada).get(f"{MOVEMENTS}/history").json()["results"]
        found = [shown(api(ada), reference=line["reference"]) for line in lines]
        assert found == [[reversal], [credit]]

    def test_finds_nothing_of_somebody_elses(self, api: Api, ada: User) -> None:
        reference = land(ada).reference
        assert shown(api(UserFactory()), reference=reference) == []
        assert shown(api(ada), reference="TRX-NOBODYS") == []

    def test_of_a_parked_refund_is_its_payers_alone(
        self, api: Api, staff: APIClient, refunded: tuple[User, User, Transaction]
    ) -> None:
        customer, receiver, original = refunded
        made = give_back(staff, original)
        unfreeze(main_wallet(customer))
        reference = released(customer).reference
        assert [row["id"] for row in shown(api(customer), reference=reference)] == [made["id"]]
        assert shown(api(receiver), reference=reference) == []


class TestReward:
    def test_that_waits_and_lands_is_one_movement(self, api: Api) -> None:
        user = payer()
        running()
        wallet = ensure_cashback_wallet(user_id=user.pk, currency="NGN")
        freeze(wallet)
        reward = pay(user, "100.00")
        assert reward is not None
        (waits,) = shown(api(user), type="cashback")
        unfreeze(wallet)
        release = released(user)
        (landed,) = shown(api(user), type="cashback")
        assert waits["id"] == landed["id"] == str(reward.transaction_id)
        assert (waits["parked_credit"]["status"], landed["parked_credit"]["status"]) == ("parked", "released")
        assert landed["parked_credit"]["released_by"] == str(release.pk)


class TestPages:
    @pytest.fixture
    def many(self, ada: User) -> User:
        """Four credits that had to wait, released together, between others that did not."""
        for _ in range(3):
            fund(ada, OVER_THE_CAP)
        fund(ada, "1.00")
        User.objects.filter(pk=ada.pk).update(kyc_tier=3)
        assert release_for(owner_id=ada.pk) == 4
        fund(ada, "2.00")
        return ada

    @pytest.mark.parametrize("size", [1, 2, 4, 25])
    def test_pass_over_releases(self, api: Api, many: User, size: int) -> None:
        found = list(pages(api(many), f"{MOVEMENTS}?page_size={size}"))
        mine = selectors.transactions_of(user=many).exclude(source_kind="parked_credit")
        assert list(chain.from_iterable(found)) == ids(mine)
        assert {len(page) for page in found[:-1]} <= {size}
        assert sum(map(len, found)) == 6
        assert arrived(shown(api(many))) == main_wallet(many).balance == 4 * Decimal(OVER_THE_CAP) + 3

    def test_cost_the_same_number_of_queries(
        self, api: Api, many: User, django_assert_num_queries: Callable[[int], CaptureQueriesContext]
    ) -> None:
        client = api(many)
        client.get(f"{MOVEMENTS}?page_size=1")
        for size in (1, 6):
            with django_assert_num_queries(2) as asked:
                client.get(f"{MOVEMENTS}?page_size={size}")
            assert len(re.findall("JOIN .transactions_parkedcredit.", asked[0]["sql"])) == 1

    def test_every_filter_goes_on_working(self, api: Api, many: User) -> None:
        assert len(shown(api(many), type="funding", status="completed", amount_min=OVER_THE_CAP)) == 4
        release = Transaction.objects.filter(source_kind="parked_credit").earliest("created_at")
        assert len(shown(api(many), created_before=release.created_at.isoformat())) == 5
