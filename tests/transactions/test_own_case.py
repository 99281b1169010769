"""Staff decide about other people's money, never about their own."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from fintech_core import clock
from fintech_core.approvals import AnotherPersonRequired
from fintech_core.models import ApprovalStatus, AuditRecord
from tests.factories import ManagerFactory, StaffFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import happened, transfer_draft
from transactions.drafts import Post
from transactions.enums import Direction
from transactions.models import Adjustment, Transaction
from transactions.services import TransactionService, adjustments
from users.errors import OwnCase
from users.models import User
from wallet.services import freeze_wallet, unfreeze_wallet

pytestmark = pytest.mark.django_db


def books() -> tuple[object, ...]:
    """What must not change where somebody is refused."""
    return (
        Transaction.objects.count(), AuditRecord.objects.count(),
        list(Adjustment.objects.values_list("pk", "status")),
    )  # fmt: skip


def undo(verb: str, original: Transaction, actor: User) -> Transaction:
    """Reverse or refund it as somebody."""
    more: dict[str, Any] = {"amount": None} if verb == "refund" else {}
    with transaction.atomic():
        made: Transaction = getattr(TransactionService, verb)(
            original, actor=actor, reason="x", now=clock.now(), **more
        )
        return made


def asked(owner: User, maker: User) -> Adjustment:
    """Ask for a credit of 5.00."""
    return adjustments.request_adjustment(
        wallet=main_wallet(owner), direction=Direction.CREDIT, amount=Decimal(5), reason="x", effective_at=None,
        maker=maker, now=clock.now(),
    )  # fmt: skip


def decided(decide: Callable[..., Adjustment], adjustment: Adjustment, checker: User) -> Adjustment:
    """Book or reject it as somebody."""
    return decide(adjustment_id=adjustment.pk, checker=checker, reason="x", now=clock.now())


class TestUndoing:
    @pytest.mark.parametrize("verb", ["reverse", "refund"])
    @pytest.mark.parametrize("side", ["sender", "receiver"])
    def test_whoever_sent_or_got_it_does_not_give_it_back(self, verb: str, side: str) -> None:
        staff, other, colleague = StaffFactory(), UserFactory(), StaffFactory()
        payer, payee = (staff, other) if side == "sender" else (other, staff)
        fund(payer, "100.00")
        sent = happened(Post(transfer_draft(main_wallet(payer), main_wallet(payee), "40.00")))
        before = books()
        with pytest.raises(OwnCase):
            undo(verb, sent, staff)
        assert books() == before
        undo(verb, sent, colleague)
        assert main_wallet(payer).balance == 100


class TestCorrections:
    def test_nobody_asks_for_money_of_ones_own(self) -> None:
        staff = StaffFactory()
        before = books()
        with pytest.raises(OwnCase):
            asked(staff, staff)
        assert books() == before

    @pytest.mark.parametrize("decide", [adjustments.book_adjustment, adjustments.reject_adjustment])
    def test_nobody_decides_about_ones_own_wallet(self, decide: Callable[..., Adjustment]) -> None:
        owner, maker = StaffFactory(), ManagerFactory()
        request = asked(owner, maker)
        before = books()
        with pytest.raises(OwnCase):
            decided(decide, request, owner)
        assert books() == before

    @pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}])
    def test_what_somebody_asked_for_who_has_left_is_not_booked(self, change: dict[str, bool]) -> None:
        owner, maker, checker = UserFactory(), ManagerFactory(), StaffFactory()
        request = asked(owner, maker)
        User.objects.filter(pk=maker.pk).update(**change)
        before = books()
        with pytest.raises(AnotherPersonRequired, match="may not ask"):
            decided(adjustments.book_adjustment, request, checker)
        assert books() == before
        rejected = decided(adjustments.reject_adjustment, request, checker)
        assert rejected.status == ApprovalStatus.REJECTED


class TestFreezing:
    def test_nobody_freezes_or_frees_ones_own_wallet(self) -> None:
        owner, colleague = StaffFactory(), StaffFactory()
        wallet = main_wallet(owner)
        with pytest.raises(OwnCase):
            freeze_wallet(wallet_id=wallet.pk, actor=owner, reason="x")
        freeze_wallet(wallet_id=wallet.pk, actor=colleague, reason="fraud alert")
        with pytest.raises(OwnCase):
            unfreeze_wallet(wallet_id=wallet.pk, actor=owner, reason="it was not me")
        assert main_wallet(owner).status == "frozen"
