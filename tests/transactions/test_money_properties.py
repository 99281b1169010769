"""Whatever happens in whatever order, the ledger does what a child with a pencil would: nothing appears or is lost."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fintech_core import clock
from fintech_core.exceptions import DomainError
from tests.factories import StaffFactory, UserFactory
from tests.transactions.money import fund, main_wallet
from tests.transactions.story import bill_draft, settlement, transfer_draft
from transactions.drafts import Authorize, Operation, Post, Void
from transactions.models import Transaction
from transactions.services import TransactionService
from transactions.verification import verify
from users.models import User

KOBO = Decimal("0.01")
PEOPLE = 3
AMOUNTS = st.integers(1, 2_000)
WHO = st.integers(0, PEOPLE - 1)

STEPS = st.one_of(
    st.tuples(st.just("fund"), WHO, AMOUNTS),
    st.tuples(st.just("send"), WHO, WHO, AMOUNTS, st.integers(0, 50)),
    st.tuples(st.just("hold"), WHO, AMOUNTS, st.integers(0, 50)),
    st.tuples(st.just("capture"), st.integers(0, 5), st.integers(1, 100)),
    st.tuples(st.just("void"), st.integers(0, 5)),
    st.tuples(st.just("reverse"), st.integers(0, 5)),
)


@dataclass
class Pencil:
    """The same book in plain kobo: what each has, what is promised, and what was sent to be reversed."""

    people: list[User]
    staff: User
    has: list[int] = field(default_factory=lambda: [0] * PEOPLE)
    held: list[int] = field(default_factory=lambda: [0] * PEOPLE)
    holds: list[tuple[Transaction, int, int, int]] = field(default_factory=list)
    sent: list[tuple[Transaction, int, int, int, int]] = field(default_factory=list)

    def free(self, who: int) -> int:
        """What somebody may spend."""
        return self.has[who] - self.held[who]

    def fund(self, who: int, amount: int) -> None:
        """Money comes in."""
        fund(self.people[who], str(amount * KOBO))
        self.has[who] += amount

    def send(self, who: int, to: int, amount: int, fee: int) -> None:
        """Money goes to somebody else, with a fee."""
        if who == to:
            return
        wallets = main_wallet(self.people[who]), main_wallet(self.people[to])
        draft = transfer_draft(*wallets, str(amount * KOBO), str(fee * KOBO))
        done = self.attempt(amount + fee <= self.free(who), Post(draft))
        if done is not None:
            self.has[who] -= amount + fee
            self.has[to] += amount
            self.sent.append((done, who, to, amount, fee))

    def hold(self, who: int, amount: int, fee: int) -> None:
        """Money is promised."""
        draft = bill_draft(main_wallet(self.people[who]), str(amount * KOBO), str(fee * KOBO))
        done = self.attempt(amount + fee <= self.free(who), Authorize(draft))
        if done is not None:
            self.held[who] += amount + fee
            self.holds.append((done, who, amount, fee))

    def capture(self, which: int, percent: int) -> None:
        """A part of a promise is kept, the rest given back."""
        if which < len(self.holds):
            held, who, amount, fee = self.holds.pop(which)
            taken = max(1, amount * percent // 100)
            wallet = main_wallet(self.people[who])
            self.attempt(True, settlement(held, wallet, taken * KOBO, Decimal(0), fee * KOBO))
            self.held[who] -= amount + fee
            self.has[who] -= taken + fee

    def void(self, which: int) -> None:
        """A promise is given back."""
        if which < len(self.holds):
            held, who, amount, fee = self.holds.pop(which)
            self.attempt(True, Void(held.pk, "declined"))
            self.held[who] -= amount + fee

    def reverse(self, which: int) -> None:
        """A transfer is undone, its fee too, unless the money was spent meanwhile."""
        if which < len(self.sent):
            done, who, to, amount, fee = self.sent[which]

            def mirror() -> Transaction:
                return TransactionService.reverse(done, actor=self.staff, reason="x", now=clock.now())

            if self.carry_out(amount <= self.free(to), mirror) is not None:
                self.sent.pop(which)
                self.has[who] += amount + fee
                self.has[to] -= amount

    def attempt(self, allowed: bool, operation: Operation) -> Transaction | None:
        """Carry out one operation; see that it is refused exactly when the pencil says so."""
        return self.carry_out(allowed, lambda: TransactionService.apply([operation], now=clock.now())[0])

    @staticmethod
    def carry_out(allowed: bool, work: Callable[[], Transaction | None]) -> Transaction | None:
        """Do it in a savepoint, as a service does; return what was booked."""
        try:
            with transaction.atomic():
                done = work()
        except DomainError as refusal:
            if allowed or refusal.code != "insufficient_funds":
                raise
            return None
        assert allowed
        return done


@pytest.mark.django_db
class TestAnyOrder:
    @settings(
        max_examples=30,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
        database=None,
    )
    @given(st.lists(STEPS, max_size=25))
    def test_agrees_with_pencil_and_paper_and_proves_itself(self, steps: list[tuple]) -> None:
        with transaction.atomic():
            pencil = Pencil([UserFactory() for _ in range(PEOPLE)], StaffFactory())
            for who in range(PEOPLE):
                pencil.fund(who, 1_000)
            for name, *arguments in steps:
                getattr(pencil, name)(*arguments)
            for who, person in enumerate(pencil.people):
                wallet = main_wallet(person)
                assert (wallet.balance, wallet.held) == (pencil.has[who] * KOBO, pencil.held[who] * KOBO)
            assert verify().findings == ()
            transaction.set_rollback(True)
