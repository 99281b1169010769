"""Seals: the chain covers every old fact, and shows who changed one, cut the end off, or made a chain of their own."""

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from pytest_django import Settings
from pytest_django.plugin import DjangoDbBlocker

from fintech_core.watermark import WatermarkStalled
from tests.factories import UserFactory
from tests.transactions.attacks import Attacker, conninfo
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import Story, bill_draft, happened, transfer_draft
from transactions.drafts import Authorize, Post, Void
from transactions.models import LedgerEntry, LedgerSeal, Transaction
from transactions.sealing import canonical, chain
from transactions.sealing.publishing import Head, read
from transactions.tasks import seal_ledger
from transactions.verification import verify
from wallet.models import Wallet

NAIVE = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
DERIVED = {
    "balance",
    "held",
    "status",
    "version",
    "last_entry_at",
    "spent_today",
    "spent_this_month",
    "spent_on",
}


def command(name: str, *arguments: str) -> tuple[int, str]:
    """Run a command in this process; return its exit code and what it printed."""
    out = io.StringIO()
    try:
        call_command(name, *arguments, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


@contextmanager
def owner() -> Iterator[psycopg.Connection[Any]]:
    """The owner of the tables, with the triggers of all of them off, committed at the end."""
    tables = (
        "transactions_ledgerentry",
        "transactions_transaction",
        "wallet_wallet",
        "transactions_ledgerseal",
    )
    with psycopg.connect(conninfo("owner")) as session:
        for table in tables:
            session.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield session


def broken(**options: Any) -> set[str]:
    """Return the rules that do not hold, less those about what ``owner`` leaves off."""
    return set(verify(with_seals=True, **options).broken) - {"triggers_are_on", "constraints_are_valid"}


@pytest.fixture
def sealed(committed_db: None) -> tuple[Transaction, Transaction, Transaction]:
    """A transfer, a hold that was voided and one that is open, an empty wallet, sealed in links of three entries."""
    ada, chidi, _ = UserFactory(), UserFactory(), UserFactory()
    fund(ada, "500.00")
    fund(chidi, "10.00")
    sent = happened(Post(transfer_draft(main_wallet(ada), main_wallet(chidi), "100.00", "3.00")))
    voided = happened(Authorize(bill_draft(main_wallet(ada), "50.00")))
    happened(Void(voided.pk, "declined"))
    pending = happened(Authorize(bill_draft(main_wallet(ada), "20.00")))
    assert len(chain.seal(link_entries=3)) == 3
    return sent, voided, pending


class TestCanonicalBytes:
    def test_golden_bytes_of_an_entry(self) -> None:
        values = (
            7, UUID("0198C0DE-0000-7000-8000-00000000000A"), "customer_wallets", None, "debit", Decimal("1.10"),
            "NGN", Decimal("0.0000"), 12, datetime(2026, 3, 29, 2, 30, 0, 5, tzinfo=timezone(timedelta(hours=1))), None,
        )  # fmt: skip
        assert canonical.line("entry", values) == (
            b'{"fact":"entry","id":7,"transaction_id":"0198c0de-0000-7000-8000-00000000000a",'
            b'"account":"customer_wallets","wallet_id":null,"direction":"debit","amount":"1.1","currency":"NGN",'
            b'"wallet_balance_after":"0","wallet_version":12,"created_at":"2026-03-29T01:30:00.000005Z",'
            b'"effective_at":null}\n'
        )

    @pytest.mark.parametrize(
        ("text", "written"),
        [
            ("Ẹ kú ọjọ́", '"Ẹ kú ọjọ́"'),
            ("🧾 100%", '"🧾 100%"'),
            ('a\nb\t"c"\\', r'"a\nb\t\"c\"\\"'),
            ("\x01\x7f", '"\\u0001\x7f"'),
            ("e\u0301", '"e\u0301"'),
        ],
    )
    def test_golden_bytes_of_text(self, text: str, written: str) -> None:
        values: list[Any] = [None] * len(canonical.TRANSACTION)
        values[canonical.TRANSACTION.index("description")] = text
        assert f'"description":{written},'.encode() in canonical.line("transaction", values)

    @pytest.mark.parametrize(
        ("value", "written"),
        [
            ("1.10", "1.1"), ("1.1", "1.1"), ("100", "100"), ("1E+2", "100"), ("0.0000", "0"), ("-0.00", "0"),
            ("0.00010000", "0.0001"), ("999999999999999.9999", "999999999999999.9999"), ("1500.0000", "1500"),
        ],
    )  # fmt: skip
    def test_equal_numbers_are_written_alike(self, value: str, written: str) -> None:
        assert canonical.number(Decimal(value)) == written

    @pytest.mark.parametrize("value", [1.5, NAIVE, b"x", True, {"a": 1}])
    def test_what_no_column_has_is_refused(self, value: Any) -> None:
        with pytest.raises(TypeError):
            canonical.line("wallet", [value, None, None, None, None])

    def test_the_same_instant_in_another_zone_is_the_same(self) -> None:
        at = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
        there = at.astimezone(timezone(timedelta(hours=-5)))
        facts = [None, None, None, None]
        assert canonical.line("wallet", [*facts, at]) == canonical.line("wallet", [*facts, there])

    def test_every_column_of_the_books_is_sealed_or_derived(self) -> None:
        columns = {field.column for field in Transaction._meta.concrete_fields}
        assert columns == set(canonical.TRANSACTION) | set(canonical.SPLIT)
        assert {field.column for field in LedgerEntry._meta.concrete_fields} == (
            set(canonical.ENTRY) - {"account"} | {"account_id"}
        )
        assert {field.column for field in Wallet._meta.concrete_fields} == set(canonical.OPENING) | DERIVED
        assert {field.column for field in LedgerSeal._meta.concrete_fields} == {
            *canonical.SEAL,
            "chain",
            "mac",
        }


class TestSealing:
    def test_the_chain_holds_and_nothing_is_sealed_twice(self, sealed: Any) -> None:
        assert broken() == set()
        assert chain.seal() == []
        fund(UserFactory(), "1.00")
        (link,) = chain.seal()
        assert (link.number, link.entries) == (4, 2)
        assert broken() == set()

    def test_every_entry_and_hold_is_in_exactly_one_link(self, sealed: Any) -> None:
        links = list(LedgerSeal.objects.order_by("number"))
        assert sum(link.entries for link in links) == LedgerEntry.objects.count()
        assert sum(link.holds for link in links) == 3  # two made, one ended
        assert links[0].previous == chain.FIRST
        assert [link.previous for link in links[1:]] == [link.chain for link in links[:-1]]

    def test_the_job_seals_and_says_how_many(self, committed_db: None) -> None:
        fund(UserFactory(), "1.00")
        seal_ledger()
        assert LedgerSeal.objects.get().entries == 2

    def test_an_empty_ledger_has_nothing_to_seal(self, committed_db: None) -> None:
        assert command("seal_ledger") == (0, "Nothing to seal yet.\n")

    def test_runs_at_once_make_one_chain(self, committed_db: None) -> None:
        for _ in range(6):
            fund(UserFactory(), "1.00")

        def work() -> None:
            try:
                chain.seal(link_entries=2)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        chain.seal()
        assert sum(LedgerSeal.objects.values_list("entries", flat=True)) == 12
        assert broken() == set()

    def test_an_open_posting_stalls_it_and_is_in_the_next_link(self, committed_db: None) -> None:
        fund(UserFactory(), "1.00")
        with psycopg.connect(conninfo("default")) as slow:
            slow.execute("SELECT pg_current_xact_id(), nextval('transactions_ledgerentry_id_seq')")
            with pytest.raises(WatermarkStalled):
                chain.seal(wait_s=0)
            assert not LedgerSeal.objects.exists()
        assert len(chain.seal()) == 1

    def test_a_hold_that_commits_late_is_in_a_link_and_never_in_none(self, committed_db: None) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "500.00")
        fund(chidi, "500.00")
        with psycopg.connect(conninfo("default")) as slow:
            slow.execute("SELECT 1 FROM wallet_wallet WHERE id = %s FOR NO KEY UPDATE", [main_wallet(ada).pk])
            slow.execute("SELECT nextval('transactions_two_phase_seq')")
            happened(Authorize(bill_draft(main_wallet(chidi), "5.00")))
            with pytest.raises(WatermarkStalled):
                chain.seal(wait_s=0)
        happened(Authorize(bill_draft(main_wallet(ada), "5.00")))
        chain.seal()
        assert sum(LedgerSeal.objects.values_list("holds", flat=True)) == 2
        assert broken() == set()

    def test_a_new_key_seals_and_the_old_one_still_proves(self, sealed: Any, settings: Settings) -> None:
        settings.SEAL_KEYS = ["k2:another-secret-of-at-least-32-bytes-xx", *settings.SEAL_KEYS]
        fund(UserFactory(), "1.00")
        assert chain.seal()[0].key_id == "k2"
        assert broken() == set()
        settings.SEAL_KEYS = settings.SEAL_KEYS[:1]
        assert broken() == {"seal_is_ours"}

    def test_what_is_older_than_its_line_is_sealed_without_it_and_numbered_later(
        self, committed_db: None
    ) -> None:
        """As a database is that was migrated: its seals hold, and its wallets come into the next one."""
        ada = UserFactory()
        fund(ada, "500.00")
        happened(Authorize(bill_draft(main_wallet(ada), "20.00", "2.00")))
        with owner() as session:
            session.execute("UPDATE wallet_wallet SET opening_number = NULL")
            session.execute("UPDATE transactions_transaction SET hold_fee = NULL")
        (link,) = chain.seal()
        assert broken() == {"wallet_is_whole"}
        with owner() as session:
            session.execute("UPDATE wallet_wallet SET opening_number = nextval('transactions_two_phase_seq')")
        assert broken() == set()
        (later,) = chain.seal()
        assert (later.entries, later.holds, later.after_hold) == (0, 0, link.through_hold)
        assert broken() == set()

    @pytest.mark.parametrize("role", ["default", "owner"])
    @pytest.mark.parametrize("change", ["UPDATE {} SET mac = ''", "DELETE FROM {}", "TRUNCATE {}"])
    def test_nobody_rewrites_one(self, story: Story, role: str, change: str) -> None:
        rule = Attacker(story, role).refused(change.format("transactions_ledgerseal"))
        assert rule == ("no right" if role == "default" else "seals_are_append_only")


class TestTampering:
    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE transactions_ledgerentry SET id = id + 1000000 WHERE id = (SELECT min(id) FROM {entries})",
            "UPDATE transactions_transaction SET description = 'x' WHERE id = %(sent)s",
            "UPDATE transactions_transaction SET metadata = '{{\"a\": 1}}' WHERE id = %(sent)s",
            "UPDATE transactions_transaction SET reference = 'x' WHERE id = %(sent)s",
            "UPDATE transactions_transaction SET initiated_by_id = NULL WHERE id = %(sent)s",
            "UPDATE transactions_transaction SET failure_code = 'x' WHERE id = %(voided)s",
            "UPDATE transactions_transaction SET expires_at = now() WHERE id = %(pending)s",
            "UPDATE transactions_transaction SET description = 'x' WHERE id = %(pending)s",
            "UPDATE transactions_transaction SET amount = amount - 1, fee = fee + 1, hold_fee = hold_fee + 1 "
            "WHERE id = %(pending)s",
            "UPDATE transactions_transaction SET hold_fee = NULL, amount = 15, fee = 5 WHERE id = %(pending)s",
            "UPDATE wallet_wallet SET created_at = now() WHERE version > 0",
            "UPDATE wallet_wallet SET created_at = now() WHERE version = 0",
            "UPDATE wallet_wallet SET currency = 'USD' WHERE version = 0",
            "UPDATE wallet_wallet SET owner_id = (SELECT owner_id FROM wallet_wallet WHERE version > 0 LIMIT 1), "
            "currency = 'USD' WHERE version = 0",
            "UPDATE wallet_wallet SET opening_number = opening_number + 1000000 WHERE version = 0",
            "DELETE FROM wallet_wallet WHERE version = 0",
        ],
    )
    def test_a_changed_fact_that_no_other_row_repeats_is_found(self, sealed: Any, change: str) -> None:
        sent, voided, pending = sealed
        with owner() as session:
            session.execute(
                change.format(entries="transactions_ledgerentry"),
                {"sent": sent.pk, "voided": voided.pk, "pending": pending.pk},
            )
        assert "sealed_rows_are_unchanged" in broken()

    def test_what_may_still_change_is_no_finding(self, sealed: Any) -> None:
        happened(Void(sealed[2].pk, "declined"))
        assert broken() == set()
        chain.seal()
        assert broken() == set()

    @pytest.mark.parametrize("column", [*canonical.SEAL, "chain", "mac"])
    def test_every_column_of_a_seal_is_proven(self, sealed: Any, column: str) -> None:
        kind = LedgerSeal._meta.get_field(column).get_internal_type()
        change = {"CharField": "reverse({})", "DateTimeField": "{} + interval '1 us'"}.get(kind, "{} + 100")
        if column == "key_id":
            change = "'k9'"
        with owner() as session:
            session.execute("ALTER TABLE transactions_ledgerseal DROP CONSTRAINT seal_goes_on")
            session.execute(
                f"UPDATE transactions_ledgerseal SET {column} = {change.format(column)} WHERE number = 3"
            )
        assert broken() & {"seal_is_ours", "seal_chain_is_whole"}

    def test_a_link_made_without_our_key_is_found_and_nothing_is_built_on_it(
        self, sealed: Any, settings: Settings
    ) -> None:
        ours = settings.SEAL_KEYS
        fund(UserFactory(), "1.00")
        settings.SEAL_KEYS = ["k1:the-wrong-secret-of-at-least-32-bytes-x"]
        with pytest.raises(chain.SealBroken):
            chain.seal()
        last = LedgerSeal.objects.latest("number")
        forged = LedgerSeal(**{name: getattr(last, name) for name in canonical.SEAL}, mac=last.mac)
        forged.number, forged.previous = last.number + 1, last.chain
        forged.after_entry = forged.through_entry = last.through_entry
        forged.chain = chain.chain_of(chain.facts_of(forged))
        forged.mac = chain.mac_of(forged.chain, "k1")
        forged.save(force_insert=True)
        settings.SEAL_KEYS = ours
        assert "seal_is_ours" in broken()
        with pytest.raises(chain.SealBroken):
            chain.seal()

    def test_a_seal_taken_out_of_the_middle_is_found(self, sealed: Any) -> None:
        with owner() as session:
            session.execute("DELETE FROM transactions_ledgerseal WHERE number = 2")
        assert "seal_chain_is_whole" in broken()


class TestPublished:
    def test_a_head_is_written_once_and_proves_the_chain(self, sealed: Any, tmp_path: Path) -> None:
        file = tmp_path / "heads.ndjson"
        assert "Published in" in command("seal_ledger", f"--publish={file}")[1]
        assert "has it already" in command("seal_ledger", f"--publish={file}")[1]
        assert [head.number for head in read(file)] == [3]
        code, printed = command("verify_ledger", "--seals", f"--published={file}")
        assert (code, printed.splitlines()[-1]) == (0, "balanced, 7 entries, 0 findings")

    def test_a_cut_off_tail_is_found_even_when_seals_and_rows_agree(
        self, sealed: Any, tmp_path: Path
    ) -> None:
        """The newest seals go with the rows under them, and every figure left behind is made to fit."""
        file = tmp_path / "heads.ndjson"
        command("seal_ledger", f"--publish={file}")
        with owner() as session:
            session.execute("DELETE FROM transactions_ledgerseal WHERE number > 1")
        assert broken() == set()
        heads = list(read(file))
        assert broken(published=heads) == {"published_seal_is_there"}
        chain.seal()
        assert broken() == set()
        assert broken(published=heads) == {"published_seal_is_there"}

    def test_rows_cut_off_below_their_seals_are_found_without_a_file(self, sealed: Any) -> None:
        last = LedgerSeal.objects.latest("number")
        with owner() as session:
            session.execute("DELETE FROM transactions_ledgerentry WHERE id > %s", [last.after_entry])
        assert "sealed_rows_are_unchanged" in broken()

    def test_old_entries_that_nobody_sealed_are_found(self, committed_db: None) -> None:
        fund(UserFactory(), "1.00")
        assert broken() == set()
        with owner() as session:
            session.execute(
                "UPDATE transactions_ledgerentry SET created_at = created_at - interval '2 hours'"
            )
        assert "sealing_is_current" in broken()

    def test_a_head_that_was_published_otherwise_is_found(self, sealed: Any) -> None:
        head = replace(Head.of(LedgerSeal.objects.latest("number")), chain="0" * 64)
        assert broken(published=[head]) == {"published_seal_is_there"}

    def test_a_file_that_is_none_is_refused(self, committed_db: None, tmp_path: Path) -> None:
        file = tmp_path / "heads.ndjson"
        file.write_text('{"number": 1}\n')
        for arguments in (
            ["--seals", f"--published={file}"],
            [f"--published={file}"],
            ["--seals", "--published=none"],
        ):
            with pytest.raises(CommandError):
                command("verify_ledger", *arguments)


class TestWholeStory:
    def test_a_story_of_every_kind_of_movement_is_sealed(
        self, story: Story, django_db_blocker: DjangoDbBlocker
    ) -> None:
        with django_db_blocker.unblock():
            chain.seal(link_entries=5)
            assert verify(with_seals=True).findings == ()
            code, printed = command("verify_ledger", "--seals", "--json")
            assert (code, json.loads(printed)["balanced"]) == (0, True)
