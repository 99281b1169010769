"""TransactionService: what each operation does to wallets and entries."""

from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import transaction

from fintech_core import clock
from fintech_core.database.atomic import NotInTransaction
from tests.factories import StaffFactory, UnverifiedUserFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from transactions import chart
from transactions.drafts import (
    Authorize,
    Capture,
    Post,
    Source,
    TransactionDraft,
    Void,
    credit_account,
    credit_wallet,
    debit_wallet,
)
from transactions.errors import (
    AlreadyReversed,
    CaptureExceedsHold,
    ChartViolation,
    InsufficientFunds,
    KycRequired,
    LimitExceeded,
    RecipientCannotReceive,
    SameWallet,
    TransactionNotPending,
    WalletFrozen,
)
from transactions.models import LedgerEntry, ParkedCredit, Transaction
from transactions.services import TransactionService
from transactions.services.releasing import release_for
from users.models import User
from wallet.models import Wallet
from wallet.services import freeze_wallet, unfreeze_wallet

pytestmark = pytest.mark.django_db


def send(sender: User, recipient: User, amount: str) -> Transaction:
    with transaction.atomic():
        return TransactionService.transfer_money(
            sender=main_wallet(sender),
            recipient=main_wallet(recipient),
            amount=Decimal(amount),
            now=clock.now(),
        )


def hold(user: User, amount: str, fee: str = "0") -> Transaction:
    wallet = main_wallet(user)
    draft = TransactionDraft(
        type="bill_payment", currency="NGN", amount=Decimal(amount), fee=Decimal(fee), from_wallet_id=wallet.pk,
        from_user_id=user.pk, initiated_by_id=user.pk, source=Source("bill_payment", uuid4()),
        counts_toward_limits=True,
    )  # fmt: skip
    with transaction.atomic():
        return TransactionService.authorize(draft, now=clock.now())


def bill_legs(wallet: Wallet, amount: str) -> tuple:
    value = Decimal(amount)
    return debit_wallet(wallet.pk, value, "NGN"), credit_account(chart.biller_float("vtpass"), value, "NGN")


def capture(held: Transaction, wallet: Wallet, amount: str) -> Transaction:
    with transaction.atomic():
        return TransactionService.capture(
            held, legs=bill_legs(wallet, amount), amount=Decimal(amount), fee=Decimal(0), now=clock.now()
        )


class TestFunding:
    def test_credits_the_wallet_and_debits_the_gateway(self) -> None:
        user = UserFactory()
        funded = fund(user, "1500.50")
        wallet = main_wallet(user)
        assert (wallet.balance, wallet.held, wallet.version) == (Decimal("1500.50"), 0, 1)
        entries = {entry.account.code: (entry.direction, entry.amount) for entry in funded.entries.all()}
        assert entries == {
            "gateway_clearing:paystack": ("debit", Decimal("1500.5")),
            "customer_wallets": ("credit", Decimal("1500.5")),
        }

    def test_over_the_cap_parks_the_credit_and_releases_it_with_the_tier(self) -> None:
        user = UnverifiedUserFactory()
        funded = fund(user, "50000.01")
        parked = ParkedCredit.objects.get(owner=user)
        assert (main_wallet(user).balance, parked.reason, funded.to_wallet_id) == (0, "balance_cap", None)
        assert release_for(owner_id=user.pk) == 0
        User.objects.filter(pk=user.pk).update(kyc_tier=1)
        assert release_for(owner_id=user.pk) == 1
        assert main_wallet(user).balance == Decimal("50000.01")
        assert release_for(owner_id=user.pk) == 0

    def test_a_frozen_wallet_parks_and_unfreezing_releases(self) -> None:
        user, staff = UserFactory(), StaffFactory()
        freeze_wallet(wallet_id=main_wallet(user).pk, actor=staff, reason="fraud alert")
        fund(user, "10.00")
        assert main_wallet(user).balance == 0
        unfreeze_wallet(wallet_id=main_wallet(user).pk, actor=staff, reason="cleared")
        assert release_for(owner_id=user.pk) == 1
        assert main_wallet(user).balance == Decimal(10)


class TestTransfer:
    def test_moves_the_money_and_counts_it(self) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "100.00")
        sent = send(ada, chidi, "40.00")
        assert (main_wallet(ada).balance, main_wallet(chidi).balance) == (60, 40)
        assert (sent.status, sent.from_user_id, sent.to_user_id) == ("completed", ada.pk, chidi.pk)
        assert (main_wallet(ada).spent_today, main_wallet(chidi).spent_today) == (40, 0)

    def test_more_than_is_available_changes_nothing(self) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "100.00")
        hold(ada, "70.00")
        with pytest.raises(InsufficientFunds) as refusal:
            send(ada, chidi, "30.01")
        assert refusal.value.facts["available"] == "30.00"
        assert (main_wallet(ada).balance, main_wallet(chidi).balance) == (100, 0)

    def test_to_the_same_wallet_is_refused_before_any_lock(self) -> None:
        ada = UserFactory()
        with pytest.raises(SameWallet):
            send(ada, ada, "1.00")

    def test_tier_zero_may_not_send(self) -> None:
        ada, chidi = UnverifiedUserFactory(), UserFactory()
        fund(ada, "100.00")
        with pytest.raises(KycRequired):
            send(ada, chidi, "1.00")

    def test_daily_limit_names_what_is_left(self) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "60000.00")
        send(ada, chidi, "30000.00")
        with pytest.raises(LimitExceeded) as refusal:
            send(ada, chidi, "20000.01")
        assert refusal.value.facts["limit_name"] == "daily"
        assert refusal.value.facts["remaining"] == "20000.00"
        send(ada, chidi, "20000.00")

    def test_frozen_sender_and_frozen_receiver(self) -> None:
        ada, chidi, staff = UserFactory(), UserFactory(), StaffFactory()
        fund(ada, "100.00")
        fund(chidi, "100.00")
        freeze_wallet(wallet_id=main_wallet(chidi).pk, actor=staff, reason="x")
        with pytest.raises(RecipientCannotReceive):
            send(ada, chidi, "1.00")
        with pytest.raises(WalletFrozen):
            send(chidi, ada, "1.00")

    def test_refuses_to_run_outside_a_transaction(self, committed_db: None) -> None:
        ada, chidi = UserFactory(), UserFactory()
        with pytest.raises(NotInTransaction):
            TransactionService.transfer_money(
                sender=main_wallet(ada), recipient=main_wallet(chidi), amount=Decimal(1), now=clock.now()
            )


class TestHold:
    def test_capture_takes_a_part_and_releases_the_rest(self) -> None:
        ada = UserFactory()
        fund(ada, "100.00")
        held = hold(ada, "50.00", fee="5.00")
        assert (main_wallet(ada).held, main_wallet(ada).balance, main_wallet(ada).spent_today) == (
            55,
            100,
            50,
        )
        done = capture(held, main_wallet(ada), "30.00")
        wallet = main_wallet(ada)
        assert (wallet.held, wallet.balance, wallet.spent_today) == (0, 70, 30)
        assert (done.status, done.amount, done.hold_amount) == ("completed", 30, 55)

    def test_void_gives_everything_back(self) -> None:
        ada = UserFactory()
        fund(ada, "100.00")
        held = hold(ada, "50.00")
        with transaction.atomic():
            ended = TransactionService.void(held, failure_code="declined", now=clock.now())
        wallet = main_wallet(ada)
        assert (wallet.held, wallet.balance, wallet.spent_today, wallet.spent_this_month) == (0, 100, 0, 0)
        assert (ended.status, ended.failure_code) == ("failed", "declined")
        assert not LedgerEntry.objects.filter(transaction=held).exists()

    def test_is_resolved_once(self) -> None:
        ada = UserFactory()
        fund(ada, "100.00")
        held = hold(ada, "50.00")
        capture(held, main_wallet(ada), "50.00")
        with pytest.raises(TransactionNotPending):
            capture(held, main_wallet(ada), "50.00")
        with pytest.raises(TransactionNotPending), transaction.atomic():
            TransactionService.void(held, failure_code="late", now=clock.now())
        assert main_wallet(ada).balance == 50

    def test_twice_in_one_step_is_refused(self) -> None:
        ada = UserFactory()
        fund(ada, "100.00")
        held = hold(ada, "50.00")
        legs = bill_legs(main_wallet(ada), "50.00")
        with pytest.raises(TransactionNotPending), transaction.atomic():
            TransactionService.apply(
                [Capture(held.pk, legs, Decimal(50)), Void(held.pk, "declined")], now=clock.now()
            )
        assert main_wallet(ada).held == 50

    def test_capture_beyond_the_hold_is_refused(self) -> None:
        ada = UserFactory()
        fund(ada, "100.00")
        held = hold(ada, "50.00")
        with pytest.raises(CaptureExceedsHold):
            capture(held, main_wallet(ada), "50.01")

    def test_capture_of_more_amount_and_less_fee_is_refused(self) -> None:
        ada = UserFactory()
        fund(ada, "100.00")
        held = hold(ada, "50.00", fee="5.00")
        with pytest.raises(CaptureExceedsHold):
            capture(held, main_wallet(ada), "50.01")
        assert (main_wallet(ada).balance, main_wallet(ada).held) == (100, 55)

    def test_capture_whose_legs_take_more_than_it_says_is_refused(self) -> None:
        ada = UserFactory()
        fund(ada, "100.00")
        held = hold(ada, "50.00")
        legs = bill_legs(main_wallet(ada), "80.00")
        with pytest.raises(ChartViolation), transaction.atomic():
            TransactionService.capture(held, legs=legs, amount=Decimal(50), fee=Decimal(0), now=clock.now())
        assert (main_wallet(ada).balance, main_wallet(ada).held) == (100, 50)

    def test_sixth_hold_of_a_fifth_is_refused(self) -> None:
        ada = UserFactory()
        fund(ada, "5000.00")
        for _ in range(5):
            hold(ada, "1000.00")
        with pytest.raises(InsufficientFunds):
            hold(ada, "0.01")

    def test_capture_and_void_work_on_a_frozen_wallet(self) -> None:
        ada, staff = UserFactory(), StaffFactory()
        fund(ada, "100.00")
        first, second = hold(ada, "10.00"), hold(ada, "20.00")
        freeze_wallet(wallet_id=main_wallet(ada).pk, actor=staff, reason="x")
        capture(first, main_wallet(ada), "10.00")
        with transaction.atomic():
            TransactionService.void(second, failure_code="declined", now=clock.now())
        assert (main_wallet(ada).balance, main_wallet(ada).held) == (90, 0)


class TestApply:
    def test_several_operations_on_one_wallet_fold_into_one_update(self) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "100.00")
        held = hold(ada, "10.00")
        ada_wallet, chidi_wallet = main_wallet(ada), main_wallet(chidi)
        draft = TransactionDraft(
            type="transfer", currency="NGN", amount=Decimal(5),
            legs=(debit_wallet(ada_wallet.pk, Decimal(5), "NGN"),
                  credit_wallet(chidi_wallet.pk, Decimal(5), "NGN")),
            from_wallet_id=ada_wallet.pk, to_wallet_id=chidi_wallet.pk, from_user_id=ada.pk, to_user_id=chidi.pk,
        )  # fmt: skip
        with transaction.atomic():
            results = TransactionService.apply(
                [Capture(held.pk, bill_legs(ada_wallet, "10.00"), Decimal(10)), Post(draft)], now=clock.now()
            )
        assert [row.status for row in results if row] == ["completed", "completed"]
        wallet = main_wallet(ada)
        assert (wallet.balance, wallet.held, wallet.version) == (85, 0, 3)

    def test_a_guard_may_drop_its_draft(self) -> None:
        ada = UserFactory()
        fund(ada, "100.00")
        held = hold(ada, "10.00")
        dropped = TransactionDraft(
            type="adjustment",
            currency="NGN",
            amount=Decimal(1),
            legs=(
                debit_wallet(main_wallet(ada).pk, Decimal(1), "NGN"),
                credit_account("adjustments", Decimal(1), "NGN"),
            ),
            guard=lambda _draft: None,
        )
        with transaction.atomic():
            results = TransactionService.apply(
                [Capture(held.pk, bill_legs(main_wallet(ada), "10.00"), Decimal(10)), Post(dropped)],
                now=clock.now(),
            )
        assert results[1] is None
        assert main_wallet(ada).balance == 90

    def test_an_account_outside_the_chart_is_refused(self) -> None:
        ada = UserFactory()
        fund(ada, "100.00")
        wallet = main_wallet(ada)
        draft = TransactionDraft(
            type="transfer", currency="NGN", amount=Decimal(1),
            legs=(debit_wallet(wallet.pk, Decimal(1), "NGN"), credit_account("biller_float:vtpass", Decimal(1), "NGN")),
        )  # fmt: skip
        with pytest.raises(ChartViolation), transaction.atomic():
            TransactionService.apply([Post(draft)], now=clock.now())

    def test_two_legs_of_one_wallet_cannot_take_what_is_held(self) -> None:
        ada = UserFactory()
        fund(ada, "20.00")
        hold(ada, "10.00")
        leg = debit_wallet(main_wallet(ada).pk, Decimal(6), "NGN")
        draft = TransactionDraft(
            type="adjustment", currency="NGN", amount=Decimal(12),
            legs=(leg, leg, credit_account("adjustments", Decimal(12), "NGN")),
        )  # fmt: skip
        with pytest.raises(InsufficientFunds), transaction.atomic():
            TransactionService.post(draft, now=clock.now())
        assert main_wallet(ada).balance == 20

    def test_an_authorize_beside_a_post_sees_what_the_post_left(self) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "10.00")
        ada_wallet, chidi_wallet = main_wallet(ada), main_wallet(chidi)
        legs = (
            debit_wallet(ada_wallet.pk, Decimal(8), "NGN"),
            credit_wallet(chidi_wallet.pk, Decimal(8), "NGN"),
        )
        post = Post(TransactionDraft(type="transfer", currency="NGN", amount=Decimal(8), legs=legs))
        draft = TransactionDraft(
            type="bill_payment", currency="NGN", amount=Decimal(3), from_wallet_id=ada_wallet.pk
        )
        with pytest.raises(InsufficientFunds), transaction.atomic():
            TransactionService.apply([post, Authorize(draft)], now=clock.now())


class TestReverse:
    def test_books_the_mirror_once(self) -> None:
        ada, chidi, staff = UserFactory(), UserFactory(), StaffFactory()
        fund(ada, "100.00")
        sent = send(ada, chidi, "40.00")
        with transaction.atomic():
            mirror = TransactionService.reverse(sent, actor=staff, reason="sent in error", now=clock.now())
        assert (main_wallet(ada).balance, main_wallet(chidi).balance) == (100, 0)
        assert mirror.reverses_id == sent.pk
        with pytest.raises(AlreadyReversed), transaction.atomic():
            TransactionService.reverse(sent, actor=staff, reason="again", now=clock.now())

    def test_a_second_time_is_told_so_even_when_the_money_is_gone(self) -> None:
        ada, chidi, staff = UserFactory(), UserFactory(), StaffFactory()
        fund(ada, "100.00")
        sent = send(ada, chidi, "40.00")
        with transaction.atomic():
            TransactionService.reverse(sent, actor=staff, reason="sent in error", now=clock.now())
        assert main_wallet(chidi).balance == 0
        with pytest.raises(AlreadyReversed), transaction.atomic():
            TransactionService.reverse(sent, actor=staff, reason="again", now=clock.now())

    def test_spent_meanwhile_is_refused(self) -> None:
        ada, chidi, eze, staff = UserFactory(), UserFactory(), UserFactory(), StaffFactory()
        fund(ada, "100.00")
        sent = send(ada, chidi, "40.00")
        send(chidi, eze, "0.01")
        with pytest.raises(InsufficientFunds), transaction.atomic():
            TransactionService.reverse(sent, actor=staff, reason="x", now=clock.now())
        assert main_wallet(chidi).balance == Decimal("39.99")
