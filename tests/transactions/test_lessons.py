"""The 35 bugs that other ledgers had, and the test that holds each of them off here.

``tests/CASES.md`` says what each bug was and whose. ``HELD_OFF_BY`` names, for each, a test that would fail if it were
ours; those that stand nowhere else are in this file. What cannot exist here, and why:

* 8, a chain of blocks whose key lacks the ledger, so that a second ledger collides: there is one ledger and one chain.
* 12, cancelling a pending overdraft leaves money and overdraft at once: there are no overdrafts. What is near, a debt
  on ``receivables`` beside the money that it stands for, is tested.
* 20, in part: a hold of a conversion. A conversion is posted at once, by a quote.
* 24, in part: a dry run takes ids from sequences, as every rollback does. Nothing counts by them; a wallet counts by
  the version of its entries, which is tested.
* 33, in part: there is no second database to read from yet. That the money never chooses a connection is tested.
"""

import ast
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.db import connection, transaction
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from rest_framework.test import APIClient

from fintech_core import clock
from tests.factories import StaffFactory, UserFactory
from tests.transactions.money import PIN, fund, main_wallet, with_pin
from tests.transactions.story import bill_draft, happened, settlement, transfer_draft
from transactions.drafts import (
    Authorize,
    Capture,
    Post,
    Void,
    credit_account,
    credit_wallet,
    debit_wallet,
)
from transactions.errors import ChartViolation, SameWallet, TransactionNotPending
from transactions.models import LedgerEntry, Transaction
from transactions.services import TransactionService, expiry, transfers
from transactions.verification import verify
from users.models import User

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[2]
MONEY_APPS = ("transactions", "wallet", "payments", "billers", "cashback")
Api = Callable[..., APIClient]
HERE = "tests/transactions/test_lessons.py"
UNDOING, EXPIRY = "tests/transactions/test_undoing.py", "tests/transactions/test_expiry.py"
BALANCES, SEALS = "tests/transactions/test_balances.py", "tests/transactions/test_seals.py"
PAST, VERIFY = "tests/transactions/test_balance_at.py", "tests/transactions/test_verify_ledger.py"
KEYS = "tests/concurrency/test_idempotency.py"
HOLDS, SPENDING = "tests/concurrency/test_holds.py", "tests/concurrency/test_spending.py"

HELD_OFF_BY: dict[int, tuple[str, str]] = {
    1: (BALANCES, "test_a_posting_held_open_stalls_the_snapshot_and_is_lost_by_none"),
    2: (SEALS, "test_an_open_posting_stalls_it_and_is_in_the_next_link"),
    3: (PAST, "test_both_clocks_agree_with_every_entry_added_up_by_hand"),
    4: (PAST, "test_medici_117_the_reversal_of_a_dated_correction_leaves_every_balance_right"),
    5: (SEALS, "test_a_cut_off_tail_is_found_even_when_seals_and_rows_agree"),
    6: (SEALS, "test_every_column_of_the_books_is_sealed_or_derived"),
    7: (SEALS, "test_golden_bytes_of_text"),
    9: (KEYS, "test_w3_lesson_9_a_lost_answer_is_found_by_the_key"),
    10: (SPENDING, "test_lesson_10_a_freeze_racing_with_100_transfers_leaves_exact_balances"),
    11: ("tests/concurrency/test_limits.py", "test_lesson_11_20_sends_of_100_against_the_last_100"),
    12: (HERE, "test_lesson_12_a_debt_and_the_money_it_stands_for_are_never_there_at_once"),
    13: (SPENDING, "test_lesson_13_money_never_lands_in_a_wallet_that_was_stopped"),
    14: (HOLDS, "test_lesson_14_of_50_voids_one_wins"),
    15: (HOLDS, "test_lesson_15_of_50_captures_one_wins"),
    16: (HERE, "test_lesson_16_what_has_ended_or_is_anothers_is_not_captured"),
    17: (HERE, "test_lesson_17_holds_count_in_the_balance_check"),
    18: (HERE, "test_lesson_18_every_id_that_was_returned_can_be_acted_on"),
    19: (HERE, "test_lesson_19_metadata_shadows_nothing_and_outlives_no_state"),
    20: ("tests/transactions/test_conversions.py", "test_b_61_every_pair_keeps_each_currencys_decimals"),
    21: ("tests/fintech_core/test_money.py", "test_parts_sum_to_the_whole"),
    22: (HERE, "test_lesson_22_to_oneself_or_below_zero_is_refused_before_any_lock"),
    23: (KEYS, "test_lesson_23_a_client_that_leaves_in_the_middle_leaves_no_lock"),
    24: ("tests/transactions/test_dry_run.py", "test_answers_200_without_key_and_pin_and_keeps_nothing"),
    25: (UNDOING, "test_lesson_25_reversing_does_not_look_at_what_only_passed_through"),
    26: ("tests/transactions/test_lessons_paths.py", "test_lesson_26_no_path_takes_more_than_there_is"),
    27: ("tests/transactions/test_post_many.py",
         "test_lesson_27_a_reference_twice_in_a_batch_or_equal_to_an_old_one_is_refused"),
    28: (VERIFY, "test_an_edited_entry_is_found"),
    29: (HERE, "test_lesson_29_an_unknown_filter_is_never_all_rows"),
    30: (SPENDING, "test_lesson_30_many_threads_on_one_wallet_never_overdraw_it"),
    31: (KEYS, "test_lesson_31_a_lock_timeout_is_busy_and_not_a_lack_of_money"),
    32: (EXPIRY, "test_lesson_32_an_instant_before_its_time_it_is_held_listed_and_captured"),
    33: (HERE, "test_lesson_33_money_is_decided_on_the_one_database"),
    34: (HERE, "test_lesson_34_lines_of_one_instant_page_stably"),
    35: (HERE, "test_lesson_35_no_invariant_waits_for_the_commit"),
}  # fmt: skip
IMPOSSIBLE = {8}


def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.fixture
def ada(settings: Settings) -> User:
    """A sender with 100.00 and a PIN."""
    settings.RATE_LIMITS = False
    user = with_pin(UserFactory())
    fund(user, "100.00")
    return user


def send(client: APIClient, to: User, **body: Any) -> dict[str, Any]:
    answer = client.post(
        "/api/v1/transactions/transfer", {"to": to.email, "amount": "40.00", "pin": PIN, **body}, format="json",
        headers={"Idempotency-Key": str(uuid4())},
    )  # fmt: skip
    told: dict[str, Any] = answer.json()
    assert answer.status_code == 201, told
    return told


class TestInventory:
    def test_each_of_the_35_is_held_off_or_cannot_exist(self) -> None:
        assert set(HELD_OFF_BY) | IMPOSSIBLE == set(range(1, 36))
        assert not set(HELD_OFF_BY) & IMPOSSIBLE

    def test_every_test_that_is_named_is_there(self) -> None:
        assert [name for path, name in HELD_OFF_BY.values() if name not in names_in(path)] == []


class TestHolds:
    def test_lesson_12_a_debt_and_the_money_it_stands_for_are_never_there_at_once(self) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "100.00")
        sent = happened(Post(transfer_draft(main_wallet(ada), main_wallet(chidi), "40.00")))
        happened(Post(transfer_draft(main_wallet(chidi), main_wallet(UserFactory()), "30.00")))

        def debt() -> Decimal:
            lines = LedgerEntry.objects.filter(account__code="receivables")
            owed = {
                side: lines.filter(direction=side).aggregate(s=Sum("amount"))["s"]
                for side in ("debit", "credit")
            }
            return Decimal(owed["debit"] or 0) - Decimal(owed["credit"] or 0)

        with transaction.atomic():
            refund = TransactionService.refund(
                sent, actor=None, reason="goods came back", book_shortfall=True, now=clock.now()
            )
        assert (main_wallet(chidi).balance, debt()) == (0, 30)
        with transaction.atomic():
            TransactionService.reverse(refund, actor=None, reason="they did not", now=clock.now())
        assert (main_wallet(chidi).balance, debt()) == (10, 0)
        assert verify().findings == ()

    @pytest.mark.parametrize("end", ["captured", "voided", "expired", "anothers", "never_held"])
    def test_lesson_16_what_has_ended_or_is_anothers_is_not_captured(self, end: str) -> None:
        ada, bola = UserFactory(), UserFactory()
        fund(ada, "100.00")
        fund(bola, "100.00")
        hold = happened(Authorize(bill_draft(main_wallet(ada), "40.00")))
        whole = settlement(hold, main_wallet(ada), hold.amount, hold.fee, hold.fee)
        if end == "captured":
            happened(whole)
        elif end == "voided":
            happened(Void(hold.pk, "declined"))
        elif end == "expired":
            happened(Void(hold.pk, expiry.EXPIRED))
        elif end == "anothers":
            whole = settlement(hold, main_wallet(bola), hold.amount, hold.fee, hold.fee)
        else:
            whole = Capture(uuid4(), whole.legs, whole.amount)
        before = [(wallet.balance, wallet.held) for wallet in (main_wallet(ada), main_wallet(bola))]
        with pytest.raises((TransactionNotPending, ChartViolation)):
            happened(whole)
        assert [(wallet.balance, wallet.held) for wallet in (main_wallet(ada), main_wallet(bola))] == before

    def test_lesson_17_holds_count_in_the_balance_check(self) -> None:
        ada = UserFactory()
        fund(ada, "5000.00")
        for _ in range(5):
            happened(Authorize(bill_draft(main_wallet(ada), "1000.00")))
        for operation in (
            Authorize(bill_draft(main_wallet(ada), "1000.00")),
            Authorize(bill_draft(main_wallet(ada), "0.01")),
            Post(transfer_draft(main_wallet(ada), main_wallet(UserFactory()), "0.01")),
        ):
            with pytest.raises(Exception, match="insufficient_funds"):
                happened(operation)
        assert (main_wallet(ada).balance, main_wallet(ada).held) == (5000, 5000)


class TestAnswers:
    def test_lesson_18_every_id_that_was_returned_can_be_acted_on(self, api: Api, ada: User) -> None:
        mine, staff = api(ada), api(StaffFactory(is_superuser=True))
        first, second = send(mine, UserFactory()), send(mine, UserFactory())
        items = [{"to": UserFactory().email, "amount": "1.00"} for _ in range(2)]
        bulk = mine.post(
            "/api/v1/transactions/transfer/bulk", {"items": items, "pin": PIN}, format="json",
            headers={"Idempotency-Key": str(uuid4())},
        ).json()  # fmt: skip
        ids = {first["id"], second["id"], *(row["transaction_id"] for row in bulk["results"])}
        ids |= {row["id"] for row in mine.get("/api/v1/transactions?page_size=100").json()["results"]}
        ids |= {row["transaction_id"] for row in mine.get("/api/v1/transactions/history").json()["results"]}
        undoing = {"reverse": first["id"], "refund": second["id"]}
        for verb, transaction_id in undoing.items():
            answer = staff.post(
                f"/api/v1/admin/transactions/{transaction_id}/{verb}", {"reason": "error"}, format="json",
                headers={"Idempotency-Key": str(uuid4())},
            )  # fmt: skip
            assert answer.status_code == 201, answer.content
            ids.add(answer.json()["id"])
        assert len(ids) == 7
        for transaction_id in ids:
            shown = mine.get(f"/api/v1/transactions/{transaction_id}").json()
            assert shown["id"] == transaction_id
            ids_within = [shown["reverses"], shown["reversed_by"], shown["refund_of"], *shown["refunds"]]
            assert {linked for linked in ids_within if linked} <= ids
            assert mine.get(f"/api/v1/transactions/{transaction_id}/entries").json()["results"]

    def test_lesson_19_metadata_shadows_nothing_and_outlives_no_state(self, api: Api, ada: User) -> None:
        lies = {
            "status": "failed",
            "amount": "0.01",
            "reversed_by": "x",
            "fee": "9",
            "is_final": "no",
            "refunds": "[]",
        }
        client = api(ada)
        sent = send(client, UserFactory(), metadata=lies)
        assert (sent["status"], sent["amount"], sent["reversed_by"]) == ("completed", "40.00", None)
        with transaction.atomic():
            TransactionService.reverse(
                Transaction.objects.get(pk=sent["id"]), actor=None, reason="error", now=clock.now()
            )
        shown = client.get(f"/api/v1/transactions/{sent['id']}").json()
        assert shown["metadata"] == lies
        assert shown["reversed_by"] is not None
        assert Transaction.objects.get(reverses=sent["id"]).metadata == {}

    @pytest.mark.parametrize(
        "query",
        [
            "foo=1", "user=x", "amount__gte=1", "amount[gte]=1", "status[]=failed", "status=nonsense", "type=*",
            "currency=XXX", "created_after=yesterday", "amount_min=NaN", "amount_min=1e2", "owner_id=1 OR 1=1",
            "order_by=id", "page_size=0", "reference__startswith=T",
        ],
    )  # fmt: skip
    def test_lesson_29_an_unknown_filter_is_never_all_rows(self, api: Api, ada: User, query: str) -> None:
        answer = api(ada).get(f"/api/v1/transactions?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
        assert "results" not in answer.json()

    @pytest.mark.parametrize(
        "text", ["' OR 1=1 --", "%", "_", "\\", "'; DROP TABLE users_user; --", "nonsense"]
    )
    def test_lesson_29_what_is_searched_for_is_a_text(self, api: Api, ada: User, text: str) -> None:
        client = api(ada)
        send(client, UserFactory(), description="rent")
        for name in ("search", "reference"):
            answer = client.get("/api/v1/transactions", {name: text})
            assert (answer.status_code, answer.json()["results"]) == (200, [])

    def test_lesson_34_lines_of_one_instant_page_stably(self, api: Api, ada: User) -> None:
        wallet, crowd = main_wallet(ada), [main_wallet(UserFactory()) for _ in range(3)]
        with transaction.atomic():
            drafts = [transfer_draft(wallet, crowd[number % 3], "1.00") for number in range(40)]
            TransactionService.post_many(drafts, now=clock.now())
        assert LedgerEntry.objects.filter(wallet=wallet).values("created_at").distinct().count() == 2
        for path, key in (("/transactions", "id"), ("/transactions/history", "transaction_id")):
            whole = [row[key] for row in api(ada).get(f"/api/v1{path}?page_size=100").json()["results"]]
            paged, url = [], f"/api/v1{path}?page_size=7"
            while url:
                page = api(ada).get(url).json()
                paged += [row[key] for row in page["results"]]
                url = page["next"]
            assert paged == whole
            assert len(set(paged)) == 41
        lines = api(ada).get("/api/v1/transactions/history?page_size=100").json()["results"]
        assert [row["balance_after"] for row in lines] == [f"{balance}.00" for balance in range(60, 101)]


class TestBeforeAnyLock:
    def test_lesson_22_to_oneself_or_below_zero_is_refused_before_any_lock(self, api: Api, ada: User) -> None:
        chidi = UserFactory()
        with CaptureQueriesContext(connection) as asked:
            sending = transfers.Sending(ada, ada.email, "NGN", Decimal(1))
            with pytest.raises(SameWallet), transaction.atomic():
                transfers.send_money(sending=sending.prefetch(), now=clock.now())
            for amount in ("-1.00", "0.00", "-0"):
                answer = api(ada).post(
                    "/api/v1/transactions/transfer", {"to": chidi.email, "amount": amount, "pin": PIN}, format="json",
                    headers={"Idempotency-Key": str(uuid4())},
                )  # fmt: skip
                assert answer.status_code == 400
        assert [query["sql"] for query in asked if "FOR NO KEY UPDATE" in query["sql"]] == []

    @pytest.mark.parametrize("amount", ["-1.00", "0.00"])
    def test_lesson_22_no_leg_is_zero_or_below_whoever_makes_it(self, ada: User, amount: str) -> None:
        value, wallet = Decimal(amount), main_wallet(ada)
        for legs in (
            (debit_wallet(wallet.pk, value, "NGN"), credit_account("adjustments", value, "NGN")),
            (credit_wallet(wallet.pk, value, "NGN"), credit_account("adjustments", -value, "NGN")),
        ):
            draft = transfer_draft(wallet, main_wallet(UserFactory()), "1.00")
            with pytest.raises(ChartViolation):
                happened(Post(type(draft)(type="adjustment", currency="NGN", amount=Decimal(1), legs=legs)))
        assert main_wallet(ada).balance == 100


class TestDryRun:
    def test_lesson_24_a_dry_run_leaves_no_gap_where_something_is_counted(self, api: Api, ada: User) -> None:
        body = {"to": UserFactory().email, "amount": "1.00"}
        for _ in range(3):
            api(ada).post("/api/v1/transactions/transfer?dry_run=true", body, format="json")
        happened(Post(transfer_draft(main_wallet(ada), main_wallet(UserFactory()), "1.00")))
        versions = LedgerEntry.objects.filter(wallet=main_wallet(ada)).order_by("id")
        assert list(versions.values_list("wallet_version", flat=True)) == [1, 2]
        assert verify().findings == ()


class TestSources:
    """What is proven by reading the code, since it would have to be written first."""

    @staticmethod
    def calls(name: str) -> list[tuple[str, ast.Call]]:
        return [
            (str(file.relative_to(ROOT)), node)
            for app in MONEY_APPS
            for file in sorted((ROOT / app).rglob("*.py"))
            if "migrations" not in file.parts
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name
        ]

    def test_lesson_33_money_is_decided_on_the_one_database(self) -> None:
        assert set(django_settings.DATABASES) == {"default", "owner"}
        names = {django_settings.DATABASES[alias]["NAME"] for alias in ("default", "owner")}
        assert len(names) == 1
        chosen = {path for path, _ in self.calls("using") if "verification" not in path}
        assert {
            path for path in chosen if "/services/" in path or "views" in path or "selectors" in path
        } == set()

    def test_lesson_35_no_invariant_waits_for_the_commit(self) -> None:
        """After a commit only bells are rung, and what this process remembers is forgotten."""
        harmless = ("_ring", "_memory.forget", "crashpoints.reach")
        found = {(path, ast.unparse(call.args[0])) for path, call in self.calls("on_commit")}
        assert found
        assert {(path, what) for path, what in found if not any(name in what for name in harmless)} == set()
        assert self.calls("delay") == []
