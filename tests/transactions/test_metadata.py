"""Metadata of the client's own: bounded, told to its sender alone, found by staff through an index that others skip."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from rest_framework.test import APIClient

from fintech_core.ids import uuid7
from tests.backoffice.desks import address, clerk
from tests.factories import UserFactory
from tests.transactions.money import PIN, fund, main_wallet, with_pin
from tests.transactions.story import happened, transfer_draft
from transactions import selectors
from transactions.drafts import Post
from transactions.models import Transaction
from users.models import User

pytestmark = pytest.mark.django_db
INDEX = "transaction_by_metadata"


@pytest.fixture
def ada() -> User:
    owner = with_pin(UserFactory())
    fund(owner, "100.00")
    return owner


def send(client: APIClient, metadata: Any) -> Any:
    body = {"to": UserFactory().email, "amount": "1.00", "pin": PIN, "metadata": metadata}
    headers = {"Idempotency-Key": str(uuid4())}
    return client.post("/api/v1/transactions/transfer", body, format="json", headers=headers)


class TestBounds:
    def test_twenty_keys_of_forty_characters_with_five_hundred_each_are_kept(
        self, api: Callable[..., APIClient], ada: User
    ) -> None:
        metadata = {f"{number:02d}" + "k" * 38: "ọ" * 500 for number in range(20)}
        answer = send(api(ada), metadata)
        assert answer.status_code == 201, answer.content
        assert Transaction.objects.get(pk=answer.json()["id"]).metadata == metadata

    @pytest.mark.parametrize(
        "metadata",
        [
            {f"k{number}": "v" for number in range(21)},
            {"k" * 41: "v"},
            {"": "v"},
            {"a b": "v"},
            {"ọ": "v"},
            {"k": "v" * 501},
            {"k": 1},
            {"k": True},
            {"k": None},
            {"k": {"deep": "er"}},
            {"k": ["v"]},
            {"k": "a\u0000b"},
            ["k"],
            "k",
            1,
        ],
    )
    def test_what_is_more_or_other_than_that_is_refused(
        self, api: Callable[..., APIClient], ada: User, metadata: Any
    ) -> None:
        before = Transaction.objects.count()
        answer = send(api(ada), metadata)
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
        assert (Transaction.objects.count(), main_wallet(ada).balance) == (before, 100)

    def test_b_293_a_key_named_like_a_field_shadows_none(
        self, api: Callable[..., APIClient], ada: User
    ) -> None:
        told = send(
            api(ada), {"status": "failed", "amount": "0.01", "reversed_by": "x", "is_final": "no"}
        ).json()
        assert (told["status"], told["amount"], told["reversed_by"], told["is_final"]) == (
            "completed", "1.00", None, True,
        )  # fmt: skip


class TestFinding:
    def moved(self, owner: User, metadata: dict[str, str], times: int = 1) -> Transaction:
        draft = transfer_draft(main_wallet(owner), main_wallet(UserFactory()), "0.01")
        done = [happened(Post(replace(draft, id=uuid7(), metadata=metadata))) for _ in range(times)]
        return done[-1]

    def test_staff_find_a_movement_by_one_of_its_pairs(self, ada: User) -> None:
        found = self.moved(ada, {"order": "4711", "shop": "Ṣọlá & Sons"})
        self.moved(ada, {"order": "4712"})
        self.moved(ada, {"note": "4711"})
        client = clerk("transactions.view_transaction")
        for term in ("order=4711", " shop = Ṣọlá & Sons "):
            page = client.get(address(Transaction, "changelist"), {"q": term})
            assert [row.pk for row in page.context["cl"].result_list] == [found.pk]
        nothing = client.get(address(Transaction, "changelist"), {"q": "order="})
        assert list(nothing.context["cl"].result_list) == []

    def test_through_the_index(self, ada: User) -> None:
        self.moved(ada, {"order": "4711"}, times=30)
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            # A GIN index is read by a bitmap alone; on a table of a few pages any other costs as little.
            cursor.execute("SET LOCAL enable_indexscan = off")
        rows = selectors.with_metadata(Transaction.objects.all(), key="order", value="4711")
        assert INDEX in rows.explain()
        assert rows.count() == 30

    def test_ordinary_movements_are_not_in_it(self, ada: User) -> None:
        def pages() -> int:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT pg_relation_size('{INDEX}')")
                return int(cursor.fetchall()[0][0])

        def predicate() -> str:
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_get_expr(indpred, indrelid) FROM pg_index WHERE indexrelid = %s::regclass",
                    [INDEX],
                )
                return str(cursor.fetchall()[0][0])

        before = pages()
        self.moved(ada, {}, times=300)
        assert pages() == before
        assert predicate() == "(NOT (metadata = '{}'::jsonb))"
