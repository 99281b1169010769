"""verify_ledger --incremental: what is new beside what was proven before, and what would never be new."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import transaction

from fintech_core import clock
from fintech_core.watermark import watermark
from tests.factories import StaffFactory, UserFactory
from tests.transactions.attacks import conninfo
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import bill_draft, happened, transfer_draft
from tests.transactions.test_verify_incrementally import edit, report_of
from transactions.drafts import Authorize, Post, Void
from transactions.models import LedgerEntry, Transaction, VerificationMark
from transactions.sealing import chain
from transactions.sealing.chain import complete_until
from transactions.services import TransactionService
from users.models import User
from wallet.models import Wallet

NO_SPENDING = "UPDATE wallet_wallet SET spent_today = 0, spent_this_month = 0, spent_on = NULL WHERE id = %s"


@pytest.fixture
def two(committed_db: None) -> tuple[Wallet, Wallet]:
    """Two people with money."""
    ada, chidi = UserFactory(), UserFactory()
    fund(ada, "500.00")
    fund(chidi, "500.00")
    return main_wallet(ada), main_wallet(chidi)


@pytest.fixture
def staff(committed_db: None) -> User:
    return StaffFactory()


def refunded(of: Transaction, staff: User, amount: str | None = None) -> Transaction:
    with transaction.atomic():
        return TransactionService.refund(
            Transaction.objects.get(pk=of.pk),
            amount=None if amount is None else Decimal(amount),
            actor=staff,
            reason="asked",
            now=clock.now(),
        )


def reversed_(of: Transaction, staff: User) -> Transaction:
    with transaction.atomic():
        return TransactionService.reverse(
            Transaction.objects.get(pk=of.pk), actor=staff, reason="a mistake", now=clock.now()
        )


def mark() -> None:
    """Verify what is new; all is well."""
    assert report_of("--incremental")["broken"] == {}


def found() -> set[str]:
    """Return the rules that are broken by what is new, and expect a full run to find the same of them."""
    told: dict[str, Any] = report_of("--incremental")["broken"]
    assert told == report_of()["broken"]
    return set(told)


class TestRefundsOverAMark:
    def test_a_refund_of_before_may_be_reversed(self, two: tuple[Wallet, Wallet], staff: User) -> None:
        refund = refunded(happened(Post(transfer_draft(*two, "100.00"))), staff)
        mark()
        reversed_(refund, staff)
        assert found() == set()

    def test_what_was_refunded_in_vain_before_may_be_refunded(
        self, two: tuple[Wallet, Wallet], staff: User
    ) -> None:
        sent = happened(Post(transfer_draft(*two, "100.00")))
        reversed_(refunded(sent, staff), staff)
        mark()
        refunded(sent, staff)
        assert found() == set()

    def test_the_rest_of_what_was_refunded_before_may_be_refunded(
        self, two: tuple[Wallet, Wallet], staff: User
    ) -> None:
        sent = happened(Post(transfer_draft(*two, "100.00")))
        refunded(sent, staff, "40.00")
        mark()
        refunded(sent, staff)
        assert found() == set()

    def test_a_refund_of_what_was_reversed_before_is_found(
        self, two: tuple[Wallet, Wallet], staff: User
    ) -> None:
        sent = happened(Post(transfer_draft(*two, "100.00")))
        reversed_(sent, staff)
        mark()
        back = happened(Post(transfer_draft(two[1], two[0], "100.00")))
        edit(
            "UPDATE transactions_transaction SET type = 'refund', refund_of_id = %s WHERE id = %s",
            sent.pk,
            back.pk,
        )
        edit(NO_SPENDING, two[1].pk)
        assert "refunds_are_within_the_amount" in found()

    def test_a_reversal_of_what_was_refunded_before_is_found(
        self, two: tuple[Wallet, Wallet], staff: User
    ) -> None:
        sent = happened(Post(transfer_draft(*two, "100.00")))
        refunded(sent, staff)
        mark()
        back = happened(Post(transfer_draft(two[1], two[0], "100.00")))
        edit(
            "UPDATE transactions_transaction SET type = 'reversal', reverses_id = %s WHERE id = %s",
            sent.pk,
            back.pk,
        )
        edit(NO_SPENDING, two[1].pk)
        assert "refunds_are_within_the_amount" in found()


# A funding with a time and numbers of entries of one's own choice: whoever may write entries may write that, too.
FUNDING = """
    WITH at AS (SELECT coalesce(%(at)s::timestamptz, clock_timestamp()) AS now), moved AS (
        INSERT INTO transactions_transaction
            (id, reference, type, status, currency, amount, fee, to_wallet_id, to_user_id, description, metadata,
             source_kind, source_id, converted_currency, failure_code, created_at, completed_at)
        SELECT %(id)s, 'TRX-BY-HAND', 'funding', 'completed', 'NGN', 50, 0, w.id, w.owner_id, '', '{}', 'payment',
               gen_random_uuid(), '', '', at.now, at.now FROM at, wallet_wallet w WHERE w.id = %(wallet)s
    ), given AS (
        UPDATE wallet_wallet SET balance = balance + 50, version = version + 1, last_entry_at = (SELECT now FROM at)
        WHERE id = %(wallet)s
    )
    INSERT INTO transactions_ledgerentry
        (id, transaction_id, account_id, wallet_id, direction, amount, currency, wallet_balance_after, wallet_version,
         created_at)
    SELECT %(debit)s, %(id)s::uuid, a.id, NULL, 'debit', 50, 'NGN', NULL::numeric, NULL::bigint, at.now
    FROM at, transactions_ledgeraccount a WHERE (a.code, a.currency) = ('gateway_clearing:paystack', 'NGN')
    UNION ALL
    SELECT %(credit)s, %(id)s::uuid, a.id, w.id, 'credit', 50, 'NGN', w.balance + 50, w.version + 1, at.now
    FROM at, transactions_ledgeraccount a, wallet_wallet w
    WHERE w.id = %(wallet)s AND (a.code, a.currency) = ('customer_wallets', 'NGN')
"""
HUGE = 9 * 10**18, 9 * 10**18 + 1
NOT_GIVEN = "numbers_are_given_by_their_sequence"


def fund_by_hand(wallet: Wallet, ids: tuple[int, int] | None = None, *, at: str | None = None) -> None:
    """Fund a wallet as the application's role may, every guard in place; ids and time are drawn where not given."""
    with psycopg.connect(conninfo("default")) as session:
        if ids is None:
            draw = "SELECT nextval(pg_get_serial_sequence('transactions_ledgerentry', 'id')) FROM generate_series(1, 2)"
            first, second = session.execute(draw).fetchall()
            ids = first[0], second[0]
        given = {"id": uuid4(), "wallet": wallet.pk, "debit": ids[0], "credit": ids[1], "at": at}
        session.execute(FUNDING, given)


class TestNumbersThatNoSequenceGave:
    @pytest.mark.parametrize("ids", [(-2, -1), (0, -1), HUGE])
    def test_entries_are_found_by_every_verification(
        self, two: tuple[Wallet, Wallet], ids: tuple[int, int]
    ) -> None:
        mark()
        fund_by_hand(two[0], ids)
        assert found() == {NOT_GIVEN}
        assert report_of()["broken"] == {NOT_GIVEN: 2}
        assert VerificationMark.objects.count() == 1

    def test_what_is_above_the_sequence_takes_neither_seals_nor_snapshots_with_it(
        self, two: tuple[Wallet, Wallet]
    ) -> None:
        newest = LedgerEntry.objects.latest("id").pk
        fund_by_hand(two[0], HUGE)
        assert watermark(LedgerEntry) == newest
        assert chain.seal()[-1].through_entry == newest
        happened(Post(transfer_draft(*two, "10.00")))
        assert chain.seal()[-1].entries == 2

    @pytest.mark.parametrize("number", [0, -5, 10**9])
    def test_holds_ends_and_openings_are_found(self, two: tuple[Wallet, Wallet], number: int) -> None:
        held = happened(Authorize(bill_draft(two[0], "10.00")))
        happened(Void(held.pk, "declined"))
        mark()
        edit("UPDATE transactions_transaction SET hold_number = %s, end_number = %s WHERE id = %s",
             number, number, held.pk)  # fmt: skip
        edit("UPDATE wallet_wallet SET opening_number = %s WHERE id = %s", number, two[1].pk)
        assert report_of("--incremental")["broken"][NOT_GIVEN] == 3
        assert complete_until().hold < 10**9


@pytest.mark.parametrize("at", ["infinity", "2999-01-01"])
def test_what_is_booked_in_the_future_is_found(two: tuple[Wallet, Wallet], at: str) -> None:
    mark()
    fund_by_hand(two[0], at=at)
    assert found() == {"entry_is_booked_with_its_transaction", "status_fits_the_facts"}


def test_what_is_booked_by_hand_now_is_sound(two: tuple[Wallet, Wallet]) -> None:
    mark()
    fund_by_hand(two[0])
    assert found() == set()


VERSION_ONCE = "entry_wallet_version_is_unique"
SAME_AGAIN = """
    INSERT INTO transactions_ledgerentry
        (transaction_id, account_id, wallet_id, direction, amount, currency, wallet_balance_after, wallet_version,
         created_at)
    SELECT again.id, e.account_id, e.wallet_id, e.direction, e.amount, e.currency,
           e.wallet_balance_after + CASE e.direction WHEN 'credit' THEN e.amount ELSE 0 END,
           e.wallet_version + CASE e.direction WHEN 'credit' THEN 1 ELSE 0 END, again.completed_at
    FROM transactions_ledgerentry e, transactions_transaction again
    WHERE e.transaction_id = %s AND again.id = %s ORDER BY e.id
"""


class TestVersions:
    def test_a_version_used_twice_is_found(self, two: tuple[Wallet, Wallet]) -> None:
        """What was sent once arrives twice: the second time it leaves the sender by the version of the first."""
        sender, recipient = two
        mark()
        sent = happened(Post(transfer_draft(sender, recipient, "50.00")))
        with psycopg.connect(conninfo("owner")) as session:
            entries = "ALTER TABLE transactions_ledgerentry"
            session.execute(f"{entries} DROP CONSTRAINT {VERSION_ONCE}")
            session.execute(f"{entries} ADD CONSTRAINT {VERSION_ONCE} UNIQUE (wallet_id, wallet_version, id)")
            for table in ("transactions_transaction", "transactions_ledgerentry", "wallet_wallet"):
                session.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            again = uuid4()
            session.execute(
                "INSERT INTO transactions_transaction SELECT (jsonb_populate_record(t, jsonb_build_object("
                "'id', %s::text, 'reference', 'TRX-AGAIN'))).* FROM transactions_transaction t WHERE id = %s",
                [again, sent.pk],
            )
            session.execute(SAME_AGAIN, [sent.pk, again])
            session.execute(
                "UPDATE wallet_wallet SET balance = balance + 50, version = version + 1 WHERE id = %s",
                [recipient.pk],
            )
            session.execute(
                "UPDATE wallet_wallet SET spent_today = spent_today + 50, spent_this_month = spent_this_month + 50"
                " WHERE id = %s",
                [sender.pk],
            )
        found = {"entry_follows_the_one_before", "definitions_are_ours"}
        assert set(report_of("--incremental")["broken"]) == found
        assert set(report_of()["broken"]) == {*found, "wallet_shows_its_entries"}
