"""A machine that finds nothing proves nothing: here it is given something to find."""

from dataclasses import dataclass

import pytest
from django.db import connections
from hypothesis import settings
from hypothesis.stateful import rule

from tests.databases import Databases
from tests.transactions.model.book import Book
from tests.transactions.model.endings import Ending
from tests.transactions.model.machine import Machine
from tests.transactions.model.pages import MAIN
from tests.transactions.model.test_machine import SHORT, examples_of

pytestmark = pytest.mark.concurrency
MANY = settings(SHORT, max_examples=200)
ENTRY, MOVEMENT, WALLET = "transactions_ledgerentry", "transactions_transaction", "wallet_wallet"


@dataclass(slots=True)
class ForgetfulBook(Book):
    """A book that keeps counting against the limits what was given back."""

    def void(self, number: int, status: str) -> None:
        counted = self.movements[number].counted
        Book.void(self, number, status)
        self.movements[number].counted = counted


@dataclass(slots=True)
class OneKoboOff(Book):
    """A book in which a partial capture leaves one kobo held."""

    def capture(self, number: int, amount: int, fee: int, commission: int = 0) -> None:
        whole = self.movements[number].hold
        Book.capture(self, number, amount, fee, commission)
        sender = self.movements[number].sender
        if sender is not None and amount + fee != whole:
            self.purses[sender].held += 1


@dataclass(slots=True)
class GenerousBook(Book):
    """A book that rewards a kobo more than the campaign does."""

    def settle(self, number: int) -> None:
        Book.settle(self, number)
        reward = self.movements[-1]
        if reward.kind == "cashback" and reward.receiver is not None:
            self.purses[reward.receiver].has += 1


class GenerousMachine(Machine):
    """The product is right and the book is wrong by a kobo."""

    book_kind = GenerousBook


class ForgetfulMachine(Machine):
    """The product is right and the book is wrong."""

    book_kind = ForgetfulBook


class MachineOffByOne(Machine):
    """The product is right and the book is wrong by a kobo."""

    book_kind = OneKoboOff


class RobbedMachine(Machine):
    """Somebody with the rights of the owner raises a balance past the triggers."""

    @rule()
    def rob(self) -> None:
        past_the_triggers(WALLET, "UPDATE wallet_wallet SET balance = balance + 0.01 WHERE balance > 0")


def past_the_triggers(table: str, statement: str, **values: object) -> int:
    """Change rows as the owner with the table's triggers off; return how many."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(statement, values)
        changed = int(cursor.rowcount)
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    return changed


EDITS = [
    (ENTRY, "amount = amount {} 0.01 WHERE id = %(entry)s", "each transaction sums to zero in each currency"),
    (ENTRY, "wallet_balance_after = wallet_balance_after {} 0.01 WHERE id = %(entry)s",
     "each balance follows from the one before"),
    (ENTRY, "wallet_version = wallet_version {} 40 WHERE id = %(entry)s", "versions count without a gap"),
    (MOVEMENT, "hold_amount = hold_amount {} 0.01 WHERE status = 'pending'", "held is what is pending"),
    (WALLET, "balance = balance {} 0.01 WHERE id = %(wallet)s", "a wallet is the sum of its entries"),
    (WALLET, "held = held {} 0.01 WHERE id = %(wallet)s", "held is what is pending"),
    (WALLET, "version = version {} 1 WHERE id = %(wallet)s", "versions count without a gap"),
    (WALLET, "spent_today = spent_today {} 0.01 WHERE id = %(wallet)s", "counters are what was sent"),
]  # fmt: skip


class TestFinding:
    @pytest.mark.parametrize("machine", [GenerousMachine, RobbedMachine])
    def test_a_planted_defect_is_found(self, model_db: Databases, machine: type[Machine]) -> None:
        with pytest.raises(AssertionError):
            examples_of(machine, MANY)

    @pytest.mark.long
    @pytest.mark.timeout(1_800)
    @pytest.mark.parametrize("machine", [ForgetfulMachine, MachineOffByOne])
    def test_a_defect_that_needs_three_steps_in_order_is_found(
        self, model_db: Databases, machine: type[Machine]
    ) -> None:
        with pytest.raises(AssertionError):
            examples_of(machine, MANY)

    def test_every_edit_past_the_triggers_breaks_its_rule(self, model_db: Databases) -> None:
        machine = lived_a_little()
        wallet = machine.bank.wallet((0, MAIN, "NGN"))
        known = {"wallet": wallet.pk, "entry": wallet.entries.latest("id").pk}
        for table, change, broken in EDITS:
            assert past_the_triggers(table, f"UPDATE {table} SET {change.format('+')}", **known) == 1
            assert broken in machine.tables.broken()
            with pytest.raises(AssertionError):
                machine.agrees()
            assert past_the_triggers(table, f"UPDATE {table} SET {change.format('-')}", **known) == 1
            machine.agrees()


def lived_a_little() -> Machine:
    """A machine whose people sent money and hold some."""
    machine = Machine()
    machine.come()
    machine.agrees()
    machine.transfer(which=0, further=1, amount=10, ending=Ending())
    machine.agrees()
    machine.hold(who=0, amount=10, fee=0, brief=False, ending=Ending())
    machine.agrees()
    return machine
