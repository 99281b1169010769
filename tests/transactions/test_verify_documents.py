"""verify_ledger and forgeries that fit in every sum: what a document, a payment or a rate says otherwise is found.

Each is planted whole, lines, balances and names, by the owner of the tables with their guards off, in a transaction
that is rolled back; the rule that is named finds it, in a full run and in one that goes on, and no other does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections, transaction
from pytest_django.plugin import DjangoDbBlocker

from cashback.services import redeem
from fintech_core import clock
from tests.factories import ManagerFactory, StaffFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.requests import asked_for
from tests.transactions.story import Story, happened, keep_apart, transfer_draft
from tests.transactions.test_adjustments import asked, booked
from tests.transactions.test_conversions import converted, quoted
from tests.transactions.test_verify_ledger import ENTRY, MOVEMENT, WALLET, rolled_back
from transactions.chart import SUSPENSE, gateway_clearing
from transactions.drafts import Post, TransactionDraft, credit_account, debit_account
from transactions.models import LedgerEntry, Transaction, Undoing
from transactions.services import TransactionService
from transactions.services.releasing import release_for
from transactions.services.undoing_by_staff import book_undoing
from transactions.verification import verify
from transactions.verification.incremental_queries import Since
from users.models import User
from wallet.services import freeze_wallet, open_wallet, unfreeze_wallet

REQUEST, ADJUSTMENT, UNDOING = (
    "fintech_core_approvalrequest",
    "transactions_adjustment",
    "transactions_undoing",
)
QUOTE = "transactions_conversionquote"
TABLES = (ENTRY, MOVEMENT, WALLET, REQUEST, ADJUSTMENT, UNDOING, QUOTE)
# What the planting itself leaves behind.
OWN_TRACES = {"triggers_are_on", "constraints_are_valid"}

DECIDED, QUOTED = "correction_is_what_was_decided", "conversion_is_what_was_quoted"
APPROVED = "undoing_is_what_was_approved"
OWN, REFUNDED = "own_money_stays_with_its_owner", "refund_is_of_a_completed_one"
DATED, FUTURE = "corrections_alone_are_dated_back", "status_fits_the_facts"


@dataclass(frozen=True, slots=True)
class Papers:
    """What documents have booked, after the story; each movement is the last one of the wallet that it raised."""

    story: Story
    victim: User
    into: Transaction
    out: Transaction
    conversion: Transaction
    redemption: Transaction
    funding: Transaction
    refund: Transaction
    mirror: Transaction
    owed: Transaction

    def ids(self) -> dict[str, Any]:
        """Name the rows for SQL."""
        named = {name: getattr(self, name).pk for name in self.__dataclass_fields__ if name != "story"}
        told = {name: getattr(self.story, name).pk for name in ("transfer", "pending")}
        return named | told


def refund(paid: Transaction, amount: str, *, book_shortfall: bool = False) -> Transaction:
    with transaction.atomic():
        return TransactionService.refund(
            paid, amount=Decimal(amount), actor=StaffFactory(), reason="Case 1", book_shortfall=book_shortfall,
            now=clock.now(),
        )  # fmt: skip


def paid_to(receiver: User, amount: str) -> Transaction:
    """Let somebody new pay a receiver."""
    payer: User = UserFactory()
    fund(payer, amount)
    return happened(Post(transfer_draft(main_wallet(payer), main_wallet(receiver), amount)))


def _refunds() -> tuple[Transaction, Transaction]:
    """Refund a payment that was spent meanwhile, after a refund that was undone; and one to a payer who was frozen.

    Returns what had funded the first payer, and the refund.
    """
    receiver, staff = UserFactory(), StaffFactory()
    paid, other = paid_to(receiver, "90.00"), paid_to(receiver, "40.00")
    for given in (refund(paid, "90.00"), refund(paid_to(receiver, "5.00"), "5.00")):
        with transaction.atomic():
            TransactionService.reverse(given, actor=staff, reason="too soon", now=clock.now())
    frozen = main_wallet(other.from_user)
    freeze_wallet(wallet_id=frozen.pk, actor=staff, reason="fraud alert")
    refund(other, "40.00")
    unfreeze_wallet(wallet_id=frozen.pk, actor=staff, reason="cleared")
    assert release_for(owner_id=frozen.owner_id) == 1
    happened(Post(transfer_draft(main_wallet(receiver), main_wallet(UserFactory()), "60.00")))
    given = refund(paid, "80.00", book_shortfall=True)
    assert LedgerEntry.objects.filter(transaction=given, account__code="receivables").exists()
    return Transaction.objects.get(to_wallet=paid.from_wallet_id, type="funding"), given


def _reversed_by_two() -> tuple[Transaction, Transaction]:
    """Reverse payments that one person asked about and another decided; the second one was spent meanwhile."""
    receiver = UserFactory()
    first, second = paid_to(receiver, "7.00"), paid_to(receiver, "9.00")
    mirror = decided(asked_for(first, ManagerFactory()), StaffFactory())
    happened(Post(transfer_draft(main_wallet(receiver), main_wallet(UserFactory()), "8.00")))
    owed = decided(asked_for(second, ManagerFactory(), book_shortfall=True), StaffFactory())
    return Transaction.objects.get(pk=mirror.result_id), Transaction.objects.get(pk=owed.result_id)


def decided(request: Undoing, checker: User) -> Undoing:
    return book_undoing(undoing_id=request.pk, checker=checker, reason="seen", now=clock.now())


def send_back() -> Transaction:
    """Send a payment of nobody back through its gateway, out of suspense."""
    value = keep_apart().amount
    legs = (debit_account(SUSPENSE, value, "USD"), credit_account(gateway_clearing("paystack"), value, "USD"))
    return happened(Post(TransactionDraft(type="refund", currency="USD", amount=value, legs=legs)))


def write_papers(story: Story) -> Papers:
    """Let people correct, convert, redeem and refund, each as it is done."""
    victim, femi, bola = UserFactory(), UserFactory(), UserFactory(kyc_tier=3)
    fund(victim, "5000.00")
    fund(bola, "100000.00")
    for owner in (bola, victim):
        open_wallet(user=owner, currency="USD")
    maker, checker = ManagerFactory(), StaffFactory()
    opened = main_wallet(femi).created_at
    into = booked(asked(femi, maker, direction="credit", effective_at=opened), checker)
    out = booked(asked(bola, maker), checker)
    conversion = converted(bola, quoted(bola, "12345.67"))
    redemption = redeem(user=story.ada, amount=Decimal("10.00"), currency="NGN", now=clock.now())
    send_back()
    corrections = [Transaction.objects.get(pk=asked_for.result_id) for asked_for in (into, out)]
    return Papers(story, victim, *corrections, conversion, redemption, *_refunds(), *_reversed_by_two())


@pytest.fixture(scope="module")
def papers(story: Story, django_db_blocker: DjangoDbBlocker) -> Papers:
    """Committed papers, in the database of the story."""
    with django_db_blocker.unblock():
        return write_papers(story)


@dataclass(frozen=True, slots=True)
class Forger:
    """Somebody with the password of the tables' owner."""

    papers: Papers

    def run(self, statement: str) -> None:
        """Change rows, at least one."""
        with connections["owner"].cursor() as cursor:
            cursor.execute(statement, self.papers.ids())
            assert cursor.rowcount > 0, statement

    def raise_instead(self, movement: str, whose: str) -> None:
        """Let a movement's money land with somebody else, as if it had been sent there."""
        self._line_of(movement, "credit", whose)
        self.run(f"UPDATE {MOVEMENT} SET to_wallet_id = {_wallet(movement, whose, 'credit')}, to_user_id = {whose} "
                 f"WHERE id = {movement}")  # fmt: skip

    def take_from(self, movement: str, whose: str) -> None:
        """Let a movement's money come from somebody's wallet."""
        self._line_of(movement, "debit", whose)
        self.run(f"UPDATE {MOVEMENT} SET from_wallet_id = {_wallet(movement, whose, 'debit')}, from_user_id = {whose} "
                 f"WHERE id = {movement}")  # fmt: skip

    def _line_of(self, movement: str, side: str, whose: str) -> None:
        control = f"(SELECT a.id FROM transactions_ledgeraccount a WHERE (a.code, a.currency) = ('customer_wallets', " \
                  f"{ENTRY}.currency))"  # fmt: skip
        sign = "+" if side == "credit" else "-"
        self.run(
            f"UPDATE {ENTRY} SET wallet_id = w.id, account_id = {control}, wallet_version = w.version + 1, "
            f"wallet_balance_after = w.balance {sign} {ENTRY}.amount FROM {WALLET} w "
            f"WHERE {ENTRY}.transaction_id = {movement} AND direction = '{side}' "
            f"AND w.id = {_wallet(movement, whose, side)} AND {ENTRY}.currency = w.currency"
        )
        self.follow()

    def follow(self) -> None:
        """Let each wallet show its last entry."""
        self.run(
            f"UPDATE {WALLET} SET version = coalesce(last.wallet_version, 0), last_entry_at = last.created_at, "
            f"balance = coalesce(last.wallet_balance_after, 0) FROM {WALLET} w LEFT JOIN LATERAL (SELECT * FROM {ENTRY}"
            f" e WHERE e.wallet_id = w.id ORDER BY e.wallet_version DESC LIMIT 1) last ON true "
            f"WHERE w.id = {WALLET}.id"
        )

    def found(self) -> set[str]:
        """Return what a full run finds, which one that goes on from the beginning finds, too."""
        broken = set(verify(using="owner").broken)
        assert broken == set(verify(using="owner", since=Since(0, 0)).broken)
        return broken - OWN_TRACES


def _wallet(movement: str, whose: str, side: str) -> str:
    currency = "coalesce(nullif(t.converted_currency, ''), t.currency)" if side == "credit" else "t.currency"
    return (f"(SELECT m.id FROM {WALLET} m, {MOVEMENT} t WHERE t.id = {movement} AND m.owner_id = {whose} "
            f"AND m.kind = 'main' AND m.currency = {currency})")  # fmt: skip


@pytest.fixture
def forger(papers: Papers, django_db_blocker: DjangoDbBlocker) -> Iterator[Forger]:
    """The forger, past every guard, in a transaction that is rolled back."""
    with django_db_blocker.unblock(), rolled_back(), unguarded():
        yield Forger(papers)


@contextmanager
def unguarded() -> Iterator[None]:
    """Switch off the triggers, and the one constraint that stands in the way."""
    with connections["owner"].cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(f"ALTER TABLE {REQUEST} DROP CONSTRAINT approval_needs_two_people")
    yield


class TestHonestPapers:
    def test_nothing_forged_nothing_found(self, forger: Forger) -> None:
        assert forger.found() == set()

    def test_nothing_is_found_wherever_a_run_goes_on_from(
        self, papers: Papers, django_db_blocker: DjangoDbBlocker
    ) -> None:
        holds = 100
        with django_db_blocker.unblock():
            for entry in LedgerEntry.objects.order_by("id").values_list("id", flat=True):
                assert verify(using="owner", since=Since(entry, holds)).broken == {}, entry


class TestCorrections:
    def test_money_of_a_correction_that_came_from_somebody(self, forger: Forger) -> None:
        forger.take_from("%(into)s", "%(victim)s")
        assert forger.found() == {DECIDED}

    def test_money_of_a_correction_that_went_to_somebody(self, forger: Forger) -> None:
        forger.raise_instead("%(out)s", "%(victim)s")
        assert forger.found() == {DECIDED}

    def test_a_movement_that_is_called_a_correction(self, forger: Forger) -> None:
        forger.run(f"UPDATE {MOVEMENT} SET type = 'adjustment' WHERE id = %(redemption)s")
        assert forger.found() == {DECIDED}

    @pytest.mark.parametrize(
        "change",
        [
            "amount = amount + 1", "currency = 'USD'", "status = 'rejected', result_id = NULL",
            "requested_by_id = %(victim)s",
        ],
    )  # fmt: skip
    def test_a_request_that_says_something_else_now(self, forger: Forger, change: str) -> None:
        forger.run(f"UPDATE {REQUEST} SET {change} WHERE result_id = %(out)s")
        assert forger.found() == {DECIDED}

    @pytest.mark.parametrize("change", ["direction = 'credit'", "effective_at = '2026-01-31'"])
    def test_terms_that_say_something_else_now(self, forger: Forger, change: str) -> None:
        forger.run(
            f"UPDATE {ADJUSTMENT} a SET {change} FROM {REQUEST} r WHERE r.id = a.request_id AND r.result_id = %(out)s"
        )
        assert forger.found() == {DECIDED}

    def test_a_correction_that_one_person_asked_for_and_decided(self, forger: Forger) -> None:
        forger.run(f"UPDATE {REQUEST} SET requested_by_id = decided_by_id WHERE result_id = %(into)s")
        assert forger.found() == {DECIDED}


class TestUndoingByTwo:
    @pytest.mark.parametrize(
        "change",
        [
            "requested_by_id = decided_by_id", "amount = amount + 1", "currency = 'USD'", "kind = 'refund'",
            "kind = 'wish'", "decided_by_id = requested_by_id, requested_by_id = decided_by_id",
            "requested_by_id = %(victim)s",
            "status = 'pending', decided_by_id = NULL, decided_at = NULL, result_id = NULL",
            "status = 'rejected', result_id = NULL",
        ],
    )  # fmt: skip
    def test_a_request_that_says_something_else_now(self, forger: Forger, change: str) -> None:
        forger.run(f"UPDATE {REQUEST} SET {change} WHERE result_id = %(mirror)s")
        assert forger.found() == {APPROVED}

    def test_one_whose_result_is_another_movement(self, forger: Forger) -> None:
        forger.run(f"UPDATE {REQUEST} SET result_id = %(funding)s WHERE result_id = %(mirror)s")
        assert forger.found() == {APPROVED}

    def test_one_that_asked_about_another_movement(self, forger: Forger) -> None:
        forger.run(
            f"UPDATE {UNDOING} u SET transaction_id = %(transfer)s FROM {REQUEST} r "
            "WHERE r.id = u.request_id AND r.result_id = %(mirror)s"
        )
        assert forger.found() == {APPROVED}

    def test_one_that_is_gone(self, forger: Forger) -> None:
        forger.run(
            f"DELETE FROM {UNDOING} u USING {REQUEST} r WHERE r.id = u.request_id AND r.result_id = %(mirror)s"
        )
        forger.run(f"DELETE FROM {REQUEST} WHERE result_id = %(mirror)s")
        assert forger.found() == {APPROVED}

    def test_a_shortfall_that_nobody_agreed_to(self, forger: Forger) -> None:
        forger.run(
            f"UPDATE {UNDOING} u SET book_shortfall = false FROM {REQUEST} r "
            "WHERE r.id = u.request_id AND r.result_id = %(owed)s"
        )
        assert forger.found() == {APPROVED}

    def test_one_of_which_only_the_decision_is_left(self, forger: Forger) -> None:
        forger.run(
            f"DELETE FROM {UNDOING} u USING {REQUEST} r "
            "WHERE r.id = u.request_id AND r.result_id = %(mirror)s"
        )
        assert forger.found() == {APPROVED}


class TestConversions:
    @pytest.mark.parametrize("more", ["* 10", "+ 0.01", "- 0.01"])
    def test_a_quote_that_promises_what_its_rate_does_not_make(self, forger: Forger, more: str) -> None:
        forger.run(f"UPDATE {QUOTE} SET amount_to = amount_to {more} WHERE transaction_id = %(conversion)s")
        forger.run(
            f"UPDATE {MOVEMENT} SET converted_amount = converted_amount {more} WHERE id = %(conversion)s"
        )
        forger.run(
            f"UPDATE {ENTRY} SET amount = amount {more}, wallet_balance_after = wallet_balance_after {more} "
            "WHERE transaction_id = %(conversion)s AND currency = 'USD'"
        )
        forger.follow()
        assert forger.found() == {QUOTED}

    def test_one_into_somebody_elses_wallet(self, forger: Forger) -> None:
        forger.raise_instead("%(conversion)s", "%(victim)s")
        assert forger.found() == {OWN}


class TestRedemptions:
    def test_one_into_somebody_elses_wallet(self, forger: Forger) -> None:
        forger.raise_instead("%(redemption)s", "%(victim)s")
        assert forger.found() == {OWN}


class TestRefunds:
    def test_one_that_landed_with_somebody_else(self, forger: Forger) -> None:
        forger.raise_instead("%(refund)s", "%(victim)s")
        assert forger.found() == {REFUNDED}

    @pytest.mark.parametrize("other", ["NULL", "%(funding)s", "%(transfer)s"])
    def test_one_of_nothing_of_a_funding_or_of_what_another_paid(self, forger: Forger, other: str) -> None:
        forger.run(f"UPDATE {MOVEMENT} SET refund_of_id = {other} WHERE id = %(refund)s")
        assert forger.found() == {REFUNDED}

    def test_one_that_says_it_was_released_and_was_not(self, forger: Forger) -> None:
        forger.run(
            f"UPDATE {MOVEMENT} SET refund_of_id = NULL, source_kind = 'parked_credit' WHERE id = %(refund)s"
        )
        assert forger.found() == {REFUNDED, "passage_is_of_a_parked_credit"}


class TestEffectiveTimes:
    @pytest.mark.parametrize(
        ("at", "more"),
        [("created_at - interval '1 day'", set()), ("created_at + interval '1 year'", {FUTURE})],
    )
    def test_a_transfer_has_none(self, forger: Forger, at: str, more: set[str]) -> None:
        forger.run(f"UPDATE {MOVEMENT} SET effective_at = {at} WHERE id = %(transfer)s")
        forger.run(f"UPDATE {ENTRY} SET effective_at = {at} WHERE transaction_id = %(transfer)s")
        assert forger.found() == {DATED, *more}

    def test_a_hold_has_none(self, forger: Forger) -> None:
        forger.run(
            f"UPDATE {MOVEMENT} SET effective_at = created_at - interval '1 day' WHERE id = %(pending)s"
        )
        assert forger.found() == {DATED}

    @pytest.mark.parametrize("at", ["now() + interval '1 year'", "'infinity'", "'-infinity'"])
    def test_that_of_a_correction_is_a_day_that_has_been(self, forger: Forger, at: str) -> None:
        forger.run(f"UPDATE {MOVEMENT} SET effective_at = {at} WHERE id = %(into)s")
        forger.run(f"UPDATE {ENTRY} SET effective_at = {at} WHERE transaction_id = %(into)s")
        forger.run(
            f"UPDATE {ADJUSTMENT} a SET effective_at = {at} FROM {REQUEST} r "
            "WHERE r.id = a.request_id AND r.result_id = %(into)s"
        )
        assert forger.found() == {DATED, FUTURE}
