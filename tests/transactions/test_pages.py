"""Lists of a customer's movements and lines: page by page the whole, each page read from the end of an index."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import chain

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from fintech_core import clock
from tests.factories import UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import transfer_draft
from transactions import balances, chart, selectors
from transactions.services import TransactionService
from transactions.statements.past import last_balance
from users.models import User

pytestmark = pytest.mark.django_db
Api = Callable[..., APIClient]
MOVEMENTS, LINES = "/api/v1/transactions", "/api/v1/transactions/history"


@pytest.fixture
def ada() -> User:
    """Somebody who has sent, received and moved between wallets of their own, some of it at the same instant."""
    user: User = UserFactory()
    other: User = UserFactory()
    fund(user, "100.00")
    fund(other, "100.00")
    mine, theirs = main_wallet(user), main_wallet(other)
    sent, received = transfer_draft(mine, theirs, "1.00"), transfer_draft(theirs, mine, "2.00")
    for drafts in (
        [sent],
        [received],
        [sent, received, replace(sent, to_user_id=user.pk)],
        [received, sent],
        [sent],
    ):
        fresh = [replace(draft, id=transfer_draft(mine, theirs, "1.00").id, reference="") for draft in drafts]
        with transaction.atomic():
            TransactionService.post_many(fresh, now=clock.now())
    fund(UserFactory(), "5.00")  # somebody else's
    return user


def pages(client: APIClient, path: str, link: str = "next") -> Iterator[list[str]]:
    """Follow the links and return the ids of each page."""
    following: str | None = path
    while following:
        answer = client.get(following).json()
        yield [row["id"] for row in answer["results"]]
        following = answer[link]


def ids(rows: "QuerySet[object]") -> list[str]:
    return [str(pk) for pk in rows.order_by("-created_at", "-id").values_list("pk", flat=True)]


class TestMovements:
    @pytest.mark.parametrize("size", [1, 2, 3, 4, 25])
    def test_each_is_on_one_page_in_order_there_and_back(self, api: Api, ada: User, size: int) -> None:
        whole = ids(selectors.transactions_of(user=ada))
        client = api(ada)
        there = list(pages(client, f"{MOVEMENTS}?page_size={size}"))
        assert len(whole) == 9
        assert list(chain.from_iterable(there)) == whole
        assert {len(page) for page in there[:-1]} <= {size}
        last = client.get(f"{MOVEMENTS}?page_size={size}").json()
        while last["next"]:
            last = client.get(last["next"]).json()
        back = [[row["id"] for row in last["results"]]]
        if last["previous"]:
            back += pages(client, last["previous"], "previous")
        assert [pk for page in reversed(back) for pk in page] == whole

    def test_a_filter_narrows_both_sides(self, api: Api, ada: User) -> None:
        whole = ids(selectors.transactions_of(user=ada).filter(amount=2))
        found = pages(api(ada), f"{MOVEMENTS}?amount_min=2.00&amount_max=2.00&page_size=2")
        assert list(chain.from_iterable(found)) == whole
        assert len(whole) == 3

    def test_zero_is_a_bound_of_amounts(self, api: Api, ada: User) -> None:
        whole = ids(selectors.transactions_of(user=ada))
        for query, found in (("amount_min=0", whole), ("amount_min=0.00", whole), ("amount_max=0", [])):
            assert list(chain.from_iterable(pages(api(ada), f"{MOVEMENTS}?{query}"))) == found

    def test_a_page_costs_the_same_number_of_queries(
        self, api: Api, ada: User, django_assert_num_queries: Callable[[int], object]
    ) -> None:
        client = api(ada)
        client.get(f"{MOVEMENTS}?page_size=1")
        for size in (1, 9):
            with django_assert_num_queries(2):
                client.get(f"{MOVEMENTS}?page_size={size}")


def plan_of(query: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {query}")
        return "\n".join(line for (line,) in cursor.fetchall())


class TestPlans:
    """What has thousands of rows must not be read whole for the newest: each page ends an ordered read of an index."""

    @pytest.fixture(autouse=True)
    def _as_in_a_large_table(self) -> None:
        with connection.cursor() as cursor:
            for other in ("seqscan", "bitmapscan", "sort"):
                cursor.execute(f"SET LOCAL enable_{other} = off")

    def test_of_movements(self, ada: User) -> None:
        plan = selectors.history_of(user=ada).order_by("-created_at", "-id")[0:3].explain()
        for side in ("sender", "receiver"):
            assert re.search(f"Index (Only )?Scan Backward using transaction_by_{side}", plan), plan

    def test_of_lines(self, ada: User) -> None:
        rows = selectors.wallet_lines(user=ada, currency="NGN").order_by("-created_at", "-id")
        plan = rows[:3].explain()
        assert "Index Scan Backward using entry_history_of_wallet" in plan, plan
        assert len(rows) == 9
        assert {row.wallet_id for row in rows} == {main_wallet(ada).pk}

    def test_of_balances_in_the_past(self, ada: User) -> None:
        """One entry of each wallet is looked up, however many it has."""
        before = clock.now() - timedelta(hours=1)
        with CaptureQueriesContext(connection) as asked:
            balances.account_balance(code=chart.CONTROL_ACCOUNTS["main"], currency="NGN", at=before)
            last_balance(wallet_id=main_wallet(ada).pk, until=before)
        plans = [plan_of(query["sql"]) for query in asked if "wallet_balance_after" in query["sql"]]
        assert len(plans) == 2
        for plan in plans:
            assert "Index Scan Backward using entry_history_of_wallet" in plan, plan

    def test_without_a_wallet_there_are_none(self, ada: User) -> None:
        assert list(selectors.wallet_lines(user=ada, currency="USD")) == []
