"""verify_ledger: it finds what somebody with the database's password changed, and says what it cannot find.

Edits are planted by the owner with the triggers of a table switched off, inside a transaction that is rolled back.
"""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DataError, connections, transaction
from pytest_django.plugin import DjangoDbBlocker
from waffle.models import Switch

from fintech_core import clock
from notifications.models import Event
from tests.factories import UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import Story, keep_apart
from transactions import switches
from transactions.models import LedgerEntry, Transaction
from transactions.services import TransactionService
from transactions.verification import RULES, Report, every_check, verify
from wallet.models import Wallet

ENTRY, MOVEMENT, WALLET = "transactions_ledgerentry", "transactions_transaction", "wallet_wallet"
PARKED, ACCOUNT = "transactions_parkedcredit", "transactions_ledgeraccount"


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of the tables, in a transaction that will be rolled back."""

    story: Story

    def run(self, statement: str, **values: Any) -> int:
        """Run a statement with the story's ids at hand and return how many rows it changed."""
        with connections["owner"].cursor() as cursor:
            cursor.execute(statement, self.ids() | values)
            return int(cursor.rowcount)

    def plant(self, table: str, statement: str) -> dict[str, int]:
        """Change rows of a table with its triggers off and return what a verification finds beside that."""
        self.run(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        assert self.run(statement) > 0
        broken = dict(self.verify().broken)
        assert broken.pop("triggers_are_on", 0) > 0
        return broken

    def verify(self, *, combined: bool = True) -> Report:
        """Verify inside this transaction."""
        return verify(using="owner", combined=combined)

    def ids(self) -> dict[str, Any]:
        """Return the story's ids by name."""
        story = self.story
        named = ("funding", "transfer", "bill", "cashback", "voided", "pending", "parked", "released", "reversal",
                 "refund", "redemption", "ownerless", "newest")  # fmt: skip
        return {name: getattr(story, name).pk for name in named} | {
            "ada": story.ada.pk,
            "chidi": story.chidi.pk,
            "staff": story.staff.pk,
            "wallet": main_wallet(story.ada).pk,
            "other": main_wallet(story.chidi).pk,
        }


@pytest.fixture
def owner(story: Story, django_db_blocker: DjangoDbBlocker) -> Iterator[Owner]:
    """The owner, in a transaction that is rolled back."""
    with django_db_blocker.unblock(), rolled_back():
        yield Owner(story)


@contextmanager
def rolled_back() -> Iterator[None]:
    """Open a transaction of the owner and undo it at the end, deferred checks included."""
    with transaction.atomic(using="owner"):
        yield
        transaction.set_rollback(True, using="owner")


def one(column: str, value: str, where: str) -> str:
    """Change one column of the rows that match."""
    return f"SET {column} = {value} WHERE {where}"


SENDER_LINE = "transaction_id = %(transfer)s AND wallet_id = %(wallet)s"
FEE_LINE = "transaction_id = %(transfer)s AND wallet_id IS NULL"
ENTRY_EDITS = {
    "transaction_id": (one("transaction_id", "%(funding)s", SENDER_LINE), "entries_sum_to_zero"),
    "account_id": (one("account_id", f"(SELECT id FROM {ACCOUNT} WHERE code = 'suspense' AND currency = 'NGN')",
                       "transaction_id = %(funding)s AND wallet_id IS NULL"), "suspense_is_what_is_parked"),
    "account_id of a wallet": (one("account_id", f"(SELECT id FROM {ACCOUNT} WHERE code = 'cashback_wallets' "
                                                 "AND currency = 'NGN')", SENDER_LINE), "entry_fits_its_account"),
    "account_id outside the chart": (one("account_id", f"(SELECT id FROM {ACCOUNT} WHERE code = 'receivables' "
                                         "AND currency = 'NGN')", FEE_LINE), "entry_is_allowed_by_the_chart"),
    "wallet_id": (one("wallet_id", "%(other)s, wallet_version = 99", SENDER_LINE), "wallet_shows_its_entries"),
    "direction": (one("direction", "'credit'", SENDER_LINE), "entries_sum_to_zero"),
    "amount": (one("amount", "amount + 1", SENDER_LINE), "entries_sum_to_zero"),
    "amount on both sides": (one("amount", "amount + 1", "transaction_id = %(parked)s"),
                             "amount_and_fee_are_what_moved"),
    "currency": (one("currency", "'USD'", SENDER_LINE), "entry_fits_its_account"),
    "wallet_balance_after": (one("wallet_balance_after", "wallet_balance_after + 1", SENDER_LINE),
                             "entry_follows_the_one_before"),
    "wallet_version": (one("wallet_version", "99", SENDER_LINE), "entry_follows_the_one_before"),
    "created_at": (one("created_at", "created_at - interval '1 ms'", SENDER_LINE),
                   "entry_is_booked_with_its_transaction"),
    "effective_at": (one("effective_at", "created_at - interval '1 day'", SENDER_LINE),
                     "entry_is_booked_with_its_transaction"),
}  # fmt: skip
MOVEMENT_EDITS = {
    "id": (one("id", "gen_random_uuid()", "id = %(transfer)s"), "entries_are_of_completed_transactions"),
    "type": (one("type", "'funding'", "id = %(transfer)s"), "entry_is_allowed_by_the_chart"),
    "type that is allowed": (one("type", "'adjustment'", "id = %(redemption)s"), "correction_is_what_was_decided"),
    "status": (one("status", "'failed', failure_code = 'x'", "id = %(transfer)s"),
               "entries_are_of_completed_transactions"),
    "status of a hold": (one("status", "'failed', completed_at = now(), failure_code = 'x'", "id = %(pending)s"),
                         "held_is_the_sum_of_holds"),
    "currency": (one("currency", "'USD'", "id = %(transfer)s"), "entries_are_of_its_currency"),
    "amount": (one("amount", "amount + 1", "id = %(transfer)s"), "amount_and_fee_are_what_moved"),
    "amount of a hold": (one("amount", "amount - 1", "id = %(pending)s"), "capture_is_within_its_hold"),
    "amount against fee": (one("amount", "amount + 1, fee = fee - 1", "id = %(transfer)s"),
                           "wallets_moved_what_it_says"),
    "amount of a hold against its fee": (one("amount", "amount + 1, fee = fee - 1", "id = %(pending)s"),
                                         "capture_is_within_its_hold"),
    "fee": (one("fee", "fee + 1", "id = %(transfer)s"), "amount_and_fee_are_what_moved"),
    "fee of a void against its amount": (one("fee", "fee + 1, amount = amount - 1", "id = %(voided)s"),
                                         "capture_is_within_its_hold"),
    "hold_fee": (one("hold_fee", "hold_fee + 1", "id = %(pending)s"), "capture_is_within_its_hold"),
    "hold_fee of no hold": (one("hold_fee", "fee", "id = %(transfer)s"), "capture_is_within_its_hold"),
    "hold_fee above the hold": (one("hold_fee", "hold_amount", "id = %(bill)s"), "capture_is_within_its_hold"),
    "hold_amount": (one("hold_amount", "hold_amount + 1", "id = %(pending)s"), "held_is_the_sum_of_holds"),
    "hold_amount below the capture": (one("hold_amount", "1", "id = %(bill)s"), "capture_is_within_its_hold"),
    "from_wallet_id": (one("from_wallet_id", "NULL", "id = %(transfer)s"), "wallets_moved_what_it_says"),
    "from_wallet_id of a hold": (one("from_wallet_id", "%(other)s", "id = %(pending)s"), "held_is_the_sum_of_holds"),
    "to_wallet_id": (one("to_wallet_id", "NULL", "id = %(transfer)s"), "wallets_moved_what_it_says"),
    "from_user_id": (one("from_user_id", "%(staff)s", "id = %(transfer)s"), "parties_own_the_wallets"),
    "to_user_id": (one("to_user_id", "NULL", "id = %(funding)s"), "parties_own_the_wallets"),
    "reverses_id": (one("reverses_id", "%(transfer)s", "id = %(reversal)s"), "reversal_is_the_mirror"),
    "refund_of_id": (one("refund_of_id", "%(voided)s", "id = %(refund)s"), "refund_is_of_a_completed_one"),
    "refund_of_id of another": (one("refund_of_id", "%(transfer)s", "id = %(refund)s"), "refund_is_of_a_completed_one"),
    "source_kind": (one("source_kind", "''", "id = %(funding)s"), "transaction_is_whole"),
    "source_id": (one("source_id", "gen_random_uuid()", "id = %(released)s"), "parked_credit_fits_its_transactions"),
    "converted_amount": (one("converted_amount", "5", "id = %(transfer)s"), "transaction_is_whole"),
    "converted_currency": (one("converted_currency", "'USD'", "id = %(transfer)s"), "transaction_is_whole"),
    "conversion_rate": (one("conversion_rate", "5", "id = %(transfer)s"), "transaction_is_whole"),
    "failure_code": (one("failure_code", "''", "id = %(voided)s"), "status_fits_the_facts"),
    "created_at": (one("created_at", "created_at - interval '1 s'", "id = %(transfer)s"), "status_fits_the_facts"),
    "completed_at": (one("completed_at", "completed_at + interval '1 s'", "id = %(bill)s"),
                     "entry_is_booked_with_its_transaction"),
    "effective_at": (one("effective_at", "created_at - interval '1 day'", "id = %(transfer)s"),
                     "entry_is_booked_with_its_transaction"),
}  # fmt: skip
WALLET_EDITS = {
    "id": (one("id", "gen_random_uuid()", "id = %(wallet)s"), "entry_fits_its_account"),
    "owner_id": (one("owner_id", "%(staff)s, currency = 'GBP'", "id = %(wallet)s"), "parties_own_the_wallets"),
    "kind": (one("kind", "'cashback'", "id = %(other)s"), "entry_fits_its_account"),
    "currency": (one("currency", "'USD'", "id = %(wallet)s"), "entry_fits_its_account"),
    "balance": (one("balance", "balance + 1", "id = %(wallet)s"), "wallet_shows_its_entries"),
    "held": (one("held", "held + 1", "id = %(wallet)s"), "held_is_the_sum_of_holds"),
    "status": (one("status", "'active'", "status = 'frozen'"), "wallet_status_is_audited"),
    "version": (one("version", "version + 1", "id = %(wallet)s"), "wallet_shows_its_entries"),
    "last_entry_at": (one("last_entry_at", "last_entry_at + interval '1 ms'", "id = %(wallet)s"),
                      "wallet_shows_its_entries"),
    "spent_today": (one("spent_today", "0", "id = %(wallet)s"), "spent_is_what_was_sent"),
    "spent_this_month": (one("spent_this_month", "0", "id = %(wallet)s"), "spent_is_what_was_sent"),
    "spent_on": (one("spent_on", "spent_on - 1", "id = %(wallet)s"), "spent_is_what_was_sent"),
    "opening_number": (one("opening_number", "NULL", "id = %(wallet)s"), "wallet_is_whole"),
}  # fmt: skip
PARKED_EDITS = {
    "amount": (one("amount", "amount + 1", "status = 'parked'"), "suspense_is_what_is_parked"),
    "owner_id": (one("owner_id", "%(ada)s", "status = 'parked'"), "parked_credit_fits_its_transactions"),
    "wallet_id": (one("wallet_id", "%(wallet)s", "status = 'released'"), "parked_credit_fits_its_transactions"),
    "status": (one("status", "'parked', released_by_id = NULL", "status = 'released'"), "suspense_is_what_is_parked"),
}  # fmt: skip

# No other row repeats these facts: only a seal over the old rows can show that somebody changed them.
NEEDS_A_SEAL = {
    "entry id": (ENTRY, one("id", f"nextval(pg_get_serial_sequence('{ENTRY}', 'id'))", SENDER_LINE)),
    "account within the chart": (ENTRY, one(
        "account_id", f"(SELECT id FROM {ACCOUNT} WHERE code = 'gateway_clearing:flutterwave' AND currency = 'NGN')",
        "transaction_id = %(funding)s AND wallet_id IS NULL")),
    "reference": (MOVEMENT, one("reference", "'TRX-OTHER'", "id = %(transfer)s")),
    "expires_at": (MOVEMENT, one("expires_at", "now()", "id = %(pending)s")),
    "initiated_by": (MOVEMENT, one("initiated_by_id", "%(staff)s", "id = %(transfer)s")),
    "description": (MOVEMENT, one("description", "'x'", "id = %(transfer)s")),
    "metadata": (MOVEMENT, one("metadata", "'{\"a\": 1}'", "id = %(transfer)s")),
    "another source": (MOVEMENT, one("source_id", "gen_random_uuid()", "id = %(funding)s")),
    "another failure": (MOVEMENT, one("failure_code", "'x'", "id = %(voided)s")),
    "an earlier hold": (MOVEMENT, one("created_at", "created_at - interval '1 ms'", "id = %(pending)s")),
    "a larger hold, captured": (MOVEMENT, one("hold_amount", "hold_amount + 1", "id = %(bill)s")),
    "place of a hold": (MOVEMENT, one("hold_number", "nextval('transactions_two_phase_seq')", "id = %(pending)s")),
    "place of an end": (MOVEMENT, one("end_number", "nextval('transactions_two_phase_seq')", "id = %(voided)s")),
    "split of a hold": (MOVEMENT, one("amount", "amount - 1, fee = fee + 1, hold_fee = hold_fee + 1",
                                      "id = %(voided)s")),
    "place of a wallet": (WALLET, one("opening_number", "nextval('transactions_two_phase_seq')", "id = %(wallet)s")),
    "wallet created_at": (WALLET, one("created_at", "now()", "id = %(wallet)s")),
}  # fmt: skip


class TestPlantedEdits:
    def test_nothing_planted_nothing_found(self, owner: Owner) -> None:
        assert owner.verify().findings == ()

    @pytest.mark.parametrize("column", ENTRY_EDITS)
    def test_an_edited_entry_is_found(self, owner: Owner, column: str) -> None:
        edit, code = ENTRY_EDITS[column]
        assert code in owner.plant(ENTRY, f"UPDATE {ENTRY} {edit}")

    @pytest.mark.parametrize("column", MOVEMENT_EDITS)
    def test_an_edited_transaction_is_found(self, owner: Owner, column: str) -> None:
        edit, code = MOVEMENT_EDITS[column]
        for name in ("transaction_pending_is_a_hold", "transaction_final_has_a_time"):
            owner.run(f"ALTER TABLE {MOVEMENT} DROP CONSTRAINT {name}")
        broken = owner.plant(MOVEMENT, f"UPDATE {MOVEMENT} {edit}")
        assert broken.pop("constraints_are_valid") == 2
        assert code in broken

    @pytest.mark.parametrize("column", WALLET_EDITS)
    def test_an_edited_wallet_is_found(self, owner: Owner, column: str) -> None:
        edit, code = WALLET_EDITS[column]
        assert code in owner.plant(WALLET, f"UPDATE {WALLET} {edit}")

    @pytest.mark.parametrize("column", PARKED_EDITS)
    def test_an_edited_parked_credit_is_found(self, owner: Owner, column: str) -> None:
        edit, code = PARKED_EDITS[column]
        assert code in owner.plant(PARKED, f"UPDATE {PARKED} {edit}")

    def test_every_column_is_either_proven_or_known_to_need_a_seal(self) -> None:
        for model, edits, unproven in (
            (LedgerEntry, ENTRY_EDITS, {"id"}),
            (
                Transaction,
                MOVEMENT_EDITS,
                {
                    "reference",
                    "expires_at",
                    "initiated_by_id",
                    "description",
                    "metadata",
                    "hold_number",
                    "end_number",
                },
            ),
            (Wallet, WALLET_EDITS, {"created_at"}),
        ):
            columns = {field.column for field in model._meta.concrete_fields}
            assert columns == {name.split()[0] for name in edits} | unproven

    @pytest.mark.parametrize("what", NEEDS_A_SEAL)
    def test_what_no_other_row_repeats_needs_a_seal(self, owner: Owner, what: str) -> None:
        table, edit = NEEDS_A_SEAL[what]
        assert owner.plant(table, f"UPDATE {table} {edit}") == {}


class TestPlantedRows:
    def test_a_deleted_entry_is_found(self, owner: Owner) -> None:
        broken = owner.plant(ENTRY, f"DELETE FROM {ENTRY} WHERE {SENDER_LINE}")
        assert {"entries_sum_to_zero", "entry_follows_the_one_before", "wallet_shows_its_entries"} <= set(
            broken
        )

    def test_a_deleted_balanced_pair_is_found(self, owner: Owner) -> None:
        broken = owner.plant(ENTRY, f"DELETE FROM {ENTRY} WHERE transaction_id = %(parked)s")
        assert {"completed_has_entries", "suspense_is_what_is_parked"} <= set(broken)

    def test_a_deleted_transaction_is_found(self, owner: Owner) -> None:
        broken = owner.plant(MOVEMENT, f"DELETE FROM {MOVEMENT} WHERE id = %(transfer)s")
        assert "entries_are_of_completed_transactions" in broken

    def test_a_deleted_wallet_is_found(self, owner: Owner) -> None:
        assert "entry_fits_its_account" in owner.plant(WALLET, f"DELETE FROM {WALLET} WHERE id = %(wallet)s")

    def test_an_inserted_entry_is_found(self, owner: Owner) -> None:
        broken = owner.plant(
            ENTRY,
            f"INSERT INTO {ENTRY} (transaction_id, account_id, direction, amount, currency, created_at) "
            f"SELECT transaction_id, account_id, direction, amount, currency, created_at FROM {ENTRY} "
            "WHERE transaction_id = %(transfer)s AND wallet_id IS NULL",
        )
        assert "entries_sum_to_zero" in broken

    def test_money_given_to_a_wallet_is_found(self, owner: Owner) -> None:
        owner.run(f"ALTER TABLE {WALLET} DISABLE TRIGGER USER")
        owner.run(f"UPDATE {WALLET} SET balance = 1000000 WHERE status = 'frozen'")
        assert "wallet_shows_its_entries" in owner.verify().broken

    def test_money_in_suspense_that_nothing_explains_is_found(self, owner: Owner) -> None:
        broken = owner.plant(
            MOVEMENT, f"UPDATE {MOVEMENT} SET source_kind = '', source_id = NULL WHERE id = %(ownerless)s"
        )
        assert set(broken) == {"suspense_is_what_is_parked", "suspense_moves_with_a_parked_credit"}

    def test_a_reference_and_a_source_booked_twice_are_found(self, owner: Owner) -> None:
        owner.run(f"ALTER TABLE {MOVEMENT} DROP CONSTRAINT transaction_reference_once_per_sender")
        owner.run(f"ALTER TABLE {MOVEMENT} DROP CONSTRAINT transactions_transaction_reverses_id_key")
        owner.run("DROP INDEX transaction_once_per_source")
        broken = owner.plant(
            MOVEMENT,
            f"UPDATE {MOVEMENT} t SET reference = f.reference, source_kind = f.source_kind, source_id = f.source_id "
            f"FROM {MOVEMENT} f WHERE t.id = %(released)s AND f.id = %(funding)s",
        )
        assert {"booked_once", "keys_are_valid", "constraints_are_valid"} <= set(broken)

    def test_two_senders_share_their_own_references_but_none_of_ours(self, owner: Owner) -> None:
        """``transfer`` is Ada's, ``newest`` is Chidi's."""
        both = f"UPDATE {MOVEMENT} SET reference = '%s' WHERE id IN (%%(transfer)s, %%(newest)s)"
        assert owner.plant(MOVEMENT, both % "rent/11") == {}
        assert owner.plant(MOVEMENT, both % owner.story.transfer.reference) == {"booked_once": 2}

    def test_the_newest_transaction_cut_off_whole_needs_a_seal(self, owner: Owner) -> None:
        for table in (ENTRY, MOVEMENT, WALLET):
            owner.run(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        owner.run(f"DELETE FROM {ENTRY} WHERE transaction_id = %(newest)s")
        owner.run(f"DELETE FROM {MOVEMENT} WHERE id = %(newest)s")
        owner.run(
            f"UPDATE {WALLET} w SET version = last.wallet_version, balance = last.wallet_balance_after, "
            f"last_entry_at = last.created_at FROM (SELECT DISTINCT ON (wallet_id) * FROM {ENTRY} "
            "WHERE wallet_id IS NOT NULL ORDER BY wallet_id, wallet_version DESC) last WHERE last.wallet_id = w.id"
        )
        owner.run(f"UPDATE {WALLET} SET spent_today = spent_today - 10, spent_this_month = spent_this_month - 10 "
                  "WHERE id = %(other)s")  # fmt: skip
        assert set(owner.verify().broken) == {"triggers_are_on"}


class TestGuards:
    def test_a_trigger_that_is_off_or_not_always_on_is_found(self, owner: Owner) -> None:
        owner.run(f"ALTER TABLE {ENTRY} DISABLE TRIGGER ledger_new_entries")
        owner.run(f"ALTER TABLE {WALLET} ENABLE TRIGGER ledger_changed_wallets")
        rows = {finding.row for finding in owner.verify().findings}
        assert rows == {
            f"trigger ledger_new_entries on {ENTRY}",
            f"trigger ledger_changed_wallets on {WALLET}",
        }

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            (f"DROP TRIGGER ledger_transitions ON {MOVEMENT}", "triggers_are_on"),
            ("CREATE OR REPLACE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
             "$$ BEGIN RETURN NULL; END $$", "trigger_functions_are_ours"),
            (f"ALTER TABLE {WALLET} DROP CONSTRAINT wallet_balance_covers_held", "constraints_are_valid"),
            (f"ALTER TABLE {WALLET} DROP CONSTRAINT wallet_balance_covers_held, "
             "ADD CONSTRAINT wallet_balance_covers_held CHECK (balance >= 0) NOT VALID", "constraints_are_valid"),
            ("DROP INDEX transaction_once_per_source", "constraints_are_valid"),
            (f"CREATE TABLE side_door () INHERITS ({ENTRY})", "tables_have_no_way_around"),
            (f"CREATE RULE quiet AS ON DELETE TO {ENTRY} DO INSTEAD NOTHING", "tables_have_no_way_around"),
            (f"ALTER TABLE {WALLET} ENABLE ROW LEVEL SECURITY", "tables_have_no_way_around"),
            (f"GRANT DELETE ON {ENTRY} TO {{role}}", "application_cannot_rewrite_history"),
            (f"GRANT UPDATE (amount) ON {ENTRY} TO {{role}}", "application_cannot_rewrite_history"),
            ("GRANT TRUNCATE ON fintech_core_auditrecord TO {role}", "application_cannot_rewrite_history"),
            (f"INSERT INTO {ACCOUNT} (code, name, type, currency, wallet_kind) "
             "VALUES ('mine', 'x', 'asset', 'NGN', '')", "account_is_of_the_chart"),
        ],
    )  # fmt: skip
    def test_a_way_around_the_guards_is_found(self, owner: Owner, change: str, code: str) -> None:
        role = connections["default"].settings_dict["USER"]
        owner.run(change.replace("{role}", f'"{role}"'))
        assert set(owner.verify().broken) == {code}

    def test_a_missing_account_is_found_and_says_what_to_run(self, owner: Owner) -> None:
        owner.run(f"ALTER TABLE {ACCOUNT} DISABLE TRIGGER USER")
        owner.run(f"DELETE FROM {ACCOUNT} WHERE code = 'fx_position' AND currency = 'JPY'")
        missing = [row for row in owner.verify().findings if row.check == "chart_is_open"]
        assert [(row.row, row.next_step) for row in missing] == [
            ("account fx_position JPY", "manage.py sync_chart")
        ]

    def test_every_check_has_a_code_of_its_own_and_a_sentence(self) -> None:
        checks = (*every_check(), *RULES)
        assert len({check.code for check in checks}) == len(checks)
        assert all(check.meaning.endswith(".") for check in checks)


@pytest.mark.django_db
class TestCommand:
    def run(self, *arguments: str) -> tuple[int, str]:
        """Run the command in this process; return its exit code and what it printed."""
        out = io.StringIO()
        try:
            call_command("verify_ledger", *arguments, stdout=out)
        except SystemExit as end:
            return int(end.code or 0), out.getvalue()
        return 0, out.getvalue()

    def break_a_wallet(self) -> None:
        """Let a wallet claim a spending that never was: the one figure the application's role can falsify."""
        user = UserFactory()
        fund(user, "100.00")
        Wallet.objects.filter(owner=user).update(spent_on="2026-01-01", spent_today=5)

    def test_a_sound_ledger_ends_with_one_line(self) -> None:
        fund(UserFactory(), "100.00")
        code, printed = self.run()
        assert (code, printed.splitlines()[-1]) == (0, "balanced, 2 entries, 0 findings")

    def test_a_finding_is_exit_3_with_row_meaning_and_next_step(self) -> None:
        self.break_a_wallet()
        code, printed = self.run()
        assert code == 3
        assert "spent_is_what_was_sent: wallet " in printed
        assert "next: manage.py freeze_wallet " in printed
        assert printed.splitlines()[-1] == "NOT balanced, 2 entries, 1 finding"

    def test_money_that_nobody_can_be_named_for_stands_in_suspense_until_it_is_reversed(self) -> None:
        kept = keep_apart()
        assert self.run()[0] == 0
        with transaction.atomic():
            TransactionService.reverse(kept, actor=UserFactory(), reason="sent back", now=clock.now())
        assert self.run()[1].splitlines()[-1] == "balanced, 4 entries, 0 findings"

    def test_json_tells_the_same(self) -> None:
        fund(UserFactory(), "100.00")
        code, printed = self.run("--json")
        told = json.loads(printed)
        assert (code, told["balanced"], told["findings"], told["totals"]["entries"]) == (0, True, [], 2)
        assert told["totals"]["currencies"][0]["wallets"] == "100.00"

    def test_stop_money_out_stops_it_and_publishes(self) -> None:
        self.break_a_wallet()
        code, printed = self.run("--stop-money-out")
        assert code == 3
        assert "Outgoing money is stopped" in printed
        assert Switch.objects.get(name=switches.MONEY_OUT_STOPPED).active
        assert Event.objects.get(type="ledger.invariant_broken").payload["check"] == "spent_is_what_was_sent"
        switches.forget()

    def test_stop_money_out_does_nothing_to_a_sound_ledger(self) -> None:
        assert self.run("--stop-money-out")[0] == 0
        assert not Switch.objects.filter(name=switches.MONEY_OUT_STOPPED).exists()

    def test_progress_names_each_check(self) -> None:
        told: list[str] = []
        verify(progress=lambda number, count, code: told.append(f"{number}/{count} {code}"))
        assert told[0] == f"1/{len(every_check()) + len(RULES)} entries_sum_to_zero"
        assert len(told) == len(every_check())

    def test_a_database_that_does_not_answer_is_an_error_not_a_sound_ledger(self) -> None:
        with transaction.atomic():
            with pytest.raises(DataError), connections["default"].cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
            with pytest.raises(CommandError, match="could not be verified"):
                self.run()
            transaction.set_rollback(True)
