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
from transactions.services import TransactionService
from transactions.verification.incremental_queries import Since, query
from transactions.verification.runner import every_check

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("grown")]
Node = dict[str, Any]

ENTRIES: Final = {"transactions_ledgerentry"}
BOOKS: Final = ENTRIES | {"transactions_transaction"}
# Enough for their indexes to have pages that a question by index need not read.
MOVEMENTS: Final = 1_000
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


def read_for_each_row(sql: str, parameters: dict[str, Any]) -> set[str]:
    """Return which of the books a query reads whole once for each row of something else."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", parameters)
        ((plan,),) = cursor.fetchone()
    # A set that is asked whether it has a row is made once.
    hashed = {f"SubPlan {number}" for number in re.findall(r"hashed SubPlan (\d+)", json.dumps(plan))}
    return set(_read_whole(plan["Plan"], hashed, each_row=False)) & BOOKS


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
