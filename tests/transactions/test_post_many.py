"""Batches: one round of locks and one write, all or nothing, or each on its own."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from fintech_core import clock
from fintech_core.database.atomic import NotInTransaction
from fintech_core.exceptions import DomainError, problem_handler
from fintech_core.ids import uuid7
from tests.factories import StaffFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from transactions import limits, switches
from transactions.chart import gateway_clearing
from transactions.drafts import Source, TransactionDraft, credit_wallet, debit_wallet, funding_draft
from transactions.errors import (
    ChartViolation,
    DuplicateReference,
    InsufficientFunds,
    MoneyOutPaused,
    RecipientCannotReceive,
    UnexpectedlyDropped,
    WalletFrozen,
)
from transactions.models import LedgerEntry, Transaction
from transactions.services import TransactionService
from transactions.verification import verify
from users.models import User
from wallet.services import freeze_wallet

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def sound_ledger() -> object:
    """Re-prove the ledger after each test."""
    limits.forget()
    switches.forget()
    yield
    assert verify().findings == ()


def transfer(sender: User, recipient: User, amount: str, reference: str = "") -> TransactionDraft:
    source, target, value = main_wallet(sender), main_wallet(recipient), Decimal(amount)
    return TransactionDraft(
        type="transfer", currency="NGN", amount=value, reference=reference, counts_toward_limits=True,
        legs=(debit_wallet(source.pk, value, "NGN"), credit_wallet(target.pk, value, "NGN")),
        from_wallet_id=source.pk, to_wallet_id=target.pk, from_user_id=sender.pk, to_user_id=recipient.pk,
        initiated_by_id=sender.pk,
    )  # fmt: skip


@transaction.atomic
def post_many(*drafts: TransactionDraft) -> list[Transaction]:
    return TransactionService.post_many(drafts, now=clock.now())


@transaction.atomic
def post_each(*drafts: TransactionDraft) -> list[Transaction | DomainError]:
    return TransactionService.post_each(drafts, now=clock.now())


def funded(amount: str = "100.00") -> User:
    user = UserFactory()
    fund(user, amount)
    return user


def balances(*people: User) -> list[Decimal]:
    return [main_wallet(person).balance for person in people]


class TestPostMany:
    def test_money_that_came_in_by_the_batch_goes_on_in_it(self) -> None:
        ada, chidi, bola = funded(), UserFactory(), UserFactory()
        rows = post_many(transfer(ada, chidi, "100.00"), transfer(chidi, bola, "60.00"))
        assert [row.status for row in rows] == ["completed", "completed"]
        assert balances(ada, chidi, bola) == [0, 40, 60]
        assert main_wallet(chidi).version == 2

    def test_one_refusal_refuses_all(self) -> None:
        ada, chidi = funded(), UserFactory()
        with pytest.raises(InsufficientFunds):
            post_many(transfer(ada, chidi, "60.00"), transfer(ada, chidi, "40.01"))
        assert balances(ada, chidi) == [100, 0]
        assert main_wallet(ada).spent_today == 0

    def test_lesson_27_a_reference_twice_in_a_batch_or_equal_to_an_old_one_is_refused(self) -> None:
        ada, chidi = funded(), UserFactory()
        with pytest.raises(DuplicateReference):
            post_many(transfer(ada, chidi, "1.00", "rent-1"), transfer(ada, chidi, "1.00", "rent-1"))
        post_many(transfer(ada, chidi, "1.00", "rent-1"))
        with pytest.raises(DuplicateReference):
            post_many(transfer(ada, chidi, "1.00", "rent-2"), transfer(ada, chidi, "1.00", "rent-1"))
        assert balances(ada, chidi) == [99, 1]

    def test_a_reference_is_the_senders_own(self) -> None:
        ada, chidi = funded(), funded()
        post_many(transfer(ada, chidi, "1.00", "rent-1"), transfer(chidi, ada, "2.00", "rent-1"))
        assert balances(ada, chidi) == [101, 99]

    def test_without_a_sender_a_reference_is_used_once(self) -> None:
        ada = UserFactory()
        made = fund(ada, "1.00")
        again = funding_draft(
            wallet_id=main_wallet(ada).pk, user_id=ada.pk, amount=Decimal(1), currency="NGN",
            source_account=gateway_clearing("paystack"), source=Source("payment", uuid7()),
        )  # fmt: skip
        with pytest.raises(DuplicateReference):
            post_many(replace(again, reference=made.reference))
        assert balances(ada) == [1]

    def test_a_thousand_cost_one_lock_as_one_does_and_six_writes(self) -> None:
        ada, crowd = funded("50000.00"), [UserFactory() for _ in range(20)]
        to_each = [transfer(ada, person, "1.00") for person in crowd]
        drafts = [replace(to_each[number % 20], id=uuid7()) for number in range(1_000)]
        post_many(to_each[0])  # what a process remembers of rules is read now
        with transaction.atomic(), CaptureQueriesContext(connection) as bulk:
            TransactionService.post_many(drafts, now=clock.now())
        with transaction.atomic(), CaptureQueriesContext(connection) as single:
            TransactionService.post_many([to_each[1]], now=clock.now())
        assert len(bulk) == len(single) + 5  # the first fifty, then each two hundred
        assert main_wallet(ada).balance == 48_998
        assert LedgerEntry.objects.filter(wallet=main_wallet(crowd[2])).count() == 50

    def test_more_than_a_thousand_are_a_bug(self) -> None:
        ada, chidi = funded(), UserFactory()
        with pytest.raises(ValueError, match="1001 drafts"):
            post_many(*[transfer(ada, chidi, "0.01")] * 1_001)
        assert balances(ada, chidi) == [100, 0]

    def test_a_guard_that_drops_its_draft_is_a_bug_and_no_answer_to_a_client(self) -> None:
        ada, chidi = funded(), UserFactory()
        dropped = replace(transfer(ada, chidi, "2.00"), guard=lambda _draft: None)
        with pytest.raises(UnexpectedlyDropped) as caught:
            post_many(transfer(ada, chidi, "1.00"), dropped)
        assert problem_handler(caught.value, {}) is None
        with pytest.raises(UnexpectedlyDropped), transaction.atomic():
            TransactionService.post(dropped, now=clock.now())
        assert balances(ada, chidi) == [100, 0]

    def test_nothing_to_post_posts_nothing(self) -> None:
        assert post_many() == []

    def test_refuses_to_run_outside_a_transaction(self, committed_db: None) -> None:
        with pytest.raises(NotInTransaction):
            TransactionService.post_many([], now=clock.now())


class TestPostEach:
    def test_a_refused_draft_moves_nothing_and_counts_nothing(self) -> None:
        ada, chidi, staff = funded("70000.00"), UserFactory(), StaffFactory()
        bola = UserFactory()
        freeze_wallet(wallet_id=main_wallet(bola).pk, actor=staff, reason="x")
        results = post_each(
            transfer(ada, chidi, "20000.00"),
            transfer(ada, chidi, "30000.01"),
            transfer(ada, bola, "1.00"),
            transfer(ada, chidi, "30000.00"),
        )
        assert [getattr(row, "code", row and row.status) for row in results] == [
            "completed", "limit_exceeded", "recipient_cannot_receive", "completed",
        ]  # fmt: skip
        assert balances(ada, chidi, bola) == [20_000, 50_000, 0]
        wallet = main_wallet(ada)
        assert (wallet.spent_today, wallet.version) == (50_000, 3)

    def test_what_one_could_not_pay_a_smaller_one_can(self) -> None:
        ada, chidi = funded(), UserFactory()
        first, second = post_each(transfer(ada, chidi, "100.01"), transfer(ada, chidi, "100.00"))
        assert isinstance(first, InsufficientFunds)
        assert isinstance(second, Transaction)
        assert balances(ada, chidi) == [0, 100]

    def test_all_refused_write_nothing(self) -> None:
        ada, chidi, staff = funded(), UserFactory(), StaffFactory()
        freeze_wallet(wallet_id=main_wallet(ada).pk, actor=staff, reason="x")
        before = Transaction.objects.count()
        results = post_each(transfer(ada, chidi, "1.00"), transfer(ada, chidi, "2.00"))
        assert [type(result) for result in results] == [WalletFrozen, WalletFrozen]
        assert (Transaction.objects.count(), balances(ada, chidi)) == (before, [100, 0])

    def test_a_refusal_in_the_middle_of_a_draft_is_taken_back_whole(self) -> None:
        """Two debits of a wallet, of which the second is too much: the first must not stay."""
        ada, chidi = funded(), UserFactory()
        source, target = main_wallet(ada), main_wallet(chidi)
        greedy = TransactionDraft(
            type="transfer", currency="NGN", amount=Decimal(120), from_wallet_id=source.pk,
            legs=(debit_wallet(source.pk, Decimal(60), "NGN"), debit_wallet(source.pk, Decimal(60), "NGN"),
                  credit_wallet(target.pk, Decimal(120), "NGN")),
        )  # fmt: skip
        refused, sent = post_each(greedy, transfer(ada, chidi, "70.00"))
        assert isinstance(refused, InsufficientFunds)
        assert isinstance(sent, Transaction)
        assert balances(ada, chidi) == [30, 70]
        assert (main_wallet(ada).version, main_wallet(chidi).version) == (2, 1)

    def test_a_bug_in_a_draft_refuses_all(self) -> None:
        ada, chidi = funded(), UserFactory()
        wallet = main_wallet(ada)
        broken = TransactionDraft(
            type="transfer", currency="NGN", amount=Decimal(1), legs=(debit_wallet(wallet.pk, Decimal(1), "NGN"),)
        )  # fmt: skip
        with pytest.raises(ChartViolation):
            post_each(transfer(ada, chidi, "1.00"), broken)
        assert balances(ada, chidi) == [100, 0]

    def test_a_guard_that_drops_its_draft_refuses_all(self) -> None:
        ada, chidi = funded(), UserFactory()
        dropped = replace(transfer(ada, chidi, "2.00"), guard=lambda _draft: None)
        with pytest.raises(UnexpectedlyDropped):
            post_each(transfer(ada, chidi, "1.00"), dropped)
        assert balances(ada, chidi) == [100, 0]

    def test_while_money_out_is_stopped_all_are_refused(self) -> None:
        ada, chidi, staff = funded(), UserFactory(), StaffFactory()
        switches.stop_money_out(actor=staff, reason="x")
        switches.forget()
        with pytest.raises(MoneyOutPaused):
            post_each(transfer(ada, chidi, "1.00"))
        switches.resume_money_out(actor=staff, reason="x")
        switches.forget()
        assert balances(ada, chidi) == [100, 0]

    def test_a_receiver_that_is_full_lets_the_others_pass(self) -> None:
        ada, full, bola = funded("40000.00"), funded("290000.00"), UserFactory()
        results = post_each(transfer(ada, full, "10000.01"), transfer(ada, bola, "10000.01"))
        assert isinstance(results[0], RecipientCannotReceive)
        assert balances(full, bola) == [290_000, Decimal("10000.01")]
