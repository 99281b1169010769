"""What a rule costs grows with the ledger, not with its square: no question to each row reads the books whole."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest
from django.db import connection, transaction

from fintech_core import clock
from tests.factories import UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import transfer_draft
from transactions.models import Transaction
from transactions.services import TransactionService
from transactions.verification.incremental_queries import Since, query
from transactions.verification.runner import every_check

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("grown")]
Node = dict[str, Any]

ENTRIES: Final = {"transactions_ledgerentry"}
BOOKS: Final = ENTRIES | {"transactions_transaction"}
# Enough for their indexes to have pages that a question by index need not read.
MOVEMENTS: Final = 1_000
ABOUT_RARE_MOVEMENTS: Final = (
    "corrections_alone_are_dated_back", "own_money_stays_with_its_owner",
    "refund_is_of_a_completed_one", "reversal_undoes_a_completed_one", "reversal_is_the_mirror",
    "correction_is_what_was_decided", "conversion_is_what_was_quoted",
)  # fmt: skip
QUESTION = "SELECT (SELECT count(*) FROM transactions_ledgerentry e WHERE {}) FROM transactions_transaction t"
SMALLER_JOURNAL = (
    "WITH transactions_ledgerentry AS MATERIALIZED (SELECT * FROM public.transactions_ledgerentry)"
)


@pytest.fixture
def grown() -> None:
    """A ledger with a thousand transfers."""
    ada, chidi = UserFactory(), UserFactory()
    fund(ada, "2000.00")
    sender, receiver = main_wallet(ada), main_wallet(chidi)
    drafts = [transfer_draft(sender, receiver, "1.00") for _ in range(MOVEMENTS)]
    with transaction.atomic():
        TransactionService.post_many(drafts, now=clock.now())


def planned(sql: str, parameters: dict[str, Any]) -> Node:
    """Return how PostgreSQL would run a query if it read nothing whole that it can find by an index."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", parameters)
        ((plan,),) = cursor.fetchone()
    found: Node = plan["Plan"]
    return found


def read_for_each_row(sql: str, parameters: dict[str, Any]) -> set[str]:
    """Return which of the books a query reads whole once for each row of something else."""
    plan = planned(sql, parameters)
    # A set that is asked whether it has a row is made once.
    hashed = {f"SubPlan {number}" for number in re.findall(r"hashed SubPlan (\d+)", json.dumps(plan))}
    return set(_read_whole(plan, hashed, each_row=False)) & BOOKS


def _read_whole(node: Node, hashed: set[str], *, each_row: bool) -> Iterator[str]:
    read = node.get("Relation Name") or node.get("CTE Name")
    if each_row and read and not {"Index Cond", "Recheck Cond"} & set(node):
        yield read
    for below in node.get("Plans", ()):
        asked = below["Parent Relationship"] == "SubPlan" and below["Subplan Name"] not in hashed
        yield from _read_whole(below, hashed, each_row=each_row or asked)


@pytest.mark.parametrize("since", [None, Since(0, 0)], ids=["a whole run", "an incremental run"])
def test_every_rule_reads_the_books_once(since: Since | None) -> None:
    found = {check.code: read_for_each_row(*query(check, since)) for check in every_check()}
    assert {code: tables for code, tables in found.items() if tables} == {}


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        (QUESTION.format("e.transaction_id = t.id"), set()),
        (QUESTION.format("e.transaction_id = t.id OR e.amount > t.amount"), ENTRIES),
        (f"{SMALLER_JOURNAL} {QUESTION.format('e.transaction_id = t.id')}", ENTRIES),
    ],
    ids=["by an index", "by none", "in a part of the journal"],
)
def test_sees_a_question_that_no_index_answers(sql: str, found: set[str]) -> None:
    assert read_for_each_row(sql, {}) == found


def test_what_is_about_rare_movements_reads_no_ordinary_ones() -> None:
    by_code = {check.code: check for check in every_check()}
    plans = {code: planned(by_code[code].query, by_code[code].parameters()) for code in ABOUT_RARE_MOVEMENTS}
    by_others = {
        code for code, plan in plans.items() if "transaction_out_of_ordinary" not in json.dumps(plan)
    }
    assert by_others == set()


def test_staff_list_rare_movements_by_their_index() -> None:
    listed = Transaction.objects.filter(type="refund").order_by("-id")[:100]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    assert "transaction_out_of_ordinary" in listed.explain()
