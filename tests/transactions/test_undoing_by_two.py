"""Reversals and refunds above what one member of staff decides: another one approves, and only then money moves."""

from collections.abc import Callable
from decimal import Decimal
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, transaction
from pytest_django import Settings

from fintech_core import clock
from fintech_core.approvals import AnotherPersonRequired, ApprovalDecided, ApprovalPending
from fintech_core.exceptions import DomainError
from fintech_core.models import ApprovalRequest, AuditRecord
from notifications.models import Event
from tests.factories import ManagerFactory, StaffFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.requests import asked_for
from tests.transactions.story import happened, transfer_draft
from tests.users.parallel import in_parallel
from transactions.drafts import Post
from transactions.enums import ApprovalKind, Direction
from transactions.errors import AlreadyReversed, InsufficientFunds, RefundExceedsAmount
from transactions.models import LedgerEntry, Transaction, Undoing
from transactions.services.adjustments import book_adjustment, request_adjustment
from transactions.services.undoing_by_staff import book_undoing, reject_undoing, undo
from transactions.verification import verify
from users.errors import OwnCase
from users.models import User
from wallet.models import Wallet

pytestmark = pytest.mark.django_db
REVERSAL, REFUND = ApprovalKind.REVERSAL, ApprovalKind.REFUND
KINDS = pytest.mark.parametrize("kind", [REVERSAL, REFUND])


@pytest.fixture(autouse=True)
def fifty_alone(settings: Settings) -> None:
    """One person decides up to 50.00 naira."""
    settings.SECOND_PERSON_ABOVE = {"NGN": Decimal(50)}


@pytest.fixture
def maker() -> User:
    user: User = ManagerFactory()
    return user


@pytest.fixture
def checker() -> User:
    user: User = StaffFactory()
    return user


def sent(amount: str = "60.00") -> Transaction:
    """Let somebody who has 100.00 send money to somebody else."""
    ada, chidi = UserFactory(), UserFactory()
    fund(ada, "100.00")
    return happened(Post(transfer_draft(main_wallet(ada), main_wallet(chidi), amount)))


def undone(
    kind: ApprovalKind, original: Transaction, actor: User, amount: str | None = None, *, owed: bool = False
) -> Transaction | Undoing:
    return undo(
        kind=kind, transaction_id=original.pk, amount=None if amount is None else Decimal(amount), actor=actor,
        reason="Case 4711", book_shortfall=owed, now=clock.now(),
    )  # fmt: skip


def asked(
    kind: ApprovalKind, original: Transaction, actor: User, amount: str | None = None, *, owed: bool = False
) -> Undoing:
    request = undone(kind, original, actor, amount, owed=owed)
    assert isinstance(request, Undoing)
    return request


def booked(request: Undoing, checker: User) -> Transaction:
    done = book_undoing(undoing_id=request.pk, checker=checker, reason="seen", now=clock.now())
    return Transaction.objects.get(pk=done.result_id)


def spend(owner: User, amount: str) -> None:
    happened(Post(transfer_draft(main_wallet(owner), main_wallet(UserFactory()), amount)))


def books() -> tuple[object, ...]:
    """What must not change where somebody is refused."""
    return (
        list(Wallet.objects.order_by("pk").values_list("pk", "balance", "held", "version")),
        list(Undoing.objects.order_by("pk").values_list("pk", "status", "decided_by", "result_id")),
        Transaction.objects.count(), LedgerEntry.objects.count(), AuditRecord.objects.count(), Event.objects.count(),
    )  # fmt: skip


class TestAlone:
    @KINDS
    def test_one_person_is_enough_up_to_the_limit(self, kind: ApprovalKind, maker: User) -> None:
        original = sent("50.00")
        made = undone(kind, original, maker)
        assert isinstance(made, Transaction)
        assert (made.type, made.initiated_by_id, made.amount) == (kind, maker.pk, 50)
        assert not ApprovalRequest.objects.exists()

    def test_of_a_currency_that_is_not_named_nobody_decides_alone(
        self, maker: User, settings: Settings
    ) -> None:
        settings.SECOND_PERSON_ABOVE = {"USD": Decimal(50)}
        assert asked(REVERSAL, sent("0.01"), maker).currency == "NGN"

    def test_the_fee_counts_in_what_is_reversed(self, maker: User) -> None:
        ada, chidi = UserFactory(), UserFactory()
        fund(ada, "100.00")
        original = happened(Post(transfer_draft(main_wallet(ada), main_wallet(chidi), "50.00", "0.01")))
        assert asked(REVERSAL, original, maker).amount == Decimal("50.01")
        assert isinstance(undone(REFUND, original, maker), Transaction)

    def test_several_small_refunds_are_no_way_around_a_second_person(self, maker: User) -> None:
        original = sent("60.00")
        assert isinstance(undone(REFUND, original, maker, "30.00"), Transaction)
        request = asked(REFUND, original, StaffFactory(), "20.01")
        assert request.amount == Decimal("20.01")
        assert isinstance(undone(REFUND, original, maker, "20.00"), Transaction)

    def test_a_refund_that_is_given_over_and_over_is_no_way_around_either(self, maker: User) -> None:
        """Each was taken back, with the house bearing what the payer had spent; all of them were given."""
        original = sent("60.00")
        given = undone(REFUND, original, maker, "50.00")
        assert isinstance(given, Transaction)
        spend(original.from_user, "90.00")
        undone(REVERSAL, given, maker, owed=True)
        assert asked(REFUND, original, maker, "0.01").amount == Decimal("0.01")

    def test_neither_is_a_reversal_after_a_refund_that_was_taken_back(self, maker: User) -> None:
        original = sent("50.00")
        given = undone(REFUND, original, maker)
        assert isinstance(given, Transaction)
        spend(original.from_user, "100.00")
        undone(REVERSAL, given, maker, owed=True)
        assert asked(REVERSAL, original, maker).amount == 50

    def test_what_two_people_have_corrected_is_no_ones_to_reverse_alone(
        self, maker: User, checker: User
    ) -> None:
        owner = UserFactory()
        correction = book_adjustment(
            adjustment_id=request_adjustment(
                wallet=main_wallet(owner), direction=Direction.CREDIT, amount=Decimal(5), reason="x",
                effective_at=None, maker=maker, now=clock.now(),
            ).pk, checker=checker, reason="seen", now=clock.now(),
        )  # fmt: skip
        booked_by_two = Transaction.objects.get(pk=correction.result_id)
        assert asked(REVERSAL, booked_by_two, maker).amount == 5


class TestAsking:
    @KINDS
    def test_moves_nothing_tells_nobody_and_writes_down_who(self, kind: ApprovalKind, maker: User) -> None:
        original = sent()
        wallets, lines, events = (
            list(Wallet.objects.values()),
            LedgerEntry.objects.count(),
            Event.objects.count(),
        )
        request = asked(kind, original, maker)
        assert (list(Wallet.objects.values()), LedgerEntry.objects.count()) == (wallets, lines)
        assert Event.objects.count() == events
        assert (request.kind, request.status, request.amount) == (kind, "pending", 60)
        trail = AuditRecord.objects.filter(target_id__in=[str(request.pk), str(original.pk)])
        assert [(row.action, row.actor_id, row.reason) for row in trail] == [
            ("undoing.requested", maker.pk, "Case 4711")
        ]
        assert verify().findings == ()

    @KINDS
    def test_is_refused_where_the_undoing_would_be(self, kind: ApprovalKind, maker: User) -> None:
        original = sent()
        spend(original.to_user, "0.01")
        before = books()
        with pytest.raises(InsufficientFunds):
            undone(kind, original, maker)
        assert books() == before
        assert asked(kind, original, maker, owed=True).book_shortfall

    def test_again_is_refused_while_somebody_has_to_decide(self, maker: User, checker: User) -> None:
        original = sent()
        request = asked(REVERSAL, original, maker)
        before = books()
        for kind, person in ((REVERSAL, maker), (REFUND, checker)):
            with pytest.raises(ApprovalPending) as refusal:
                undone(kind, original, person)
            assert refusal.value.facts["approval_id"] == str(request.pk)
        assert books() == before
        reject_undoing(undoing_id=request.pk, checker=checker, reason="a part is enough", now=clock.now())
        assert asked(REFUND, original, maker, "55.00").amount == 55

    @KINDS
    @pytest.mark.parametrize("side", ["from_user", "to_user"])
    def test_nobody_asks_for_money_of_ones_own(self, kind: ApprovalKind, side: str) -> None:
        original = sent()
        before = books()
        with pytest.raises(OwnCase):
            undone(kind, original, getattr(original, side))
        assert books() == before


class TestApproving:
    @KINDS
    def test_books_what_was_asked_for_and_says_who(
        self, kind: ApprovalKind, maker: User, checker: User
    ) -> None:
        original = sent()
        request = asked(kind, original, maker)
        made = booked(request, checker)
        assert (made.type, made.amount, made.initiated_by_id) == (kind, 60, checker.pk)
        assert original.pk in {made.reverses_id, made.refund_of_id}
        assert main_wallet(original.from_user).balance == 100
        assert Event.objects.filter(user_id=original.from_user_id, type__startswith="transaction.re").exists()
        trail = AuditRecord.objects.filter(target_id=str(request.pk)).order_by("id")
        assert [(row.action, row.actor_id, row.reason) for row in trail] == [
            ("undoing.requested", maker.pk, "Case 4711"),
            ("undoing.booked", checker.pk, "seen"),
        ]
        assert verify().findings == ()

    def test_books_what_the_house_bears(self, maker: User, checker: User) -> None:
        original = sent()
        spend(original.to_user, "45.00")
        made = booked(asked(REVERSAL, original, maker, owed=True), checker)
        assert made.entries.get(account__code="receivables").amount == 45

    def test_gives_back_the_amount_that_was_asked_for_and_no_more(self, maker: User, checker: User) -> None:
        """All that is left when somebody asks is what somebody else agrees to."""
        original = sent()
        request = asked(REFUND, original, maker)
        undone(REFUND, original, maker, "1.00")
        before = books()
        with pytest.raises(RefundExceedsAmount):
            booked(request, checker)
        assert books() == before
        reject_undoing(undoing_id=request.pk, checker=checker, reason="asked anew", now=clock.now())
        assert booked(asked(REFUND, original, maker), checker).amount == 59

    @KINDS
    def test_looks_again_whether_the_money_is_there(
        self, kind: ApprovalKind, maker: User, checker: User
    ) -> None:
        original = sent()
        request = asked(kind, original, maker)
        spend(original.to_user, "60.00")
        before = books()
        with pytest.raises(InsufficientFunds):
            booked(request, checker)
        assert books() == before

    def test_a_movement_is_reversed_once_though_it_was_asked_for_before(
        self, maker: User, checker: User
    ) -> None:
        original = sent("50.00")
        request = asked_for(original, maker)
        undone(REVERSAL, original, maker)
        before = books()
        with pytest.raises(AlreadyReversed):
            booked(request, checker)
        assert books() == before

    @pytest.mark.parametrize("decide", [book_undoing, reject_undoing])
    def test_nobody_decides_what_they_asked_for_twice_or_about_themselves(
        self, decide: Callable[..., Undoing], maker: User, checker: User
    ) -> None:
        original = sent()
        User.objects.filter(pk=original.to_user_id).update(is_staff=True)
        request = asked(REVERSAL, original, maker)
        before = books()
        for person, refusal in ((maker, AnotherPersonRequired), (original.to_user, OwnCase)):
            with pytest.raises(refusal):
                decide(undoing_id=request.pk, checker=person, reason="x", now=clock.now())
        assert books() == before
        decide(undoing_id=request.pk, checker=checker, reason="x", now=clock.now())
        before = books()
        with pytest.raises(ApprovalDecided):
            decide(undoing_id=request.pk, checker=checker, reason="x", now=clock.now())
        assert books() == before

    def test_the_database_refuses_one_person_and_a_decision_without_its_result(self, maker: User) -> None:
        request = asked(REVERSAL, sent(), maker)
        decided = {"decided_by": maker, "decided_at": clock.now()}
        for change, constraint in (
            ({"status": "rejected", **decided}, "approval_needs_two_people"),
            ({"status": "approved", **decided, "decided_by": StaffFactory()}, "approval_is_decided"),
            ({"result_id": uuid4()}, "approval_is_decided"),
        ):
            with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
                Undoing.objects.filter(pk=request.pk).update(**change)

    def test_the_database_keeps_the_terms_of_a_request_and_its_row(self, maker: User, checker: User) -> None:
        request = asked(REVERSAL, sent(), maker)
        for change in ({"requested_by": checker}, {"amount": 1}, {"reason": "y"}, {"book_shortfall": True}):
            with pytest.raises(IntegrityError, match=r"keep(s_its|_their)_terms"), transaction.atomic():
                Undoing.objects.filter(pk=request.pk).update(**change)
        reject_undoing(undoing_id=request.pk, checker=checker, reason="x", now=clock.now())
        with pytest.raises(IntegrityError, match="approval_keeps_its_terms"), transaction.atomic():
            ApprovalRequest.objects.update(status="pending", decided_by=None, decided_at=None)
        for table, rule in ((ApprovalRequest, "approvals_stay"), (Undoing, "requests_keep_their_terms")):
            with pytest.raises(IntegrityError, match=rule), transaction.atomic():
                table.objects.all()._raw_delete(using="default")

    @pytest.mark.parametrize("owed", [False, True])
    def test_what_somebody_may_not_ask_for_any_more_is_not_booked(self, owed: bool, checker: User) -> None:
        clerk = StaffFactory()
        rights = Permission.objects.filter(codename__in=["reverse_transaction", "book_shortfall"])
        clerk.user_permissions.set(rights)
        request = asked(REVERSAL, sent(), clerk, owed=owed)
        lost = "book_shortfall" if owed else "reverse_transaction"
        clerk.user_permissions.remove(Permission.objects.get(codename=lost))
        before = books()
        with pytest.raises(AnotherPersonRequired, match="may not ask"):
            booked(request, checker)
        assert books() == before

    @pytest.mark.parametrize("change", [{"is_active": False}, {"is_staff": False}])
    def test_what_somebody_asked_for_who_has_left_is_not_booked(
        self, change: dict[str, bool], maker: User, checker: User
    ) -> None:
        request = asked(REVERSAL, sent(), maker)
        User.objects.filter(pk=maker.pk).update(**change)
        before = books()
        with pytest.raises(AnotherPersonRequired, match="may not ask"):
            booked(request, checker)
        assert books() == before


def at_once(count: int, work: Callable[[], object]) -> list[str]:
    """Do it so many times at once; return what each came to, in order of the alphabet."""

    def do(_number: int) -> str:
        try:
            return type(work()).__name__
        except DomainError as refusal:
            return refusal.code

    return sorted(in_parallel(count, do))


@pytest.mark.concurrency
class TestRaces:
    def test_5_05_of_twenty_approvals_one_wins(self, committed_db: None) -> None:
        original, maker, checker = sent(), ManagerFactory(), StaffFactory()
        request = asked(REVERSAL, original, maker)
        came_to = at_once(20, lambda: booked(request, checker))
        assert came_to == ["Transaction", *["approval_decided"] * 19]
        assert main_wallet(original.from_user).balance == 100

    def test_of_six_refunds_of_ten_at_once_the_sixth_needs_somebody_else(self, committed_db: None) -> None:
        original, maker = sent(), StaffFactory()
        came_to = at_once(6, lambda: undone(REFUND, original, maker, "10.00"))
        assert came_to == [*["Transaction"] * 5, "Undoing"]
        assert main_wallet(original.from_user).balance == 90
