"""Refunds in parts that never exceed the movement, and what the house bears when the money is spent meanwhile."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum
from hypothesis import given, settings
from hypothesis import strategies as st

from fintech_core import clock
from fintech_core.exceptions import constraint_of, sqlstate_of
from fintech_core.ids import uuid7
from fintech_core.models import AuditRecord
from notifications.models import Event
from tests.factories import StaffFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import bill_draft, happened, settlement, transfer_draft
from transactions.drafts import Authorize, Post, Source, TransactionDraft, credit_account, debit_wallet
from transactions.drafts import credit_wallet as to
from transactions.errors import (
    AlreadyReversed,
    DuplicateReference,
    InsufficientFunds,
    NotRefundable,
    NotReversible,
    RefundExceedsAmount,
)
from transactions.models import LedgerEntry, ParkedCredit, Transaction
from transactions.rendering import render
from transactions.selectors import refunded_so_far
from transactions.services import TransactionService
from transactions.services.releasing import release_for
from transactions.verification import verify
from users.models import User
from wallet.services import freeze_wallet, unfreeze_wallet

pytestmark = pytest.mark.django_db
FOREIGN_KEY_VIOLATION = "23503"
COST, COMMISSION, FEE = Decimal("980.00"), Decimal("20.00"), Decimal("50.00")


def sent(amount: str = "40.00", fee: str = "0.00") -> tuple[User, User, Transaction]:
    """Let Ada, who has 100.00, send money to Chidi."""
    ada, chidi = UserFactory(), UserFactory()
    fund(ada, "100.00")
    return ada, chidi, happened(Post(transfer_draft(main_wallet(ada), main_wallet(chidi), amount, fee)))


def paid() -> tuple[User, Transaction]:
    """Let Ada pay a bill of 1,000.00 and a fee of 50.00."""
    ada = UserFactory()
    fund(ada, "2000.00")
    held = happened(Authorize(bill_draft(main_wallet(ada), "1000.00", "50.00")))
    return ada, happened(settlement(held, main_wallet(ada), COST, COMMISSION, FEE))


def refund(original: Transaction, amount: str | None = None, **options: Any) -> Transaction:
    with transaction.atomic():
        return TransactionService.refund(
            original, amount=None if amount is None else Decimal(amount), actor=None, reason="goods came back",
            now=clock.now(), **options,
        )  # fmt: skip


def reverse(original: Transaction, **options: Any) -> Transaction:
    with transaction.atomic():
        return TransactionService.reverse(original, actor=None, reason="error", now=clock.now(), **options)


def account(code: str) -> Decimal:
    """Return the balance of an account: debits less credits."""
    lines = LedgerEntry.objects.filter(account__code=code)
    sums = {
        side: lines.filter(direction=side).aggregate(s=Sum("amount"))["s"] or 0
        for side in ("debit", "credit")
    }
    return Decimal(sums["debit"] - sums["credit"])


def money() -> tuple[Any, ...]:
    return (
        LedgerEntry.objects.count(), Transaction.objects.count(), Event.objects.count(), AuditRecord.objects.count()
    )  # fmt: skip


class TestRefund:
    def test_gives_a_part_back_and_links_both_ways(self) -> None:
        ada, chidi, original = sent()
        part = refund(original, "15.00")
        assert (part.type, part.amount, part.refund_of_id, part.fee) == ("refund", 15, original.pk, 0)
        assert (main_wallet(ada).balance, main_wallet(chidi).balance) == (75, 25)
        shown = render(Transaction.objects.get(pk=original.pk), viewer_id=ada.pk)
        assert (shown["refunds"], shown["status"], shown["refund_of"]) == ([str(part.pk)], "completed", None)
        assert render(part, viewer_id=chidi.pk)["refund_of"] == str(original.pk)
        assert verify().findings == ()

    def test_without_an_amount_gives_what_is_left(self) -> None:
        ada, chidi, original = sent(fee="2.00")
        refund(original, "15.00")
        rest = refund(original)
        assert rest.amount == 25
        # The fee was earned and is kept.
        assert (main_wallet(ada).balance, main_wallet(chidi).balance) == (98, 0)
        assert verify().findings == ()

    def test_the_sum_never_exceeds_the_amount(self) -> None:
        _, chidi, original = sent()
        fund(chidi, "500.00")
        refund(original, "39.99")
        before = money()
        with pytest.raises(RefundExceedsAmount) as refusal:
            refund(original, "0.02")
        facts = refusal.value.facts
        assert (facts["amount"], facts["refunded"], facts["remaining"]) == ("40.00", "39.99", "0.01")
        refund(original, "0.01")
        with pytest.raises(RefundExceedsAmount):
            refund(original)
        assert money()[0] == before[0] + 2
        assert refunded_so_far(original) == 40

    def test_tells_both_sides_and_the_audit_log(self) -> None:
        ada, chidi, original = sent()
        part = refund(original, "15.00")
        told = Event.objects.filter(type="transaction.refunded")
        assert {event.user_id for event in told} == {ada.pk, chidi.pk}
        assert told[0].payload["refund_id"] == str(part.pk)
        record = AuditRecord.objects.get(action="transaction.refunded")
        assert (record.target_id, record.reason) == (str(original.pk), "goods came back")
        assert record.changes == {"refunded": [None, str(part.pk)]}

    def test_a_bill_is_given_back_by_those_who_got_it(self) -> None:
        ada, bill = paid()
        refund(bill, "333.33")
        refund(bill, "333.33")
        refund(bill)
        assert main_wallet(ada).balance == Decimal("1950.00")
        assert (account("biller_float:vtpass"), account("biller_commission")) == (0, 0)
        assert account("fees:bill_payment") == -50
        assert verify().findings == ()

    @settings(max_examples=15, deadline=None)
    @given(st.lists(st.integers(1, 40_000), min_size=1, max_size=6))
    def test_parts_of_a_bill_add_up_exactly_however_it_is_cut(self, cuts: list[int]) -> None:
        _, bill = paid()
        begin = account("biller_float:vtpass"), account("biller_commission")
        left = 100_000
        for cut in cuts:
            given_back = min(cut, left)
            if given_back:
                refund(bill, f"{Decimal(given_back) / 100:.2f}")
                left -= given_back
        if left:
            refund(bill)
        after = account("biller_float:vtpass"), account("biller_commission")
        assert (after[0] - begin[0], after[1] - begin[1]) == (COST, COMMISSION)

    def test_what_is_not_completed_or_not_a_payment_is_refused(self) -> None:
        ada, chidi, original = sent()
        held = happened(Authorize(bill_draft(main_wallet(ada), "10.00")))
        funding = Transaction.objects.get(type="funding", to_user=ada)
        part = refund(original, "1.00")
        mirror = reverse(happened(Post(transfer_draft(main_wallet(chidi), main_wallet(ada), "1.00"))))
        before = money()
        for other in (held, funding, part, mirror):
            with pytest.raises(NotRefundable):
                refund(other)
        assert money() == before

    def test_of_a_frozen_payer_it_is_parked_and_lands_later(self) -> None:
        ada, chidi, original = sent()
        staff = StaffFactory()
        freeze_wallet(wallet_id=main_wallet(ada).pk, actor=staff, reason="fraud alert")
        refund(original)
        assert (main_wallet(ada).balance, main_wallet(chidi).balance) == (60, 0)
        assert ParkedCredit.objects.get(owner=ada).amount == 40
        assert verify().findings == ()
        unfreeze_wallet(wallet_id=main_wallet(ada).pk, actor=staff, reason="cleared")
        assert release_for(owner_id=ada.pk) == 1
        assert main_wallet(ada).balance == 100
        assert verify().findings == ()

    def test_of_a_frozen_payer_it_lands_later_above_the_cap_too(self) -> None:
        """A refund at once does: it gives back what was there before."""
        ada, chidi, staff = UserFactory(), UserFactory(), StaffFactory()
        fund(ada, "300000.00")
        original = happened(Post(transfer_draft(main_wallet(ada), main_wallet(chidi), "40.00")))
        fund(ada, "40.00")
        freeze_wallet(wallet_id=main_wallet(ada).pk, actor=staff, reason="fraud alert")
        refund(original)
        unfreeze_wallet(wallet_id=main_wallet(ada).pk, actor=staff, reason="cleared")
        assert release_for(owner_id=ada.pk) == 1
        assert main_wallet(ada).balance == 300_040
        assert verify().findings == ()

    def test_it_comes_out_of_a_frozen_receiver(self) -> None:
        ada, chidi, original = sent()
        freeze_wallet(wallet_id=main_wallet(chidi).pk, actor=StaffFactory(), reason="fraud alert")
        refund(original)
        assert main_wallet(ada).balance == 100


class TestReverseOrRefund:
    def test_what_is_reversed_is_not_refunded(self) -> None:
        _, _, original = sent()
        reverse(original)
        with pytest.raises(AlreadyReversed):
            refund(original)

    def test_what_is_refunded_in_part_is_not_reversed(self) -> None:
        ada, _, original = sent()
        refund(original, "1.00")
        with pytest.raises(NotReversible):
            reverse(original)
        assert main_wallet(ada).balance == 61

    def test_a_reversed_refund_gave_nothing_back(self) -> None:
        ada, chidi, original = sent()
        reverse(refund(original))
        assert (main_wallet(ada).balance, main_wallet(chidi).balance) == (60, 40)
        assert refunded_so_far(original) == 0
        refund(original, "40.00")
        assert verify().findings == ()


class TestShortfall:
    @pytest.mark.parametrize(("spent", "owed"), [("30.00", 30), ("40.00", 40), ("0.01", Decimal("0.01"))])
    @pytest.mark.parametrize("undo", [refund, reverse])
    def test_stands_on_receivables_in_the_same_posting(self, undo: Any, spent: str, owed: Decimal) -> None:
        ada, chidi, original = sent()
        happened(Post(transfer_draft(main_wallet(chidi), main_wallet(UserFactory()), spent)))
        before = money()
        with pytest.raises(InsufficientFunds):
            undo(original)
        assert money() == before
        undone = undo(original, book_shortfall=True)
        assert (main_wallet(ada).balance, main_wallet(chidi).balance) == (100, 0)
        assert account("receivables") == owed
        assert {line.transaction_id for line in LedgerEntry.objects.filter(account__code="receivables")} == {
            undone.pk
        }
        assert undone.from_user_id == chidi.pk
        record = AuditRecord.objects.get(target_id=str(original.pk))
        assert record.changes["receivables"] == [None, f"{Decimal(owed):.2f}"]
        assert verify().findings == ()

    def test_what_is_held_is_not_taken(self) -> None:
        _, chidi, original = sent()
        happened(Authorize(bill_draft(main_wallet(chidi), "25.00")))
        refund(original, book_shortfall=True)
        wallet = main_wallet(chidi)
        assert (wallet.balance, wallet.held, account("receivables")) == (25, 25, 25)
        assert verify().findings == ()

    def test_where_the_money_is_there_nothing_is_owed(self) -> None:
        _, _, original = sent()
        refund(original, book_shortfall=True)
        assert account("receivables") == 0

    def test_undoing_the_undoing_frees_of_the_debt(self) -> None:
        _, chidi, original = sent()
        happened(Post(transfer_draft(main_wallet(chidi), main_wallet(UserFactory()), "30.00")))
        reverse(refund(original, book_shortfall=True))
        assert (account("receivables"), main_wallet(chidi).balance) == (0, 10)
        assert verify().findings == ()

    def test_a_funding_that_was_charged_back(self) -> None:
        ada = UserFactory()
        funding = fund(ada, "100.00")
        happened(Post(transfer_draft(main_wallet(ada), main_wallet(UserFactory()), "70.00")))
        reverse(funding, book_shortfall=True)
        assert (main_wallet(ada).balance, account("receivables"), account("gateway_clearing:paystack")) == (
            0,
            70,
            0,
        )
        assert verify().findings == ()


class TestTheDatabase:
    """What direct SQL may not do, the services aside."""

    def draft(self, original: Transaction, amount: str, **links: Any) -> TransactionDraft:
        ada, chidi = original.from_wallet_id, original.to_wallet_id
        assert ada is not None
        assert chidi is not None
        value = Decimal(amount)
        return TransactionDraft(
            type="refund", currency="NGN", amount=value,
            legs=(debit_wallet(chidi, value, "NGN"), to(ada, value, "NGN")), from_wallet_id=chidi, to_wallet_id=ada,
            from_user_id=original.to_user_id, to_user_id=original.from_user_id, **links,
        )  # fmt: skip

    def test_refuses_a_sum_above_the_amount_in_one_statement_too(self) -> None:
        _, chidi, original = sent()
        fund(chidi, "500.00")
        one, two = (Post(self.draft(original, "20.01", refund_of_id=original.pk)) for _ in range(2))
        with pytest.raises(IntegrityError, match="refunds_within_the_amount"), transaction.atomic():
            TransactionService.apply([one, two], now=clock.now())
        happened(one)
        with pytest.raises(IntegrityError, match="refunds_within_the_amount"):
            happened(two)
        assert refunded_so_far(original) == Decimal("20.01")

    def test_refuses_to_refund_what_is_reversed_or_never_completed(self) -> None:
        ada, _, original = sent()
        reverse(original)
        fund(original.to_user, "50.00")
        with pytest.raises(IntegrityError, match="reversed_or_refunded"):
            happened(Post(self.draft(original, "1.00", refund_of_id=original.pk)))
        held = happened(Authorize(bill_draft(main_wallet(ada), "10.00")))
        with pytest.raises(IntegrityError, match="undoes_a_completed_one"):
            happened(Post(self.draft(original, "1.00", refund_of_id=held.pk)))

    def test_refuses_to_reverse_what_is_refunded(self) -> None:
        _, _, original = sent()
        refund(original, "1.00")
        mirror = Post(self.draft(original, "39.00", reverses_id=original.pk))
        with pytest.raises(IntegrityError, match="reversed_or_refunded"):
            happened(mirror)

    def test_a_second_mirror_is_told_by_its_name(self) -> None:
        _, chidi, original = sent()
        fund(chidi, "100.00")
        happened(Post(self.draft(original, "40.00", reverses_id=original.pk)))
        with pytest.raises(DuplicateReference, match="reversed before"):
            happened(Post(self.draft(original, "40.00", reverses_id=original.pk)))

    def test_a_mirror_of_nothing_is_a_fault_and_not_reversed_before(self) -> None:
        _, _, original = sent()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            with pytest.raises(IntegrityError) as fault:
                happened(Post(self.draft(original, "40.00", reverses_id=uuid7())))
        assert sqlstate_of(fault.value) == FOREIGN_KEY_VIOLATION
        assert "reverses_id" in constraint_of(fault.value)
        assert not Transaction.objects.exclude(reverses=None).exists()


class TestAWalletInTheMiddle:
    def test_lesson_25_reversing_does_not_look_at_what_only_passed_through(self) -> None:
        """Ada pays Bola who pays Chidi in one posting: Bola, who has nothing, stands on both sides."""
        ada, bola, chidi = (main_wallet(UserFactory()) for _ in range(3))
        fund(ada.owner, "100.00")
        value = Decimal("40.00")
        legs = (
            debit_wallet(ada.pk, value, "NGN"), to(bola.pk, value, "NGN"),
            debit_wallet(bola.pk, value, "NGN"), to(chidi.pk, value, "NGN"),
        )  # fmt: skip
        draft = TransactionDraft(type="transfer", currency="NGN", amount=value, legs=legs)
        passed_on = happened(Post(draft))
        reverse(passed_on)
        assert [main_wallet(each.owner).balance for each in (ada, bola, chidi)] == [100, 0, 0]

    def test_lesson_25_a_debit_and_a_credit_of_one_wallet(self) -> None:
        ada = main_wallet(UserFactory())
        fund(ada.owner, "100.00")
        legs = (
            debit_wallet(ada.pk, Decimal(100), "NGN"), to(ada.pk, Decimal(30), "NGN"),
            credit_account("adjustments", Decimal(70), "NGN"),
        )  # fmt: skip
        booked = happened(
            Post(TransactionDraft(type="adjustment", currency="NGN", amount=Decimal(100), legs=legs,
                                  source=Source("adjustment", ada.pk)))
        )  # fmt: skip
        reverse(booked)
        assert main_wallet(ada.owner).balance == 100
