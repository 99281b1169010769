"""Reversing a credit that was parked, while it waits or after it has landed: the money goes back the way it came."""

from decimal import Decimal
from itertools import count

import pytest
from django.db import IntegrityError, connection, transaction

from fintech_core import clock
from fintech_core.models import AuditRecord
from notifications.models import Event
from tests.factories import UserFactory
from tests.transactions.model import stops
from tests.transactions.model.endings import DIES, Ending, Silence, carried_out
from tests.transactions.money import fund, main_wallet
from tests.transactions.parked import (
    AMOUNT,
    FEE,
    account,
    land,
    parked_funding,
    parked_refund,
    refund,
    reverse,
    spend,
)
from tests.transactions.test_undoing_by_two import books
from transactions.drafts import Post
from transactions.errors import AlreadyReversed, InsufficientFunds, NotReversible, RecipientCannotReceive
from transactions.models import LedgerEntry, ParkedCredit, Transaction
from transactions.selectors import refunded_so_far
from transactions.services import TransactionService
from transactions.services.mirrors import mirror_of
from transactions.services.releasing import release, release_for
from transactions.verification import verify
from users.errors import OwnCase
from users.models import User
from wallet.services import freeze_wallet, unfreeze_wallet

pytestmark = pytest.mark.django_db


def lines(movement: Transaction) -> list[tuple[str, str, Decimal]]:
    rows = LedgerEntry.objects.filter(transaction=movement).order_by("id")
    return list(rows.values_list("direction", "account__code", "amount"))


def totals() -> dict[str, Decimal]:
    names = ("gateway_clearing:paystack", "fees:funding", "suspense", "receivables")
    return {name.partition(":")[0]: account(name) for name in names}


@transaction.atomic
def mirrored_alone(movement: Transaction) -> None:
    """Book the mirror and nothing else, up to what is asked when that commits."""
    TransactionService.apply([Post(mirror_of(movement, None, False))], now=clock.now())
    connection.check_constraints()


NOTHING = dict.fromkeys(("gateway_clearing", "fees", "suspense", "receivables"), Decimal(0))


@pytest.fixture
def ada() -> User:
    user: User = UserFactory()
    return user


@pytest.fixture
def funding(ada: User) -> Transaction:
    return parked_funding(ada)


@pytest.fixture
def credit(funding: Transaction) -> ParkedCredit:
    return ParkedCredit.objects.get(parked_by=funding)


class TestStillWaiting:
    def test_the_mirror_takes_it_out_of_suspense_and_gives_the_fee_back(self, funding: Transaction) -> None:
        mirror = reverse(funding)
        assert lines(mirror) == [
            ("debit", "fees:funding", FEE),
            ("debit", "suspense", AMOUNT),
            ("credit", "gateway_clearing:paystack", AMOUNT + FEE),
        ]
        assert (totals(), mirror.amount) == (NOTHING, AMOUNT + FEE)
        assert verify().findings == ()

    def test_its_row_says_so_and_it_never_lands(
        self, ada: User, funding: Transaction, credit: ParkedCredit
    ) -> None:
        mirror = reverse(funding)
        unfreeze_wallet(wallet_id=main_wallet(ada).pk, actor=UserFactory(is_staff=True), reason="cleared")
        assert (release_for(owner_id=ada.pk), release(parked_credit_id=credit.pk)) == (0, False)
        credit.refresh_from_db()
        assert (credit.status, credit.reversed_by_id, credit.reversed_at, credit.released_by_id) == (
            "reversed", mirror.pk, mirror.created_at, None,
        )  # fmt: skip
        assert main_wallet(ada).balance == 0
        assert verify().findings == ()

    def test_its_owner_is_told_of_the_movement_that_they_know(self, ada: User, funding: Transaction) -> None:
        mirror = reverse(funding)
        (told,) = Event.objects.filter(user=ada, type="transaction.reversed")
        assert told.payload == {
            "transaction_id": str(funding.pk), "reversal_id": str(mirror.pk), "reference": funding.reference,
            "amount": "60.00", "currency": "NGN",
        }  # fmt: skip
        record = AuditRecord.objects.get(action="transaction.reversed")
        assert (record.target_id, record.changes) == (str(funding.pk), {"reversed": [None, str(mirror.pk)]})

    def test_a_second_time_is_refused(self, funding: Transaction) -> None:
        reverse(funding)
        before = books()
        with pytest.raises(AlreadyReversed):
            reverse(funding)
        assert books() == before

    def test_is_not_the_owners_to_decide(self, ada: User, funding: Transaction) -> None:
        before = books()
        with pytest.raises(OwnCase):
            reverse(funding, actor=ada)
        assert books() == before

    def test_of_a_refund_its_giver_has_the_money_again_and_may_give_it_anew(self) -> None:
        ada, chidi, refunded = parked_refund()
        sent = refunded.refund_of
        assert sent is not None
        reverse(refunded)
        assert (main_wallet(ada).balance, main_wallet(chidi).balance, totals()["suspense"]) == (60, 40, 0)
        assert refunded_so_far(sent) == 0
        assert verify().findings == ()
        refund(sent)
        assert (main_wallet(chidi).balance, totals()["suspense"]) == (0, 40)
        assert verify().findings == ()


class TestLanded:
    def test_both_legs_go_back_in_one_step(
        self, ada: User, funding: Transaction, credit: ParkedCredit
    ) -> None:
        released = land(ada)
        mirror = reverse(funding)
        passage = Transaction.objects.get(reverses=released)
        assert lines(passage) == [("debit", "customer_wallets", AMOUNT), ("credit", "suspense", AMOUNT)]
        assert lines(mirror)[1:] == [
            ("debit", "suspense", AMOUNT),
            ("credit", "gateway_clearing:paystack", AMOUNT + FEE),
        ]
        assert (mirror.reverses_id, mirror.created_at) == (funding.pk, passage.created_at)
        assert (main_wallet(ada).balance, main_wallet(ada).version, totals()) == (0, 2, NOTHING)
        credit.refresh_from_db()
        assert (credit.status, credit.reversed_by_id, credit.released_by_id) == (
            "reversed", mirror.pk, released.pk,
        )  # fmt: skip
        assert verify().findings == ()

    def test_out_of_a_frozen_wallet_too(self, ada: User, funding: Transaction) -> None:
        land(ada)
        freeze_wallet(wallet_id=main_wallet(ada).pk, actor=UserFactory(is_staff=True), reason="fraud alert")
        reverse(funding)
        assert (main_wallet(ada).balance, totals()) == (0, NOTHING)

    def test_spent_meanwhile_is_refused_and_nothing_moves(self, ada: User, funding: Transaction) -> None:
        land(ada)
        spend(ada, "0.01")
        before = books()
        with pytest.raises(InsufficientFunds):
            reverse(funding)
        assert books() == before
        assert verify().findings == ()

    def test_the_house_may_bear_what_was_spent(self, ada: User, funding: Transaction) -> None:
        land(ada)
        spend(ada, "45.00")
        reverse(funding, book_shortfall=True)
        assert (main_wallet(ada).balance, totals()) == (0, NOTHING | {"receivables": Decimal("-45.00")})
        record = AuditRecord.objects.get(action="transaction.reversed")
        passage = Transaction.objects.get(type="reversal", source_kind="parked_credit")
        assert record.changes["receivables"] == [None, "45.00"]
        assert record.changes["release_reversed"] == [None, str(passage.pk)]
        assert verify().findings == ()

    def test_the_release_alone_is_refused_with_the_name_of_what_to_reverse(
        self, ada: User, funding: Transaction
    ) -> None:
        released = land(ada)
        before = books()
        with pytest.raises(NotReversible, match=funding.reference) as refused:
            reverse(released)
        assert refused.value.facts == {"transaction_id": str(funding.pk), "reference": funding.reference}
        assert books() == before
        reverse(funding)
        with pytest.raises(NotReversible):
            reverse(released)
        with pytest.raises(AlreadyReversed):
            reverse(funding)

    def test_of_a_refund_it_goes_from_its_payer_to_its_giver(self) -> None:
        ada, chidi, refunded = parked_refund()
        land(ada)
        reverse(refunded)
        assert (main_wallet(ada).balance, main_wallet(chidi).balance, totals()["suspense"]) == (60, 40, 0)
        assert verify().findings == ()

    def test_of_a_refund_whose_giver_may_not_receive_nothing_moves(self) -> None:
        ada, chidi, refunded = parked_refund()
        land(ada)
        freeze_wallet(wallet_id=main_wallet(chidi).pk, actor=UserFactory(is_staff=True), reason="fraud alert")
        before = books()
        with pytest.raises(RecipientCannotReceive):
            reverse(refunded)
        assert books() == before


class TestDatabase:
    """What the service does not do, the database refuses to whoever does it."""

    @pytest.mark.parametrize("landed", [False, True])
    def test_a_row_is_not_reversed_without_its_mirrors(
        self, ada: User, credit: ParkedCredit, funding: Transaction, landed: bool
    ) -> None:
        if landed:
            land(ada)
        fund(other := UserFactory(), "5.00")
        elsewhere = reverse(Transaction.objects.get(to_user=other))
        for mirror in (elsewhere, funding):
            with pytest.raises(IntegrityError, match="parked_credit_is_reversed_whole"), transaction.atomic():
                ParkedCredit.objects.filter(pk=credit.pk).update(status="reversed", reversed_by=mirror)

    @pytest.mark.parametrize("landed", [False, True])
    def test_a_mirror_is_not_committed_without_its_row(
        self, ada: User, funding: Transaction, landed: bool
    ) -> None:
        alone = land(ada) if landed else funding
        with pytest.raises(IntegrityError, match="parked_credit_says_it_is_reversed"):
            mirrored_alone(alone)

    @pytest.mark.parametrize("landed", [False, True])
    def test_what_is_reversed_stays_so(
        self, ada: User, funding: Transaction, credit: ParkedCredit, landed: bool
    ) -> None:
        if landed:
            land(ada)
        reverse(funding)
        row = ParkedCredit.objects.filter(pk=credit.pk)
        for changes in (
            {"status": "parked", "released_by": None, "reversed_by": None},
            {"status": "released", "released_by": funding, "reversed_by": None},
            {"reversed_by": funding},
        ):
            with pytest.raises(IntegrityError, match="parked_credit_goes_forward"), transaction.atomic():
                row.update(**changes)

    def test_when_it_was_reversed_stays_so(self, funding: Transaction, credit: ParkedCredit) -> None:
        reverse(funding)
        with pytest.raises(IntegrityError, match="parked_credit_keeps_its_terms"), transaction.atomic():
            ParkedCredit.objects.filter(pk=credit.pk).update(reversed_at=None)

    def test_what_has_landed_does_not_wait_again(self, ada: User, funding: Transaction) -> None:
        land(ada)
        with pytest.raises(IntegrityError, match="parked_credit_goes_forward"), transaction.atomic():
            ParkedCredit.objects.update(status="parked", released_by=None)


@pytest.mark.usefixtures("committed_db")
class TestCrashes:
    @pytest.mark.parametrize("landed", [False, True])
    def test_wherever_it_dies_all_of_it_happened_or_nothing(self, landed: bool) -> None:
        ada = UserFactory()
        funding = parked_funding(ada)
        if landed:
            land(ada)
        staff, before, died = UserFactory(is_staff=True), books(), 0
        with stops.installed():
            for at in count():
                if not isinstance(
                    carried_out(Ending(DIES, at), lambda: reverse(funding, actor=staff)), Silence
                ):
                    break
                died += 1
                assert books() == before
                assert ParkedCredit.objects.get().status == ("released" if landed else "parked")
        assert died > 8
        assert (ParkedCredit.objects.get().status, main_wallet(ada).balance, totals()) == (
            "reversed",
            0,
            NOTHING,
        )
        assert verify().findings == ()

    def test_every_wallet_of_both_legs_is_locked_once_and_together(self) -> None:
        ada, _, refunded = parked_refund()
        land(ada)
        heard: list[str] = []

        class Recording:
            def before(self, statement: str, connection: object) -> None:
                heard.extend(statement for _ in range(statement.count("FOR NO KEY UPDATE OF w")))

            def committed(self, connection: object) -> None:
                """Nothing is to be done then."""

        with stops.installed(), stops.hooked(Recording()):
            reverse(refunded)
        assert len(heard) == 1
