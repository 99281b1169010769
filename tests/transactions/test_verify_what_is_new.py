"""verify_ledger --incremental beside what was proven before: refunds and reversals that undo each other over a mark."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from fintech_core import clock
from tests.factories import StaffFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import happened, transfer_draft
from tests.transactions.test_verify_onwards import edit, report_of
from transactions.drafts import Post
from transactions.models import Transaction
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
