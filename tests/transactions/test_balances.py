"""Balances of accounts: a snapshot and what came since are always what all entries add up to."""

import csv
import io
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction

from fintech_core import clock
from fintech_core.watermark import WatermarkStalled
from tests.factories import UserFactory
from tests.transactions.attacks import Attacker, conninfo
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import Story, happened, transfer_draft
from transactions import chart
from transactions.balances import AccountNotFound, account_balance, trial_balance
from transactions.drafts import Post, TransactionDraft, credit_account, debit_account
from transactions.models import BalanceSnapshot, LedgerEntry
from transactions.services import TransactionService
from transactions.services.snapshots import take_snapshots
from transactions.tasks import take_balance_snapshots
from transactions.verification import verify

CLEARING = chart.gateway_clearing("paystack")


def naive(code: str, currency: str = "NGN", at: datetime | None = None) -> Decimal:
    """Add up every entry of an account, debits less credits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(CASE e.direction WHEN 'debit' THEN e.amount ELSE -e.amount END), 0)"
            " FROM transactions_ledgerentry e JOIN transactions_ledgeraccount a ON a.id = e.account_id"
            " WHERE a.code = %s AND a.currency = %s AND (%s::timestamptz IS NULL OR e.created_at <= %s)",
            [code, currency, at, at],
        )
        return Decimal(cursor.fetchall()[0][0])


def move(amount: str) -> None:
    """Move money between two accounts of the general ledger: a posting that locks no wallet."""
    value = Decimal(amount)
    legs = (debit_account("adjustments", value, "NGN"), credit_account(chart.RECEIVABLES, value, "NGN"))
    happened(Post(TransactionDraft(type="adjustment", currency="NGN", amount=value, legs=legs)))


def pay_out(amount: str) -> None:
    """Let a gateway pay out what was on its way: a posting that locks no wallet either, and needs no document."""
    value = Decimal(amount)
    legs = (debit_account("payouts_in_transit", value, "NGN"), credit_account(CLEARING, value, "NGN"))
    happened(Post(TransactionDraft(type="withdrawal", currency="NGN", amount=value, legs=legs)))


def table(*arguments: str) -> tuple[int, str]:
    """Run ``trial_balance`` in this process; return its exit code and what it printed."""
    out = io.StringIO()
    try:
        call_command("trial_balance", *arguments, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


class TestAccountBalance:
    def test_stands_on_the_accounts_own_side(self, committed_db: None) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "500.00")
        happened(Post(transfer_draft(main_wallet(ada), main_wallet(chidi), "100.00", "3.00")))
        assert account_balance(code=CLEARING, currency="NGN") == Decimal("500.00")
        assert account_balance(code=chart.TRANSFER_FEES, currency="NGN") == Decimal("3.00")
        assert account_balance(code=chart.CUSTOMER_WALLETS, currency="NGN") == Decimal("497.00")
        assert account_balance(code=CLEARING, currency="USD") == 0

    def test_counts_a_snapshot_and_the_entries_since_once_each(self, committed_db: None) -> None:
        for amount in ("10.00", "20.00", "30.00"):
            fund(UserFactory(), amount)
            assert take_snapshots(due_after=1) == 1
        fund(UserFactory(), "5.00")
        assert list(BalanceSnapshot.objects.order_by("id").values_list("balance", flat=True)) == [10, 30, 60]
        assert account_balance(code=CLEARING, currency="NGN") == naive(CLEARING) == Decimal("65.00")

    def test_an_account_that_is_not_there_is_told(self, committed_db: None) -> None:
        with pytest.raises(AccountNotFound):
            account_balance(code="nothing", currency="NGN")

    def test_at_an_instant_is_what_was_recorded_by_then(self, committed_db: None) -> None:
        instants = []
        for number in range(1, 7):
            ada = UserFactory()
            fund(ada, f"{number}.00")
            move(f"{number}.50")
            instants.append(LedgerEntry.objects.latest("id").created_at)
            if number % 2:
                take_snapshots(due_after=1)
        for instant in (instants[0] - timedelta(seconds=1), *instants, clock.now()):
            for code, sign in ((CLEARING, 1), (chart.RECEIVABLES, 1), (chart.CUSTOMER_WALLETS, -1)):
                found = account_balance(code=code, currency="NGN", at=instant)
                assert found == sign * naive(code, at=instant), (code, instant)


class TestSnapshots:
    def test_none_is_due_before_an_hour_or_a_thousand_entries(self, committed_db: None) -> None:
        fund(UserFactory(), "10.00")
        assert take_snapshots() == 1
        fund(UserFactory(), "10.00")
        assert take_snapshots() == 0
        assert take_snapshots(due_after=1) == 1
        assert take_snapshots(due_after=1) == 0

    def test_the_job_records_what_it_did(self, committed_db: None) -> None:
        fund(UserFactory(), "10.00")
        take_balance_snapshots()
        row = BalanceSnapshot.objects.get()
        assert (row.account.code, row.balance, row.currency) == (CLEARING, 10, "NGN")
        assert row.taken_at >= LedgerEntry.objects.latest("id").created_at

    def test_two_at_once_write_one(self, committed_db: None) -> None:
        fund(UserFactory(), "10.00")

        def take() -> None:
            try:
                take_snapshots(due_after=1)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert BalanceSnapshot.objects.count() == 1

    @pytest.mark.parametrize("role", ["default", "owner"])
    @pytest.mark.parametrize("change", ["UPDATE {} SET balance = 0", "DELETE FROM {}", "TRUNCATE {}"])
    def test_nobody_rewrites_one(self, story: Story, role: str, change: str) -> None:
        rule = Attacker(story, role).refused(change.format("transactions_balancesnapshot"))
        assert rule in {"no right", "snapshots_are_append_only"}
        assert (rule == "no right") == (role == "default")


class OpenPosting:
    """A posting of somebody else that moves 7.00 into the fees of transfers and is not committed yet."""

    def __init__(self) -> None:
        self.session = psycopg.connect(conninfo("default"))

    def begin(self) -> None:
        """Open the transaction and draw its xid, as the lock of a wallet does."""
        self.session.execute("SELECT pg_current_xact_id()")

    def write(self, *, at: str = "clock_timestamp()") -> None:
        """Insert a transaction with its two entries."""
        self.session.execute(
            "WITH made AS (INSERT INTO transactions_transaction (id, reference, type, status, currency, amount, fee,"
            " description, metadata, source_kind, converted_currency, failure_code, created_at, completed_at)"
            " SELECT gen_random_uuid(), gen_random_uuid()::text, 'adjustment', 'completed', 'NGN', 7, 0, '', '{}', '',"
            f" '', '', moment.at, moment.at FROM (SELECT {at} AS at) moment RETURNING id, created_at)"
            " INSERT INTO transactions_ledgerentry"
            " (transaction_id, account_id, direction, amount, currency, created_at)"
            " SELECT made.id, a.id, CASE a.code WHEN 'receivables' THEN 'credit' ELSE 'debit' END, 7, 'NGN',"
            " made.created_at FROM made, transactions_ledgeraccount a"
            " WHERE a.currency = 'NGN' AND a.code IN ('adjustments', 'receivables')"
        )


@pytest.fixture
def postings(committed_db: None) -> Iterator[list[OpenPosting]]:
    """Three postings with connections of their own."""
    with ExitStack() as stack:
        made = [OpenPosting() for _ in range(3)]
        for posting in made:
            stack.callback(posting.session.close)
        yield made


class TestLateCommits:
    def test_a_posting_held_open_stalls_the_snapshot_and_is_lost_by_none(
        self, postings: list[OpenPosting]
    ) -> None:
        slow = postings[0]
        slow.begin()
        slow.write()
        move("5.00")
        with pytest.raises(WatermarkStalled):
            take_snapshots(due_after=1, wait_s=0)
        assert not BalanceSnapshot.objects.exists()
        slow.session.commit()
        assert take_snapshots(due_after=1) == 2
        assert account_balance(code=chart.RECEIVABLES, currency="NGN") == naive(chart.RECEIVABLES) == -12

    def test_one_that_says_an_earlier_time_but_begins_after_the_cut_is_counted(
        self, postings: list[OpenPosting]
    ) -> None:
        late = postings[0]
        move("5.00")
        take_snapshots(due_after=1)
        late.begin()
        late.write(at="clock_timestamp() - interval '1 minute'")
        late.session.commit()
        assert account_balance(code=chart.RECEIVABLES, currency="NGN") == naive(chart.RECEIVABLES) == -12
        take_snapshots(due_after=1)
        assert account_balance(code=chart.RECEIVABLES, currency="NGN") == -12

    def test_two_open_writers_above_the_last_completed_one_are_both_counted(
        self, postings: list[OpenPosting]
    ) -> None:
        first, second, early = postings
        early.begin()
        first.begin()
        second.begin()
        first.write()
        second.write()
        early.write()
        early.session.commit()
        with pytest.raises(WatermarkStalled):
            take_snapshots(due_after=1, wait_s=0)
        second.session.commit()
        with pytest.raises(WatermarkStalled):
            take_snapshots(due_after=1, wait_s=0)
        first.session.commit()
        take_snapshots(due_after=1)
        assert account_balance(code=chart.RECEIVABLES, currency="NGN") == naive(chart.RECEIVABLES) == -21

    @pytest.mark.concurrency
    def test_snapshots_under_load_lose_nothing(self, committed_db: None) -> None:
        stop = threading.Event()

        def post() -> None:
            try:
                while not stop.is_set():
                    pay_out("1.00")
            finally:
                connections.close_all()

        threads = [threading.Thread(target=post) for _ in range(3)]
        for thread in threads:
            thread.start()
        taken = sum(take_snapshots(due_after=1, wait_s=20) for _ in range(15))
        stop.set()
        for thread in threads:
            thread.join(20)
        assert taken >= 10
        assert account_balance(code=CLEARING, currency="NGN") == naive(CLEARING) < 0
        assert verify().broken == {}


class TestTrialBalance:
    def test_balances_by_currency_over_a_whole_story(self, story: Story, django_db_blocker: Any) -> None:
        with django_db_blocker.unblock():
            found = trial_balance()
            assert found.balanced
            sums = {row.currency: row.debits for row in found.sums}
            assert sums["NGN"] > 0
            assert sums["USD"] == 7
            for row in found.accounts:
                assert row.signed == naive(row.code, row.currency), row
            then = trial_balance(as_of=story.transfer.created_at)
            assert then.balanced
            for row in then.accounts:
                assert row.signed == naive(row.code, row.currency, story.transfer.created_at), row

    def test_prints_a_table_and_ends_with_zero(self, committed_db: None) -> None:
        fund(UserFactory(), "1234.50")
        code, printed = table("--currency", "ngn")
        assert code == 0
        assert "gateway_clearing:paystack" in printed
        assert [line.split()[-2:] for line in printed.splitlines() if line.startswith("total")] == [
            ["1234.50", "1234.50"]
        ]

    def test_json_and_csv_tell_the_same(self, committed_db: None) -> None:
        fund(UserFactory(), "1234.50")
        told = json.loads(table("--json")[1])
        assert told["balanced"] is True
        rows = list(csv.DictReader(io.StringIO(table("--csv")[1])))
        assert len(rows) == len(told["accounts"])
        clearing = next(row for row in rows if row["account"] == CLEARING and row["currency"] == "NGN")
        assert (clearing["debit"], clearing["credit"]) == ("1234.50", "")

    def test_a_name_that_is_a_formula_is_harmless_in_csv(self, committed_db: None) -> None:
        with psycopg.connect(conninfo("owner")) as owner:
            owner.execute(
                "UPDATE transactions_ledgeraccount SET name = '=HYPERLINK(\"x\")' WHERE code = 'suspense'"
            )
        rows = list(csv.DictReader(io.StringIO(table("--csv")[1])))
        assert {row["name"] for row in rows if row["account"] == "suspense"} == {'\'=HYPERLINK("x")'}

    def test_as_of_a_day_is_to_its_end_and_of_a_past_one_empty(self, committed_db: None) -> None:
        fund(UserFactory(), "10.00")
        today = clock.business_day(clock.now())
        told = json.loads(table("--json", "--as-of", today.isoformat(), "--currency=NGN")[1])
        assert told["sums"][0]["debits"] == "10.00"
        before = (today - timedelta(days=1)).isoformat()
        assert {row["debits"] for row in json.loads(table("--json", "--as-of", before)[1])["sums"]} >= {
            "0.00"
        }
        assert "10.00" not in table("--as-of", before)[1]

    def test_books_that_do_not_balance_are_exit_3(self, committed_db: None) -> None:
        user = UserFactory()
        fund(user, "10.00")
        with psycopg.connect(conninfo("owner")) as owner:
            owner.execute("ALTER TABLE wallet_wallet DISABLE TRIGGER USER")
            owner.execute(
                "UPDATE wallet_wallet SET balance = 11 WHERE owner_id = %s AND kind = 'main'", [user.pk]
            )
            owner.execute("ALTER TABLE wallet_wallet ENABLE TRIGGER USER")
        code, printed = table()
        assert code == 3
        assert "NGN is off by -1.00: run manage.py verify_ledger" in printed

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--as-of", "soon"),
            ("--as-of", "0001-01-01T00:00:00+14:00"),
            ("--currency", "XXX"),
            ("--json", "--csv"),
        ],
    )
    def test_nonsense_is_refused(self, committed_db: None, arguments: tuple[str, ...]) -> None:
        with pytest.raises(CommandError):
            table(*arguments)

    def test_reads_what_the_service_wrote(self, committed_db: None) -> None:
        ada = UserFactory()
        funding = fund(ada, "10.00")
        with transaction.atomic():
            TransactionService.reverse(funding, actor=None, reason="x", now=clock.now())
        assert all(row.balance == 0 for row in trial_balance().accounts)
