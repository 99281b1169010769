"""A parked credit that was reversed, as its owner, the giver of the money and two members of staff see it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from fintech_core import clock
from fintech_core.models import ApprovalRequest
from notifications.models import Event
from tests.factories import ManagerFactory, StaffFactory, UserFactory
from tests.transactions.money import main_wallet
from tests.transactions.parked import (
    account,
    land,
    parked_funding,
    parked_refund,
    reverse,
    spend,
)
from tests.transactions.test_dry_run import everything
from tests.transactions.test_parked_movements import arrived, one, shown
from tests.transactions.test_undoing_by_two import books
from transactions.models import LedgerEntry, ParkedCredit, Transaction, Undoing
from transactions.receipts.codes import code_of
from transactions.selectors import ways_to_undo
from transactions.services.undoing_by_staff import book_undoing
from transactions.verification import verify
from users.models import User
from users.names import masked_name

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]
MOVEMENTS = "/api/v1/transactions"


def member(*rights: str) -> User:
    """Somebody of staff who may ask for reversals, and more."""
    staff: User = StaffFactory()
    staff.user_permissions.add(
        *Permission.objects.filter(codename__in=["reverse_transaction", "decide_undoing", *rights])
    )
    return staff


def ask(client: APIClient, movement: Transaction, query: str = "", **body: Any) -> Any:
    return client.post(
        f"/api/v1/admin/transactions/{movement.pk}/reverse{query}", {"reason": "chargeback", **body},
        format="json", headers={"Idempotency-Key": str(uuid4())},
    )  # fmt: skip


@pytest.fixture
def ada() -> User:
    user: User = UserFactory()
    return user


@pytest.fixture
def funding(ada: User) -> Transaction:
    return parked_funding(ada)


class TestOwner:
    @pytest.mark.parametrize("landed", [False, True])
    def test_sees_one_movement_that_was_reversed_and_its_reversal(
        self, api: Api, ada: User, funding: Transaction, landed: bool
    ) -> None:
        released = str(land(ada).pk) if landed else None
        mirror = reverse(funding)
        back, came = rows = shown(api(ada))
        assert (came["id"], came["reversed_by"], came["parked_credit"]["status"]) == (
            str(funding.pk), back["id"], "reversed",
        )  # fmt: skip
        told = came["parked_credit"]
        assert (told["reversed_by"], told["released_by"]) == (str(mirror.pk), released)
        assert told["reversed_at"] == back["created_at"]
        assert (back["id"], back["reverses"], back["direction"], back["amount"], back["parked_credit"]) == (
            str(mirror.pk), str(funding.pk), "out", "60.00", None,
        )  # fmt: skip
        # Who funds has paid the fee to the gateway, which gives it back there.
        assert arrived(rows) - Decimal(came["fee"]) == main_wallet(ada).balance == 0
        assert [one(api(ada), row["id"]) for row in rows] == rows

    def test_the_wallets_lines_lead_to_both_and_name_nothing_that_is_hidden(
        self, api: Api, ada: User, funding: Transaction
    ) -> None:
        released = land(ada)
        mirror = reverse(funding)
        out, came = api(ada).get(f"{MOVEMENTS}/history").json()["results"]
        assert (out["direction"], out["amount"], out["balance_after"]) == ("out", "60.00", "0.00")
        assert came["transaction_id"] == str(released.pk)
        assert out["description"] == mirror.description == f"Reversal of {funding.reference}"
        line = one(api(ada), out["transaction_id"])
        assert (line["direction"], line["reverses"]) == ("self", str(released.pk))
        assert line["parked_credit"] == one(api(ada), funding.pk)["parked_credit"]
        seen = str(shown(api(ada)))
        assert released.reference not in seen
        assert line["reference"] not in seen

    def test_each_line_has_the_receipt_of_what_they_know(
        self, api: Api, ada: User, funding: Transaction
    ) -> None:
        released = land(ada)
        mirror = reverse(funding)
        passage = Transaction.objects.get(reverses=released)
        for known, line in ((funding, released), (mirror, passage)):
            receipts = [api(ada).get(f"{MOVEMENTS}/{row.pk}/receipt").json() for row in (known, line)]
            assert receipts[0] == receipts[1]
        verdict = api().get(f"/api/v1/receipts/{code_of(funding.pk)}").json()
        assert verdict["result"] == "reversed"

    def test_nobody_else_sees_any_of_it(self, api: Api, ada: User, funding: Transaction) -> None:
        land(ada)
        reverse(funding)
        for row in Transaction.objects.all():
            assert api(UserFactory()).get(f"{MOVEMENTS}/{row.pk}").status_code == 404


class TestGiver:
    @pytest.mark.parametrize("landed", [False, True])
    def test_of_a_refund_is_told_nothing_of_where_it_was(self, api: Api, landed: bool) -> None:
        ada, chidi, refunded = parked_refund()
        if landed:
            land(ada)
        mirror = reverse(refunded)
        back, given, _ = rows = shown(api(chidi))
        assert (back["id"], back["direction"], given["reversed_by"]) == (str(mirror.pk), "in", str(mirror.pk))
        assert (given["parked_credit"], back["parked_credit"]) == (None, None)
        assert arrived(rows) == main_wallet(chidi).balance == 40
        lines = {
            person: api(person).get(f"{MOVEMENTS}/{mirror.pk}/entries").json() for person in (ada, chidi)
        }
        accounts = {person: [line["account"] for line in seen["results"]] for person, seen in lines.items()}
        assert accounts[chidi] == [f"wallet:{masked_name(ada)}", "wallet:main"]
        assert accounts[ada] == ["suspense", f"wallet:{masked_name(chidi)}"]


class TestStaff:
    @pytest.mark.parametrize("landed", [False, True])
    def test_reverse_it_once_by_one_request(
        self, api: Api, ada: User, funding: Transaction, landed: bool
    ) -> None:
        if landed:
            land(ada)
        staff = member()
        answer = ask(api(staff), funding)
        assert (answer.status_code, answer.json()["reverses"]) == (201, str(funding.pk))
        again = ask(api(staff), funding)
        assert (again.status_code, again.json()["code"]) == (409, "already_reversed")
        assert verify().findings == ()

    def test_are_told_which_movement_to_reverse_instead_of_a_release(
        self, api: Api, ada: User, funding: Transaction
    ) -> None:
        released = land(ada)
        answer = ask(api(member()), released)
        assert (answer.status_code, answer.json()["code"]) == (422, "not_reversible")
        assert (answer.json()["transaction_id"], answer.json()["reference"]) == (
            str(funding.pk), funding.reference,
        )  # fmt: skip
        assert (ways_to_undo(transaction_id=released.pk), ways_to_undo(transaction_id=funding.pk)) == (
            set(), {"reverse"},
        )  # fmt: skip

    @pytest.mark.usefixtures("committed_db")
    @pytest.mark.parametrize("landed", [False, True])
    def test_may_try_it_and_nothing_changes(self, api: Api, ada: User, landed: bool) -> None:
        funding = parked_funding(ada)
        if landed:
            land(ada)
        client = api(member())
        before = everything()
        answer = ask(client, funding, "?dry_run=true")
        assert (answer.status_code, answer.json()["dry_run"], answer.json()["amount"]) == (200, True, "61.50")
        assert everything() == before

    def test_see_its_status_in_the_admin(self, client: Client, ada: User, funding: Transaction) -> None:
        reverse(funding)
        client.force_login(ManagerFactory())
        for status, is_listed in (("reversed", True), ("parked", False)):
            page = client.get(f"/admin/transactions/parkedcredit/?status__exact={status}").content.decode()
            assert (ada.last_name in page) is is_listed
        row = client.get(f"/admin/transactions/parkedcredit/{ParkedCredit.objects.get().pk}/change/")
        assert row.status_code == 200


class TestTwoPeople:
    @pytest.fixture(autouse=True)
    def fifty_alone(self, settings: Settings) -> None:
        settings.SECOND_PERSON_ABOVE = {"NGN": Decimal(50)}

    @pytest.mark.parametrize("landed", [False, True])
    def test_above_the_limit_another_one_books_it_by_what_is_there_then(
        self, api: Api, ada: User, funding: Transaction, landed: bool
    ) -> None:
        maker, checker = api(member()), api(member())
        before = books()
        asked = ask(maker, funding)
        assert asked.status_code == 202
        assert books()[0] == before[0]
        assert ParkedCredit.objects.get().status == "parked"
        if landed:
            land(ada)
        approval = f"/api/v1/admin/approvals/{asked.json()['approval_id']}/approve"
        answer = checker.post(
            approval, {"reason": "seen"}, format="json", headers={"Idempotency-Key": str(uuid4())}
        )
        assert answer.status_code == 200, answer.content
        mirror = Transaction.objects.get(pk=ApprovalRequest.objects.get().result_id)
        assert (mirror.reverses_id, mirror.source_kind, mirror.amount) == (
            funding.pk, "undoing", Decimal("61.50"),
        )  # fmt: skip
        assert (ParkedCredit.objects.get().status, account("suspense"), main_wallet(ada).balance) == (
            "reversed", 0, 0,
        )  # fmt: skip
        assert Event.objects.filter(user=ada, type="transaction.reversed").count() == 1
        assert verify().findings == ()

    def test_a_shortfall_that_was_asked_for_stands_in_the_mirror_of_the_release(
        self, api: Api, ada: User, funding: Transaction
    ) -> None:
        maker, checker = member("book_shortfall"), member()
        land(ada)
        spend(ada, "45.00")
        assert ask(api(maker), funding).json()["code"] == "insufficient_funds"
        assert ask(api(member()), funding, book_shortfall=True).status_code == 403
        assert ask(api(maker), funding, book_shortfall=True).status_code == 202
        book_undoing(undoing_id=Undoing.objects.get().pk, checker=checker, reason="seen", now=clock.now())
        owed = LedgerEntry.objects.get(account__code="receivables")
        assert (owed.amount, owed.transaction.source_kind) == (45, "parked_credit")
        assert verify().findings == ()
