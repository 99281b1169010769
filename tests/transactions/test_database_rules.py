"""What the database refuses by itself: direct SQL as the application's role, as the owner and as a superuser."""

import threading
from collections.abc import Iterator

import psycopg
import pytest
from django.conf import settings
from pytest_django.plugin import DjangoDbBlocker

from tests.transactions.attacks import (
    HELD,
    MADE,
    Attacker,
    contents,
    entries,
    line,
    step,
    wait_for_a_waiter,
    wallet_line,
    wallet_moved,
)
from tests.transactions.money import main_wallet
from tests.transactions.story import Story, bill_draft, happened
from transactions.drafts import Authorize
from transactions.models import LedgerAccount, LedgerEntry
from transactions.verification import verify

GATEWAY, SUSPENSE = "gateway_clearing:paystack", "suspense"
PAIR = (line(GATEWAY, "debit"), line(SUSPENSE, "credit"))
SECOND = entries(
    *(line(code, side, of="%(funding)s") for code, side in ((GATEWAY, "debit"), (SUSPENSE, "credit")))
)
CAPTURE = "UPDATE transactions_transaction SET status = 'completed', completed_at = now()"
CAPTURED = step(
    f"{CAPTURE} WHERE id = %(held)s AND status = 'pending'",
    "UPDATE wallet_wallet SET balance = %(balance)s - 5, held = held - 5, version = %(version)s + 1, "
    "last_entry_at = now() WHERE id = %(other)s",
    entries(wallet_line("debit", of="%(held)s"), line("biller_float:vtpass", "credit", of="%(held)s")),
)
PAST_THE_WALLET = step(
    f"{CAPTURE} WHERE id = %(held)s AND status = 'pending'",
    entries(
        line("late_delivery", "debit", of="%(held)s"), line("biller_float:vtpass", "credit", of="%(held)s")
    ),
)
NO_RIGHT = "no right"


@pytest.fixture(params=["default", "owner"])
def attacker(
    story: Story, request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker
) -> Iterator[Attacker]:
    """Somebody with the application's password, then somebody with the owner's; the ledger is sound afterwards."""
    with django_db_blocker.unblock():
        yield Attacker(story, request.param)
        assert verify().findings == ()


ENTRY_ATTACKS = {
    "unbalanced": (step(MADE, entries(line(GATEWAY, "debit"), line(SUSPENSE, "credit", "4"))), "entries_sum_to_zero"),
    "one line": (step(MADE, entries(line(GATEWAY, "debit"))), "entries_sum_to_zero"),
    "balanced only over two currencies": (
        step(MADE, entries(line(GATEWAY, "debit"), line(SUSPENSE, "credit", currency="USD"))), "entries_sum_to_zero"),
    "two inserts in one statement that do not balance together": (
        step(MADE, entries(line(GATEWAY, "debit")), entries(line(SUSPENSE, "credit", "4"))), "entries_sum_to_zero"),
    "two inserts in one statement, one for an old transaction": (
        step(MADE, entries(*PAIR), SECOND), "entries_come_once_and_completed"),
    "a second batch for a completed transaction": (SECOND, "entries_come_once_and_completed"),
    "entries of a pending transaction": (
        entries(line(GATEWAY, "debit", of="%(pending)s"), line(SUSPENSE, "credit", of="%(pending)s")),
        "entries_come_once_and_completed"),
    "entries of a failed transaction": (
        entries(line(GATEWAY, "debit", of="%(voided)s"), line(SUSPENSE, "credit", of="%(voided)s")),
        "entries_come_once_and_completed"),
    "entries of no transaction": (entries(*PAIR), "entries_come_once_and_completed"),
    "an account that does not exist": (
        step(MADE, entries(line("nowhere", "debit"), line(SUSPENSE, "credit"))), "null"),
    "an account of another currency": (
        step(MADE, entries(line(f"{GATEWAY}@USD", "debit"), line(SUSPENSE, "credit"))), "entry_fits_its_account"),
    "a control account without a wallet": (
        step(MADE, entries(line("customer_wallets", "debit"), line(SUSPENSE, "credit"))), "entry_fits_its_account"),
    "a wallet under another account": (
        step(MADE, entries(line(GATEWAY, "debit"), wallet_line("credit", account=SUSPENSE)), wallet_moved("+ 5")),
        "entry_fits_its_account"),
    "a wallet under the account of another kind": (
        step(MADE, entries(line(GATEWAY, "debit"), wallet_line("credit", account="cashback_wallets")),
             wallet_moved("+ 5")), "entry_fits_its_account"),
    "a gap in a wallet's versions": (
        step(MADE, entries(line(GATEWAY, "debit"), wallet_line("credit", step=2)), wallet_moved("+ 5", 2)),
        "entry_follows_the_one_before"),
    "a balance that the one before does not lead to": (
        step(MADE, entries(line(GATEWAY, "debit"), wallet_line("credit", after="(%(balance)s + 6)")),
             wallet_moved("+ 6")), "entry_follows_the_one_before"),
    "an entry before the last one": (
        step(MADE, entries(line(GATEWAY, "debit"), wallet_line("credit", at="now() - interval '1 day'")),
             wallet_moved("+ 5", at="now() - interval '1 day'")), "entry_follows_the_one_before"),
    "an entry that its wallet does not show": (
        step(MADE, entries(line(GATEWAY, "debit"), wallet_line("credit"))), "wallet_shows_its_last_entry"),
    "a line without a version": (
        step(MADE, entries(line(GATEWAY, "debit"), line("customer_wallets", "credit", wallet="%(other)s", after="5"))),
        "entry_wallet_facts_come_together"),
    "money out of a line without a balance": (
        step(MADE, entries(wallet_line("debit", "%(balance)s", after="NULL"),
                           wallet_line("credit", "%(balance)s", after="%(balance)s", step=2)), wallet_moved("", 2)),
        "entry_wallet_facts_come_together"),
    "a wallet overdrawn": (
        step(MADE, entries(wallet_line("debit", "1000000"), line(SUSPENSE, "credit", "1000000")),
             wallet_moved("- 1000000")), "wallet_balance_covers_held"),
    "a negative amount": (
        step(MADE, entries(line(GATEWAY, "debit", "-5"), line(SUSPENSE, "credit", "-5"))), "entry_amount_is_positive"),
}  # fmt: skip

MOVEMENT_ATTACKS = {
    "completed without entries": (step(MADE), "completed_has_entries"),
    "born failed": (MADE.replace("made AS (", "").replace("'completed'", "'failed'")[:-1],
                    "transaction_is_born_pending_or_completed"),
    "a hold completed without entries": (
        f"{CAPTURE} WHERE id = %(pending)s", "completed_has_entries"),
    "a hold that nothing holds": (HELD, "held_is_the_sum_of_holds"),
    "a hold ended and still held": (
        "UPDATE transactions_transaction SET status = 'failed', completed_at = now(), failure_code = 'x' "
        "WHERE id = %(pending)s", "held_is_the_sum_of_holds"),
    "a capture above its hold": (
        f"{CAPTURE}, amount = hold_amount, fee = 0.01 WHERE id = %(pending)s", "capture_within_the_hold"),
    "a capture that changes whom it is from": (
        f"{CAPTURE}, from_user_id = %(staff)s WHERE id = %(pending)s", "transaction_facts_never_change"),
    "a capture that changes its wallet": (
        f"{CAPTURE}, from_wallet_id = %(other)s WHERE id = %(pending)s", "transaction_facts_never_change"),
    "a capture that changes its hold": (
        f"{CAPTURE}, hold_amount = 1000000 WHERE id = %(pending)s", "transaction_facts_never_change"),
    "a capture with a failure": (
        f"{CAPTURE}, failure_code = 'x' WHERE id = %(pending)s", "transaction_facts_never_change"),
    "a void that changes the amount": (
        "UPDATE transactions_transaction SET status = 'failed', completed_at = now(), amount = 1 "
        "WHERE id = %(pending)s", "transaction_facts_never_change"),
    "a pending one edited": (
        "UPDATE transactions_transaction SET description = 'x' WHERE id = %(pending)s",
        "final_transactions_never_change"),
    "a completed one edited": (
        "UPDATE transactions_transaction SET metadata = '{}' WHERE id = %(transfer)s",
        "final_transactions_never_change"),
    "a completed one reopened": (
        "UPDATE transactions_transaction SET status = 'pending', completed_at = NULL WHERE id = %(transfer)s",
        "final_transactions_never_change"),
    "a failed one completed": (f"{CAPTURE} WHERE id = %(voided)s", "final_transactions_never_change"),
    "a completed one failed by MERGE": (
        "MERGE INTO transactions_transaction t USING (SELECT %(transfer)s::uuid AS id) s ON t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET status = 'failed'", "final_transactions_never_change"),
    "a completed one overwritten by an upsert": (
        f"{HELD.replace('%(fresh)s,', '%(transfer)s,', 1)} ON CONFLICT (id) DO UPDATE SET amount = 1",
        "final_transactions_never_change"),
    "deleted": ("DELETE FROM transactions_transaction WHERE id = %(newest)s", "transactions_stay"),
    "deleted by MERGE": (
        "MERGE INTO transactions_transaction t USING (SELECT %(newest)s::uuid AS id) s ON t.id = s.id "
        "WHEN MATCHED THEN DELETE", "transactions_stay"),
}  # fmt: skip

WALLET_ATTACKS = {
    "balance raised": ("UPDATE wallet_wallet SET balance = balance + 1 WHERE id = %(other)s",
                       "wallet_shows_its_last_entry"),
    "balance raised with a new version": (
        "UPDATE wallet_wallet SET balance = balance + 1, version = version + 1 WHERE id = %(other)s",
        "wallet_shows_its_last_entry"),
    "put back to an earlier entry": (
        "UPDATE wallet_wallet w SET balance = e.wallet_balance_after, version = e.wallet_version, "
        "last_entry_at = e.created_at FROM transactions_ledgerentry e WHERE w.id = %(wallet)s "
        "AND e.wallet_id = w.id AND e.wallet_version = 1", "wallet_shows_its_last_entry"),
    "version alone": ("UPDATE wallet_wallet SET version = version + 1 WHERE id = %(other)s",
                      "wallet_shows_its_last_entry"),
    "time of the last entry": ("UPDATE wallet_wallet SET last_entry_at = now() WHERE id = %(other)s",
                               "wallet_shows_its_last_entry"),
    "negative": ("UPDATE wallet_wallet SET balance = -1 WHERE id = %(other)s", "wallet_balance_covers_held"),
    "held without a hold": ("UPDATE wallet_wallet SET held = 1 WHERE id = %(other)s", "held_is_the_sum_of_holds"),
    "hold forgotten": ("UPDATE wallet_wallet SET held = 0 WHERE id = %(wallet)s", "held_is_the_sum_of_holds"),
    "held above the balance": ("UPDATE wallet_wallet SET held = 1000000 WHERE id = %(other)s",
                               "wallet_balance_covers_held"),
    "balance raised by MERGE": (
        "MERGE INTO wallet_wallet w USING (SELECT %(other)s::uuid AS id) s ON w.id = s.id "
        "WHEN MATCHED THEN UPDATE SET balance = balance + 1", "wallet_shows_its_last_entry"),
    "balance raised by an upsert": (
        "INSERT INTO wallet_wallet SELECT * FROM wallet_wallet WHERE version = 0 LIMIT 1 "
        "ON CONFLICT (id) DO UPDATE SET balance = 1000", "wallet_shows_its_last_entry"),
    "owner": ("UPDATE wallet_wallet SET owner_id = %(staff)s, currency = 'GBP' WHERE id = %(other)s",
              "wallet_identity_never_changes"),
    "kind": ("UPDATE wallet_wallet SET kind = 'cashback' WHERE id = %(other)s", "wallet_identity_never_changes"),
    "currency": ("UPDATE wallet_wallet SET currency = 'USD' WHERE id = %(other)s", "wallet_identity_never_changes"),
    "id": ("UPDATE wallet_wallet SET id = %(fresh)s WHERE id = %(other)s", "wallet_identity_never_changes"),
    "deleted": ("DELETE FROM wallet_wallet WHERE id = %(other)s", "wallets_stay"),
    "deleted empty": ("DELETE FROM wallet_wallet WHERE version = 0", "wallets_stay"),
} | {
    f"born with {what}": (
        "INSERT INTO wallet_wallet (id, owner_id, kind, currency, balance, held, status, version, last_entry_at, "
        f"spent_today, spent_this_month, created_at) SELECT %(fresh)s, %(staff)s, 'main', 'KES', {values}, 0, 0, now()",
        "wallets_begin_empty")
    for what, values in {
        "money": "5, 0, 'active', 0, NULL", "a hold": "5, 5, 'active', 0, NULL", "a version": "0, 0, 'active', 1, NULL",
        "a last entry": "0, 0, 'active', 0, now()",
    }.items()
}  # fmt: skip

ACCOUNT = "UPDATE transactions_ledgeraccount SET"
ACCOUNT_ATTACKS = {
    "code": (f"{ACCOUNT} code = 'x' WHERE code = 'suspense'", "account_identity_never_changes"),
    "type": (f"{ACCOUNT} type = 'asset' WHERE code = 'suspense'", "account_identity_never_changes"),
    "currency": (f"{ACCOUNT} currency = 'EUR' WHERE code = 'suspense' AND currency = 'NGN'",
                 "account_identity_never_changes"),
    "wallet_kind": (f"{ACCOUNT} wallet_kind = 'main' WHERE code = 'suspense'", "account_identity_never_changes"),
    "id": (f"{ACCOUNT} id = id + 1000 WHERE code = 'suspense'", "account_identity_never_changes"),
    "deleted unused": ("DELETE FROM transactions_ledgeraccount WHERE code = 'fx_position'", "accounts_stay"),
}  # fmt: skip

PARKED = "UPDATE transactions_parkedcredit SET"
PARKED_ATTACKS = {
    "deleted": ("DELETE FROM transactions_parkedcredit WHERE status = 'parked'", "parked_credits_stay"),
    "deleted after it landed": ("DELETE FROM transactions_parkedcredit WHERE status = 'released'",
                                "parked_credits_stay"),
    "deleted by MERGE": ("MERGE INTO transactions_parkedcredit p USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE",
                         "parked_credits_stay"),
    "parked again": (f"{PARKED} status = 'parked', released_by_id = NULL WHERE status = 'released'",
                     "parked_credit_goes_forward"),
} | {
    f"{column} of what is {status}": (f"{PARKED} {column} = {value} WHERE status = '{status}'",
                                      "parked_credit_keeps_its_terms")
    for column, value in {
        "id": "%(fresh)s", "owner_id": "%(ada)s", "wallet_id": "%(other)s", "parked_by_id": "%(transfer)s",
        "type": "'refund'", "amount": "amount + 1", "currency": "'USD'", "reason": "'x'", "created_at": "now()",
    }.items()
    for status in ("parked", "released")
} | {
    "landed at another time": (f"{PARKED} released_at = released_at + interval '1 ms' WHERE status = 'released'",
                               "parked_credit_keeps_its_terms"),
    "landed at no time": (f"{PARKED} released_at = NULL WHERE status = 'released'", "parked_credit_keeps_its_terms"),
}  # fmt: skip

# The application's role has no right to these at all; the owner is refused by the triggers.
FORBIDDEN = {
    "edit an entry": ("UPDATE transactions_ledgerentry SET amount = 1 WHERE transaction_id = %(transfer)s",
                      "entries_are_append_only"),
    "edit no entry": ("UPDATE transactions_ledgerentry SET amount = 1 WHERE false", "entries_are_append_only"),
    "delete an entry": ("DELETE FROM transactions_ledgerentry WHERE transaction_id = %(transfer)s",
                        "entries_are_append_only"),
    "truncate entries": ("TRUNCATE transactions_ledgerentry", "entries_are_append_only"),
    "merge into entries": (
        "MERGE INTO transactions_ledgerentry e USING (SELECT 1) s ON true WHEN MATCHED THEN UPDATE SET amount = 1",
        "entries_are_append_only"),
    "truncate transactions": ("TRUNCATE transactions_transaction CASCADE", None),
    "truncate wallets": ("TRUNCATE wallet_wallet CASCADE", None),
    "truncate accounts": ("TRUNCATE transactions_ledgeraccount CASCADE", None),
    "truncate parked credits": ("TRUNCATE transactions_parkedcredit", None),
    "truncate people": ("TRUNCATE users_user CASCADE", None),
    "edit an audit row": ("UPDATE fintech_core_auditrecord SET reason = 'x'", "audit_is_append_only"),
    "delete audit rows": ("DELETE FROM fintech_core_auditrecord", "audit_is_append_only"),
    "truncate audit rows": ("TRUNCATE fintech_core_auditrecord", "audit_is_append_only"),
}  # fmt: skip


class TestDirectSql:
    def test_a_posting_that_keeps_the_rules_is_let_in(self, attacker: Attacker) -> None:
        statement = step(MADE, entries(wallet_line("debit"), line(SUSPENSE, "credit")), wallet_moved("- 5"))
        with attacker.session() as session, session.transaction(force_rollback=True):
            session.execute(statement, attacker.values())
            session.execute("SET CONSTRAINTS ALL IMMEDIATE")

    @pytest.mark.parametrize("what", ENTRY_ATTACKS)
    def test_cannot_write_wrong_entries(self, attacker: Attacker, what: str) -> None:
        statement, rule = ENTRY_ATTACKS[what]
        assert attacker.refused(statement) == ("None" if rule == "null" else rule)

    @pytest.mark.parametrize("what", MOVEMENT_ATTACKS)
    def test_cannot_change_transactions_outside_their_transitions(
        self, attacker: Attacker, what: str
    ) -> None:
        statement, rule = MOVEMENT_ATTACKS[what]
        assert attacker.refused(statement) == rule

    @pytest.mark.parametrize("what", WALLET_ATTACKS)
    def test_cannot_change_what_a_wallet_is_or_has(self, attacker: Attacker, what: str) -> None:
        statement, rule = WALLET_ATTACKS[what]
        assert attacker.refused(statement) == rule

    @pytest.mark.parametrize("what", ACCOUNT_ATTACKS)
    def test_cannot_change_the_chart(self, attacker: Attacker, what: str) -> None:
        statement, rule = ACCOUNT_ATTACKS[what]
        assert attacker.refused(statement) == rule

    @pytest.mark.parametrize("what", PARKED_ATTACKS)
    def test_cannot_forget_or_change_a_parked_credit(self, attacker: Attacker, what: str) -> None:
        statement, rule = PARKED_ATTACKS[what]
        assert attacker.refused(statement) == rule

    @pytest.mark.parametrize("what", FORBIDDEN)
    def test_cannot_rewrite_history(self, attacker: Attacker, what: str) -> None:
        statement, rule = FORBIDDEN[what]
        refused_by = attacker.refused(statement)
        if attacker.role == "default":
            assert refused_by == NO_RIGHT
        else:
            assert refused_by == rule or (rule is None and refused_by.endswith(("stay", "append_only")))

    def test_cannot_disable_a_trigger_without_owning_the_table(self, attacker: Attacker) -> None:
        if attacker.role == "default":
            for change in ("DISABLE TRIGGER USER", "DISABLE TRIGGER ALL"):
                assert attacker.refused(f"ALTER TABLE transactions_ledgerentry {change}") == NO_RIGHT
        assert attacker.refused("ALTER TABLE transactions_ledgerentry DISABLE TRIGGER ALL") == NO_RIGHT
        assert attacker.refused("SET session_replication_role = replica") == NO_RIGHT


class TestSecondBatch:
    def test_in_the_same_transaction_is_refused(self, attacker: Attacker) -> None:
        values = attacker.values()
        before = contents()
        with attacker.session() as session, session.transaction(force_rollback=True):
            session.execute(step(MADE, entries(*PAIR)), values)
            with pytest.raises(psycopg.errors.CheckViolation) as refusal:
                session.execute(entries(*PAIR), values)
        assert refusal.value.diag.constraint_name == "entries_come_once_and_completed"
        assert contents() == before

    def test_from_another_session_while_the_first_is_uncommitted_is_refused(self, attacker: Attacker) -> None:
        values = attacker.values()
        before = contents()
        with (
            attacker.session() as first,
            attacker.session() as second,
            first.transaction(force_rollback=True),
        ):
            first.execute(step(MADE, entries(*PAIR)), values)
            with pytest.raises(psycopg.errors.CheckViolation):
                second.execute(entries(*PAIR), values)
        assert contents() == before

    @pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
    @pytest.mark.parametrize("late", ["the same capture", "a capture past the wallet"])
    def test_a_capture_that_waited_for_a_capture_is_refused(
        self, attacker: Attacker, isolation: str, late: str
    ) -> None:
        held = happened(Authorize(bill_draft(main_wallet(attacker.story.chidi), "5.00")))
        values = attacker.values() | {"held": held.pk}
        outcome: list[str | None] = []

        def second() -> None:
            with attacker.session() as session:
                session.execute(f"BEGIN ISOLATION LEVEL {isolation}")
                session.execute("SELECT count(*) FROM wallet_wallet")
                ready.set()
                try:
                    session.execute(CAPTURED if late == "the same capture" else PAST_THE_WALLET, values)
                except psycopg.Error as error:
                    outcome.append(error.sqlstate)

        ready, thread = threading.Event(), threading.Thread(target=second)
        with attacker.session() as first, first.transaction():
            first.execute(CAPTURED, values)
            thread.start()
            assert ready.wait(5)
            with attacker.session() as watcher:
                wait_for_a_waiter(watcher)
        thread.join(10)
        assert len(outcome) == 1
        assert outcome[0] in {"23505", "23514", "40001"}
        assert LedgerEntry.objects.filter(transaction=held).count() == 2


class TestSuperuser:
    def test_replication_role_does_not_switch_the_guards_off(
        self, story: Story, django_db_blocker: DjangoDbBlocker
    ) -> None:
        with django_db_blocker.unblock():
            attacker = Attacker(story, "superuser" if settings.EMBEDDED else "owner")
            free = "SET session_replication_role = replica"
            for attacks in (ENTRY_ATTACKS, MOVEMENT_ATTACKS, WALLET_ATTACKS, ACCOUNT_ATTACKS):
                for statement, rule in attacks.values():
                    refused_by = (
                        attacker.refused(free, statement) if settings.EMBEDDED else attacker.refused(free)
                    )
                    assert refused_by in (rule, "None", NO_RIGHT)
            assert verify().findings == ()


class TestCopy:
    def test_of_unbalanced_entries_is_refused(self, attacker: Attacker) -> None:
        suspense = LedgerAccount.objects.get(code="suspense", currency="NGN").pk
        columns = "transaction_id, account_id, direction, amount, currency, created_at"
        row = (attacker.values()["funding"], suspense, "credit", "5", "NGN", "2026-01-01")
        assert self.copy(attacker, f"transactions_ledgerentry ({columns})", row) == "entries_sum_to_zero"

    def test_of_a_wallet_with_money_is_refused(self, attacker: Attacker) -> None:
        values = attacker.values()
        columns = (
            "id, owner_id, kind, currency, balance, held, status, version, spent_today, spent_this_month"
        )
        row = (
            values["fresh"],
            values["staff"],
            "main",
            "KES",
            "5",
            "0",
            "active",
            "0",
            "0",
            "0",
            "2026-01-01",
        )
        assert self.copy(attacker, f"wallet_wallet ({columns}, created_at)", row) == "wallets_begin_empty"

    @staticmethod
    def copy(attacker: Attacker, into: str, row: tuple[object, ...]) -> str | None:
        """Copy one row into a table, see that nothing changed, and return the rule that refused it."""
        before = contents()
        text = "\t".join(str(value) for value in row) + "\n"
        with (
            attacker.session() as session,
            session.cursor() as cursor,
            pytest.raises(psycopg.errors.CheckViolation) as refusal,
            cursor.copy(f"COPY {into} FROM STDIN") as copy,
        ):
            copy.write(text)
        assert contents() == before
        return refusal.value.diag.constraint_name
