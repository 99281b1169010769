"""verify_ledger in the long run: it goes on from what it has proven, and tells how far it is."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError
from django.db.models import Max
from pytest_django import Settings
from pytest_django.plugin import DjangoDbBlocker

from fintech_core import clock
from fintech_core.models import JobRun
from notifications.models import Event
from tests.factories import UserFactory
from tests.transactions.attacks import Attacker, conninfo
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import Story, bill_draft, happened, transfer_draft
from transactions import switches, tasks
from transactions.drafts import Authorize, Post, Void
from transactions.management.commands import verify_ledger
from transactions.models import LedgerEntry, Transaction, VerificationMark
from transactions.sealing import chain
from transactions.verification import verify
from transactions.verification.incremental_queries import Since
from wallet.models import Wallet


def run(name: str, *arguments: str) -> tuple[int, str, str]:
    """Run a command in this process; return its exit code and what it printed on both streams."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(name, *arguments, stdout=out, stderr=err)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def edit(statement: str, *values: Any) -> None:
    """Change rows as the owner, with the triggers of the table off."""
    table = next(word for word in statement.split() if word.startswith(("transactions_", "wallet_")))
    with psycopg.connect(conninfo("owner")) as session:
        session.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        session.execute(statement, values)


def report_of(*arguments: str) -> dict[str, Any]:
    """Verify and return the JSON report, less what is found about triggers that ``edit`` left off."""
    told: dict[str, Any] = json.loads(run("verify_ledger", "--json", *arguments)[1])
    told["broken"].pop("triggers_are_on", None)
    return told


@pytest.fixture
def two(committed_db: None) -> tuple[Wallet, Wallet]:
    """Two people with money, verified and sealed up to here."""
    ada, chidi = UserFactory(), UserFactory()
    fund(ada, "500.00")
    fund(chidi, "500.00")
    chain.seal()
    assert run("verify_ledger", "--incremental", "--seals")[0] == 0
    return main_wallet(ada), main_wallet(chidi)


class TestIncremental:
    def test_the_first_run_verifies_everything_and_leaves_a_mark(self, committed_db: None) -> None:
        fund(UserFactory(), "10.00")
        code, printed, _ = run("verify_ledger", "--incremental")
        assert (code, printed.splitlines()[-1]) == (0, "balanced, 2 entries, 0 findings")
        assert "There is no mark to go on from" in printed
        mark = VerificationMark.objects.get()
        assert (mark.through_entry, mark.seal_number) == (
            LedgerEntry.objects.aggregate(top=Max("id"))["top"],
            0,
        )

    def test_the_next_looks_at_what_is_new_alone(self, two: tuple[Wallet, Wallet]) -> None:
        happened(Post(transfer_draft(*two, "10.00")))
        told = report_of("--incremental")
        assert (told["balanced"], told["totals"]["entries"], told["totals"]["transactions"]) == (True, 2, 1)
        assert any(note.startswith("Verified since entry") for note in told["notes"])
        assert report_of("--incremental")["totals"]["entries"] == 0

    def test_a_hold_made_and_one_ended_since_are_looked_at(self, two: tuple[Wallet, Wallet]) -> None:
        held = happened(Authorize(bill_draft(two[0], "10.00")))
        assert report_of("--incremental")["totals"]["transactions"] == 1
        happened(Void(held.pk, "declined"))
        edit("UPDATE transactions_transaction SET failure_code = '' WHERE id = %s", held.pk)
        assert set(report_of("--incremental")["broken"]) == {"status_fits_the_facts"}

    def test_nothing_is_found_wherever_it_goes_on_from(
        self, story: Story, django_db_blocker: DjangoDbBlocker
    ) -> None:
        with django_db_blocker.unblock():
            entries = LedgerEntry.objects.aggregate(top=Max("id"))["top"]
            holds = Transaction.objects.aggregate(top=Max("end_number"))["top"] + 2
            for entry in range(0, entries + 1, 3):
                found = verify(since=Since(entry, holds * entry // entries))
                assert found.findings == (), entry

    @pytest.mark.parametrize(
        ("statement", "code"),
        [
            ("UPDATE transactions_ledgerentry SET amount = amount + 1 WHERE id = %s", "entries_sum_to_zero"),
            ("UPDATE transactions_ledgerentry SET wallet_balance_after = wallet_balance_after + 1 WHERE id = %s",
             "entry_follows_the_one_before"),
            ("UPDATE transactions_ledgerentry SET wallet_version = 99 WHERE id = %s", "entry_follows_the_one_before"),
            ("UPDATE transactions_ledgerentry SET created_at = created_at - interval '1 h' WHERE id = %s",
             "entry_is_booked_with_its_transaction"),
            ("DELETE FROM transactions_ledgerentry WHERE id = %s", "wallet_shows_its_entries"),
            ("UPDATE wallet_wallet SET balance = balance + 1 WHERE %s > 0", "wallet_shows_its_entries"),
            ("UPDATE wallet_wallet SET spent_today = 0 WHERE %s > 0", "spent_is_what_was_sent"),
        ],
    )  # fmt: skip
    def test_an_edit_of_what_is_new_is_found(
        self, two: tuple[Wallet, Wallet], statement: str, code: str
    ) -> None:
        happened(Post(transfer_draft(*two, "10.00")))
        edit(statement, LedgerEntry.objects.aggregate(top=Max("id"))["top"])
        assert code in report_of("--incremental")["broken"]
        assert VerificationMark.objects.count() == 1

    def test_a_reference_booked_twice_is_found(self, two: tuple[Wallet, Wallet]) -> None:
        first = happened(Post(transfer_draft(*two, "10.00")))
        run("verify_ledger", "--incremental")
        second = happened(Post(transfer_draft(*two, "10.00")))
        with psycopg.connect(conninfo("owner")) as session:
            session.execute(
                "ALTER TABLE transactions_transaction DROP CONSTRAINT transaction_reference_once_per_sender"
            )
        edit("UPDATE transactions_transaction SET reference = %s WHERE id = %s", first.reference, second.pk)
        assert "booked_once" in report_of("--incremental")["broken"]

    def test_a_reference_of_two_senders_is_found_where_it_is_ours_and_no_fault_where_it_is_theirs(
        self, two: tuple[Wallet, Wallet]
    ) -> None:
        ada, chidi = two
        happened(Post(replace(transfer_draft(ada, chidi, "10.00"), reference="rent/11")))
        assert run("verify_ledger", "--incremental")[0] == 0
        happened(Post(replace(transfer_draft(chidi, ada, "10.00"), reference="rent/11")))
        assert run("verify_ledger", "--incremental")[0] == 0
        first, second = (happened(Post(transfer_draft(*way, "1.00"))) for way in ((ada, chidi), (chidi, ada)))
        edit("UPDATE transactions_transaction SET reference = %s WHERE id = %s", first.reference, second.pk)
        assert report_of("--incremental")["broken"] == {"booked_once": 2}

    def test_an_older_edit_is_found_by_a_full_run_and_by_the_seals(self, two: tuple[Wallet, Wallet]) -> None:
        edit("UPDATE transactions_ledgerentry SET amount = amount + 1 WHERE id = %s",
             LedgerEntry.objects.order_by("id")[0].pk)  # fmt: skip
        assert report_of("--incremental")["broken"] == {}
        assert "entries_sum_to_zero" in report_of()["broken"]
        assert "sealed_rows_are_unchanged" in report_of("--seals")["broken"]

    def test_seals_go_on_from_the_last_one_proven(self, two: tuple[Wallet, Wallet]) -> None:
        assert VerificationMark.objects.get().seal_number == 1
        happened(Post(transfer_draft(*two, "10.00")))
        chain.seal()
        edit("UPDATE transactions_transaction SET description = 'x' WHERE id = %s",
             Transaction.objects.latest("created_at").pk)  # fmt: skip
        assert set(report_of("--incremental", "--seals")["broken"]) == {"sealed_rows_are_unchanged"}

    def test_a_mark_that_is_not_ours_is_not_believed(self, two: tuple[Wallet, Wallet]) -> None:
        ours = VerificationMark.objects.get()
        VerificationMark(
            through_entry=10**9, through_hold=10**9, seal_number=0, seal_chain="", checked_at=ours.checked_at,
            key_id=ours.key_id, mac=ours.mac,
        ).save(force_insert=True)  # fmt: skip
        told = report_of("--incremental")
        assert told["totals"]["entries"] == 4
        assert any("not ours" in note for note in told["notes"])

    @pytest.mark.parametrize("role", ["default", "owner"])
    def test_nobody_rewrites_a_mark(self, story: Story, role: str) -> None:
        rule = Attacker(story, role).refused("UPDATE transactions_verificationmark SET through_entry = 1")
        assert rule == ("no right" if role == "default" else "marks_are_append_only")


class TestWhatWasProven:
    """The mark of ``two`` names seal 1 and the last entry; the seals or rows under it are taken away afterwards."""

    @pytest.fixture
    def hidden(self, two: tuple[Wallet, Wallet]) -> None:
        """A sealed description is changed, and all seals are deleted so that none shows it."""
        edit("UPDATE transactions_transaction SET description = 'x'")
        edit("DELETE FROM transactions_ledgerseal")

    @pytest.mark.parametrize(
        "arguments", [[], ["--seals"], ["--incremental"], ["--incremental", "--seals"]], ids=" ".join
    )
    def test_a_deleted_chain_is_found_by_every_run(self, hidden: None, arguments: list[str]) -> None:
        told = report_of(*arguments)
        assert told["broken"] == {"published_seal_is_there": 1}
        (found,) = (row for row in told["findings"] if row["check"] == "published_seal_is_there")
        assert (found["row"], found["detail"].endswith(", missing")) == ("published seal 1", True)
        assert VerificationMark.objects.count() == 1

    def test_a_chain_that_was_made_anew_with_the_right_key_is_found_for_good(self, hidden: None) -> None:
        chain.seal()
        for arguments in (["--seals"], ["--incremental", "--seals"], ["--incremental", "--seals"]):
            told = report_of(*arguments)
            assert told["broken"] == {"published_seal_is_there": 1}
            assert any(", stored as " in found["detail"] for found in told["findings"])

    def test_a_seal_that_only_an_older_mark_names_is_missed(self, two: tuple[Wallet, Wallet]) -> None:
        happened(Post(transfer_draft(*two, "10.00")))
        chain.seal()
        assert run("verify_ledger", "--incremental", "--seals")[0] == 0
        edit("DELETE FROM transactions_ledgerseal WHERE number = 1")
        assert report_of("--incremental", "--seals")["broken"] == {"published_seal_is_there": 1}

    def test_entries_and_wallets_cut_off_below_a_mark_are_found(self, two: tuple[Wallet, Wallet]) -> None:
        happened(Post(transfer_draft(*two, "10.00")))
        UserFactory()
        assert run("verify_ledger", "--incremental")[0] == 0
        last = LedgerEntry.objects.aggregate(top=Max("id"))["top"]
        edit("DELETE FROM transactions_ledgerentry WHERE id = %s", last)
        edit("DELETE FROM wallet_wallet WHERE version = 0")
        told = report_of()
        assert told["broken"]["proven_rows_are_there"] == 2
        details = [row["detail"] for row in told["findings"] if row["check"] == "proven_rows_are_there"]
        assert details[0] == f"proved through entry {last}, the last one is {last - 1}"
        assert details[1].startswith("proved through hold or wallet ")

    def test_nothing_is_found_while_seals_and_keys_come_and_marks_go_on(
        self, two: tuple[Wallet, Wallet], settings: Settings
    ) -> None:
        for key in ("k7:another-secret-of-at-least-32-bytes-x", "k8:the-next-secret-of-at-least-32-bytes-x"):
            settings.SEAL_KEYS = [key, *settings.SEAL_KEYS]
            happened(Post(transfer_draft(*two, "10.00")))
            chain.seal()
            assert run("verify_ledger", "--incremental", "--seals")[0] == 0
            assert run("verify_ledger", "--incremental")[0] == 0
            assert run("verify_ledger", "--seals")[0] == 0
        assert VerificationMark.objects.filter(seal_number=3).count() == 2

    def test_what_a_mark_says_that_is_not_ours_is_not_believed(self, two: tuple[Wallet, Wallet]) -> None:
        VerificationMark(
            through_entry=10**9, through_hold=10**9, seal_number=7, seal_chain="0" * 64, checked_at=clock.now(),
            key_id="k1", mac="0" * 64,
        ).save(force_insert=True)  # fmt: skip
        assert report_of("--seals")["broken"] == {}


class TestProgress:
    def test_a_long_run_tells_on_stderr_whoever_listens(
        self, committed_db: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert run("verify_ledger", "--json")[2] == ""
        monkeypatch.setattr(verify_ledger, "LONG_S", 0)
        code, printed, told = run("verify_ledger", "--json", "--seals")
        assert code == 0
        assert json.loads(printed)["balanced"] is True
        assert told.splitlines()[0].endswith("] entries_sum_to_zero")

    def test_progress_tells_from_the_start(self, committed_db: None) -> None:
        assert run("verify_ledger", "--progress")[2].startswith("[1/")

    def test_each_finding_says_what_it_means_and_what_to_run(self, two: tuple[Wallet, Wallet]) -> None:
        edit("UPDATE wallet_wallet SET balance = balance + 1 WHERE id = %s", two[0].pk)
        code, printed, _ = run("verify_ledger", "--json", "--seals")
        assert code == 3
        for finding in json.loads(printed)["findings"]:
            assert finding["meaning"].endswith(".")
            assert "manage.py" in finding["next_step"]


ONE_MORE = "UPDATE wallet_wallet SET balance = balance + 1 WHERE id = %s"


class TestJob:
    @pytest.fixture(autouse=True)
    def unremembered(self) -> Iterator[None]:
        yield
        switches.forget()

    def run(self) -> dict[str, Any]:
        """Run the job and return what it wrote down."""
        tasks.verify_ledger()
        return dict(JobRun.objects.get(name="transactions.verify_ledger", outcome="completed").detail)

    def told(self) -> list[str]:
        """Return the checks that staff were told of, in order."""
        events = Event.objects.filter(type="ledger.invariant_broken").order_by("id")
        return [event.payload["check"] for event in events]

    def test_goes_on_from_the_mark_and_lets_money_out_of_a_sound_ledger(
        self, two: tuple[Wallet, Wallet]
    ) -> None:
        fund(UserFactory(), "10.00")
        before = VerificationMark.objects.count()
        assert self.run() == {"entries": 2, "broken": {}}
        assert VerificationMark.objects.count() == before + 1
        assert (switches.is_money_out_stopped(), self.told()) == (False, [])

    def test_what_is_broken_stops_money_out_and_is_told(self, two: tuple[Wallet, Wallet]) -> None:
        edit(ONE_MORE, two[0].pk)
        broken = self.run()["broken"]
        assert broken["wallet_shows_its_entries"] == 1
        assert switches.is_money_out_stopped()
        assert sorted(self.told()) == sorted(broken)

    def test_what_staff_know_stops_nothing_again_until_there_is_more_of_it(
        self, two: tuple[Wallet, Wallet]
    ) -> None:
        actor = UserFactory()
        edit(ONE_MORE, two[0].pk)
        self.run()
        switches.resume_money_out(actor=actor, reason="looked at")
        told = self.told()
        self.run()
        assert (switches.is_money_out_stopped(), self.told()) == (False, told)
        edit(ONE_MORE, two[1].pk)
        assert self.run()["broken"]["wallet_shows_its_entries"] == 2
        assert switches.is_money_out_stopped()
        assert "wallet_shows_its_entries" in self.told()[len(told) :]

    def test_a_finding_that_could_not_stop_money_out_is_not_known_yet(
        self, two: tuple[Wallet, Wallet]
    ) -> None:
        edit(ONE_MORE, two[0].pk)
        with psycopg.connect(conninfo("owner"), autocommit=True) as session:
            session.execute(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$;"
                "CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON waffle_switch"
                " FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
            with pytest.raises(DatabaseError, match="not now"):
                tasks.verify_ledger()
            failed = JobRun.objects.get(name="transactions.verify_ledger")
            assert (failed.outcome, failed.detail["broken"], self.told()) == ("failed", {}, [])
            session.execute("DROP TRIGGER refuse ON waffle_switch; DROP FUNCTION refuse()")
        self.run()
        assert switches.is_money_out_stopped()
        assert "wallet_shows_its_entries" in self.told()
