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
from transactions.verification.runner import every_check

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("grown")]
Node = dict[str, Any]

BOOKS: Final = {"transactions_ledgerentry", "transactions_transaction"}
# Enough for their indexes to have pages that a question by index need not read.
MOVEMENTS: Final = 1_000
QUESTION = "SELECT (SELECT count(*) FROM transactions_ledgerentry e WHERE {}) FROM transactions_transaction t"


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
    if each_row and "Relation Name" in node and not {"Index Cond", "Recheck Cond"} & set(node):
        yield node["Relation Name"]
    for below in node.get("Plans", ()):
        asked = below["Parent Relationship"] == "SubPlan" and below["Subplan Name"] not in hashed
        yield from _read_whole(below, hashed, each_row=each_row or asked)


def test_every_rule_reads_the_books_once() -> None:
    found = {check.code: read_for_each_row(check.query, check.parameters()) for check in every_check()}
    assert {code: tables for code, tables in found.items() if tables} == {}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("e.transaction_id = t.id", set()),
        (
            "e.transaction_id = t.id OR e.transaction_id IN (SELECT t.reverses_id)",
            {"transactions_ledgerentry"},
        ),
    ],
)
def test_sees_a_question_that_no_index_answers(asked: str, found: set[str]) -> None:
    assert read_for_each_row(QUESTION.format(asked), {}) == found
